"""Fetching missed events: from the configured host alone, to a public address or a named one, never on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from alerts.channels.guarded_http import GuardedHttp
from alerts.tables import AUDIT
from tests.alerts.http_script import Receiver, receiver, status
from tests.web.test_fhir_subscriptions import SOURCE, notification, open_gaps
from tests.worker.intake.fhir_examples import bundle, observation, raw
from tests.worker.made_up import deps_on
from worker.checkup import Health, examine
from worker.composition import Deps, check
from worker.database import writing
from worker.exposition import render
from worker.fhir_fetching import FETCHING, gaps_due
from worker.fhir_subscriptions import note
from worker.intake.fhir_notification import Happening, Notification
from worker.settings import SettingsError, read_settings
from worker.tables import FHIR_GAP, MESSAGE, QUARANTINE_ITEM
from worker.verbs.gaps import app as gaps

TOKEN = "a-secret-of-the-ehr"
FOCUS = "https://elsewhere.example/fhir/Observation/o{}"


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def missing(engine: Engine, *numbers: int) -> None:
    """These events were told of, without their resources."""
    happenings = tuple(Happening(number, FOCUS.format(number)) for number in numbers)
    told = Notification("https://ehr.example/Subscription/s1", "event-notification", max(numbers), happenings)
    with writing(engine) as connection:
        note(connection, SOURCE, told, ())


def fetching(engine: Engine, base: str, private: str = "127.0.0.1") -> Deps:
    servers = json.dumps({SOURCE: {"base": base, "token": TOKEN}})
    return deps_on(engine, fhir_servers=servers, private_hosts=private)


def base_of(server: Receiver) -> str:
    return f"http://127.0.0.1:{server.port}/r4/"


def said(value: dict[str, Any]) -> bytes:
    return status(200, "Content-Type: application/fhir+json", body=raw(value))


def kept(engine: Engine) -> list[tuple[str, str | None]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(MESSAGE.c.state, MESSAGE.c.reason))]


def test_s55_the_token_goes_to_the_configured_host_whatever_a_notification_names(
    engine: Engine, server: Receiver
) -> None:
    missing(engine, 1)
    server.answers = [[status(404)], [said(observation("9", id="o1", identifier=None))]]
    assert gaps_due(fetching(engine, base_of(server)))
    assert open_gaps(engine) == []
    assert [one.first_line.split()[1].partition("?")[0] for one in server.heard] == [
        "/r4/Subscription/s1/$events",
        "/r4/Observation/o1",
    ]
    assert {one.headers["authorization"] for one in server.heard} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_s52_s55_no_answer_leads_a_fetch_and_its_token_elsewhere(
    engine: Engine, server: Receiver, code: int
) -> None:
    missing(engine, 1)
    with receiver() as elsewhere:
        server.says(status(code, f"Location: {elsewhere.url}"))
        assert gaps_due(fetching(engine, base_of(server)))
        assert elsewhere.connections == 0
    assert open_gaps(engine) == [1]
    assert kept(engine) == []


@pytest.mark.parametrize(
    "base",
    [
        "https://127.0.0.1/r4",
        "https://127.1/r4",
        "https://2130706433/r4",
        "https://0x7f000001/r4",
        "https://0177.0.0.1/r4",
        "https://[::1]/r4",
        "https://[::ffff:10.0.0.1]/r4",
        "https://[64:ff9b::7f00:1]/r4",
        "https://[fe80::1]/r4",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/r4",
        "https://100.64.0.1/r4",
        "https://user:pass@ehr.test/r4",
        "https://ehr.test@127.0.0.1/r4",
        "https://①②⑦.⓪.⓪.①/r4",
        "http://ehr.test/r4",
    ],
)
def test_s52_a_server_inside_the_house_that_is_not_named_stops_the_start(base: str) -> None:
    settings = read_settings({"FERRULE_FHIR_SERVERS": json.dumps({SOURCE: {"base": base, "token": TOKEN}})})
    with pytest.raises(SettingsError, match="FERRULE_FHIR_SERVERS") as refused:
        check(settings)
    assert TOKEN not in str(refused.value)
    assert "pass@" not in str(refused.value)


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("10.1.2.3",), ("169.254.169.254",), ("100.64.0.1",), ("::1",), ("::ffff:192.168.0.1",),
     ("93.184.216.34", "127.0.0.1")],
    ids=str,
)  # fmt: skip
def test_s52_a_name_that_leads_into_the_house_is_not_connected_to(
    engine: Engine, server: Receiver, addresses: Sequence[str]
) -> None:
    missing(engine, 1)
    http = replace(FETCHING, lookup=lambda _host, _port: addresses)
    assert gaps_due(fetching(engine, f"https://ehr.test:{server.port}/r4"), http)
    assert server.connections == 0
    assert open_gaps(engine) == [1]


def test_s54_an_answer_without_end_or_over_the_limit_is_not_taken(engine: Engine, server: Receiver) -> None:
    missing(engine, 1)
    body = said(observation("9", id="o1", identifier=None))
    server.answers = [[5.0], [body]]
    short = GuardedHttp(seconds=0.5, most_bytes=FETCHING.most_bytes)
    assert gaps_due(fetching(engine, base_of(server)), short)
    assert open_gaps(engine) == []
    missing(engine, 2)
    server.says(said(observation("9" * 500, id="o2", identifier=None)))
    assert gaps_due(fetching(engine, base_of(server)), replace(FETCHING, most_bytes=100))
    assert open_gaps(engine) == [2]


OTHERS: list[Any] = [
    {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "throttled"}]},
    observation("9", id="another", identifier=None),
    [1, 2, 3],
]


@pytest.mark.parametrize("other", OTHERS, ids=["outcome", "another", "array"])
def test_an_answer_that_is_not_what_was_asked_leaves_the_event_missing(
    engine: Engine, server: Receiver, other: Any
) -> None:
    missing(engine, 1)
    server.says(said(other))
    assert gaps_due(fetching(engine, base_of(server)))
    assert open_gaps(engine) == [1]
    assert kept(engine) == []


STU3 = observation("9", id="o1", identifier=None, issued=None) | {"comment": "of STU3"}


@pytest.mark.parametrize("way", ["events", "by-id"])
def test_an_answer_in_another_version_of_fhir_is_kept_in_quarantine_once(
    engine: Engine, server: Receiver, way: str
) -> None:
    missing(engine, 1)
    if way == "events":
        answer = notification("query-event", 1, 1) | {"entry": bundle(STU3)["entry"], "type": "collection"}
        server.says(said(answer))
    else:
        server.answers = [[status(404)], [said(STU3)]]
    assert gaps_due(fetching(engine, base_of(server)))
    assert kept(engine) == [("quarantined", "unsupported-version")]
    with engine.connect() as connection:
        (item,) = connection.execute(select(QUARANTINE_ITEM)).all()
        (gap,) = connection.execute(select(FHIR_GAP)).all()
    assert "R4" in item.remedy or "STU3" in item.remedy
    assert gap.reason == "quarantined"
    assert not gaps_due(fetching(engine, base_of(server)))


def test_what_is_missing_is_a_gauge_a_line_of_the_doctor_and_a_list_that_a_person_closes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(engine, 1, 2)
    assert 'ferrule_fhir_gaps_open{source="other"} 2.0' in render(engine).decode()
    assert 'ferrule_fhir_gaps_oldest_seconds{source="other"}' in render(engine).decode()
    url = engine.url.render_as_string(hide_password=False)
    (line,) = [
        one for one in examine(read_settings({"FERRULE_DATABASE_URL": url})) if one.part == "FHIR gaps"
    ]
    assert (line.health, line.advice) == (Health.WARNING, "ferrule gaps list")
    monkeypatch.setenv("FERRULE_DATABASE_URL", url)
    listed = CliRunner().invoke(gaps, ["list", "--json"])
    first, second = (json.loads(one) for one in listed.stdout.splitlines())
    assert (first["number"], second["number"]) == (1, 2)
    assert "Observation" not in listed.stdout
    close = ["close", str(first["id"]), "--reason"]
    assert CliRunner().invoke(gaps, [*close, " "]).exit_code != 0
    assert CliRunner().invoke(gaps, [*close, "sent as a file"]).exit_code == 0
    assert CliRunner().invoke(gaps, [*close, "again"]).exit_code != 0
    assert open_gaps(engine) == [2]
    with engine.connect() as connection:
        entries = connection.execute(select(AUDIT).where(AUDIT.c.action == "fhir-gap.close")).all()
    assert [entry.data for entry in entries] == [{"reason": "sent as a file"}]
