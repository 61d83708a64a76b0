"""The event stream: the reader's own alerts as they move, over a real connection."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select, update

from alerts.tables import AUDIT
from rules.findings import Severity
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.serving import serving
from worker.composition import Deps
from worker.database import writing
from worker.tables import ACCOUNT
from worker.web import stream

BEARER = {"authorization": f"Bearer {clinic.CLINICIAN_TOKEN}"}


@pytest.fixture
def address(deps: Deps, seeded: Clinic) -> Iterator[str]:
    with serving(deps) as address:
        yield address


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, data) of each event named `alert`."""
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            event[name] = value
        elif event.get("event") == "alert":
            yield event["id"], json.loads(event["data"])
            event = {}


def until_listening(lines: Iterator[str]) -> None:
    next(line for line in lines if line == "event: listening")


def raise_one(store: Engine, seeded: Clinic, headline: str, to: clinic.Address = clinic.EXAMPLE) -> int:
    with writing(store) as connection:
        patient = seeded.patients["Pia Long-Hyphenated-Surname"]
        value = clinic.Value(len(headline), "crp", "80", "mg/L")
        return clinic.simple(
            connection, patient, seeded.now, value, headline, Severity.HIGH, headline, to=to, told=False
        )


def test_a_new_alert_is_on_the_stream_of_whom_it_is_addressed_to_alone(
    address: str, store: Engine, seeded: Clinic
) -> None:
    with httpx.stream("GET", f"{address}/api/stream", headers=BEARER, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        until_listening(lines)
        raise_one(store, seeded, "For Dr. Chen", clinic.CHEN)
        alert = raise_one(store, seeded, "For Dr. Example")
        _, data = next(events(lines))

    assert (data["id"], data["headline"], data["what"]) == (alert, "For Dr. Example", "raise")
    with store.connect() as connection:
        seen = connection.execute(select(AUDIT.c.data).where(AUDIT.c.action == "list")).scalars().all()
    assert [alert] in [row["alerts"] for row in seen]


def test_who_comes_back_gets_what_was_missed(address: str, store: Engine, seeded: Clinic) -> None:
    with httpx.stream("GET", f"{address}/api/stream", headers=BEARER, timeout=20) as answer:
        lines = answer.iter_lines()
        until_listening(lines)
        raise_one(store, seeded, "First")
        last, _ = next(events(lines))
    raise_one(store, seeded, "Second")

    again = {**BEARER, "last-event-id": last}
    with httpx.stream("GET", f"{address}/api/stream", headers=again, timeout=20) as answer:
        _, data = next(events(answer.iter_lines()))
    assert data["headline"] == "Second"


def test_a_disabled_account_loses_its_stream(
    address: str, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STILL_SIGNED_IN_SECONDS", 0.2)
    with httpx.Client(base_url=address, timeout=20) as client:
        client.post("/login", data={"username": "example", "password": clinic.PASSWORD})
        with client.stream("GET", "/api/stream") as answer:
            lines = answer.iter_lines()
            until_listening(lines)
            with writing(store) as connection:
                connection.execute(update(ACCOUNT).values(active=False))
            assert list(events(lines)) == [], "the stream must end"


def test_without_a_log_in_there_is_no_stream(address: str) -> None:
    assert httpx.get(f"{address}/api/stream").status_code == 401
