"""The closed loop from a terminal: the directory, whom an alert reaches, who was called, what is open."""

import json
import stat
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts import directory
from alerts.due import Reach, run_due
from alerts.leases import writing
from alerts.people import Address
from alerts.tables import ALERT_EVENT, AUDIT, POOL_MEMBER, RECIPIENT
from rules.findings import FollowUp, Severity
from tests.alerts.made_up import ADA, NPI, Ward, day, judged
from worker.cli import main
from worker.tables import PATIENT

Run = Callable[..., tuple[int, str, str]]

CSV = f"""system,id,name,email,phone,active,pools
{NPI},1000000001,Dr. Ada,ada@hospital.test,555-1,true,on-call;night
{NPI},1000000002,Dr. Ben,,,yes,
"""


@pytest.fixture
def run(
    database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.setenv("FERRULE_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(words)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


def file(path: Path, name: str, text: str) -> str:
    (path / name).write_text(text, encoding="utf-8")
    return str(path / name)


def people(engine: Engine) -> dict[str, tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(select(RECIPIENT).order_by(RECIPIENT.c.id))
        return {r.ident: (r.name, r.email, r.phone, r.active) for r in rows}


def open_alert(
    engine: Engine, severity: Severity = Severity.CRITICAL, follow_up: Sequence[FollowUp] = ()
) -> int:
    with writing(engine) as connection:
        connection.execute(
            PATIENT.insert().values(
                id=1, system="urn:mrn:north", ident="P1", name="<b>Bo</b>", sex="female", created_at=day(0)
            )
        )
    return Ward(engine, {"lab|F1": ADA}).judge(judged(severity=severity, follow_up=follow_up)).alert_ids[0]


def test_a_directory_comes_from_csv_with_its_pools(run: Run, engine: Engine, tmp_path: Path) -> None:
    assert run("directory", "import", file(tmp_path, "d.csv", CSV))[:2] == (0, "2 new, 0 known, 0 left\n")
    assert people(engine) == {
        "1000000001": ("Dr. Ada", "ada@hospital.test", "555-1", True),
        "1000000002": ("Dr. Ben", None, None, True),
    }
    with engine.connect() as connection:
        pools = connection.execute(select(POOL_MEMBER.c.pool).order_by(POOL_MEMBER.c.id)).scalars().all()
        assert connection.execute(select(AUDIT.c.action)).scalars().all() == ["directory.import"]
    assert pools == ["on-call", "night"]
    assert [json.loads(x)["id"] for x in run("directory", "list", "--json")[1].splitlines()] == [
        "1000000001",
        "1000000002",
    ]


def test_who_is_no_longer_in_the_file_has_left_but_not_when_a_line_could_not_be_read(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    run("directory", "import", file(tmp_path, "d.csv", CSV))
    one = "\n".join(CSV.splitlines()[:2])
    code, out, err = run("directory", "import", file(tmp_path, "bad.csv", f"{one}\n{NPI},,x,,,,\n"))
    assert (code, out) == (2, "0 new, 1 known, 0 left\n")
    assert "line 3: expected a system and an id" in err
    assert people(engine)["1000000002"][3] is True
    assert run("directory", "import", "--partial", file(tmp_path, "e.csv", one))[1].endswith(" 0 left\n")
    assert run("directory", "import", file(tmp_path, "e.csv", one))[1] == "0 new, 1 known, 1 left\n"
    assert people(engine)["1000000002"][3] is False


def test_a_directory_comes_from_a_fhir_bundle_and_an_ended_role_is_not_active(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    def practitioner(number: str, **more: Any) -> dict[str, Any]:
        named = {"family": "Example", "given": ["Ada"], "prefix": ["Dr."]}
        identifier = {"system": NPI, "value": f"100000000{number}"}
        held = {"resourceType": "Practitioner", "id": number, "identifier": [identifier], "name": [named]}
        return {"resource": {**held, **more}}

    ended = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": "Practitioner/2"},
        "active": False,
    }
    telecom = [{"system": "email", "value": "ada@hospital.test"}, {"system": "phone", "value": "555-1"}]
    nobody = {"resource": {"resourceType": "Practitioner", "id": "3"}}
    entries = [practitioner("1", telecom=telecom), practitioner("2"), {"resource": ended}, nobody]
    text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    code, _, err = run("directory", "import", file(tmp_path, "b.json", text))
    assert code == 2
    assert "entry[3]: expected an identifier" in err
    assert people(engine) == {
        "1000000001": ("Dr. Ada Example", "ada@hospital.test", "555-1", True),
        "1000000002": ("Dr. Ada Example", None, None, False),
    }


@pytest.mark.parametrize(
    "text", ["", "name,email\nAda,x\n", "{}", '{"resourceType": "Bundle"', "system,id,x\n"]
)
def test_f70_a_file_that_is_no_directory_leaves_the_last_good_one(
    run: Run, engine: Engine, tmp_path: Path, text: str
) -> None:
    run("directory", "import", file(tmp_path, "d.csv", CSV))
    before = people(engine)
    code, _, err = run("directory", "import", file(tmp_path, "x.csv", text))
    assert code in (1, 2)
    assert "Traceback" not in err
    assert people(engine) == before


def test_cases_hold_the_directory_to_whom_an_alert_reaches(run: Run, engine: Engine, tmp_path: Path) -> None:
    run("directory", "import", file(tmp_path, "d.csv", CSV))
    ada, ben = f"{NPI}|1000000001", f"{NPI}|1000000002"
    away = ("--from", "2026-03-01T00:00Z", "--until", "2026-03-08T00:00Z")
    assert run("directory", "cover", ada, "--by", ben, *away)[0] == 0
    cases = f"""
cases:
  - name: the orderer and who covers
    orderer: '{ada}'
    at: 2026-03-02T09:00:00Z
    expect: [{{to: '{ada}', by: [inbox]}}, {{to: '{ben}'}}]
  - name: after the leave the orderer alone
    orderer: '{ada}'
    at: 2026-03-08T00:00:00Z
    expect: [{{to: '{ada}'}}]
  - name: nobody ordered it
    expect: [{{to: 'pool:unaddressed'}}]
"""
    assert run("routes", "test", file(tmp_path, "routes.yaml", cases))[0] == 0
    wrong = cases.replace("pool:unaddressed", "pool:on-call")
    code, out, _ = run("routes", "test", file(tmp_path, "wrong.yaml", wrong))
    assert code == 1
    assert "FAIL  nobody ordered it: expected pool:on-call; would reach pool:unaddressed" in out
    shown = run("routes", "show", "--orderer", ada, "--at", "2026-03-02T09:00:00Z")[1].splitlines()
    assert shown == [f"{ada}  (orderer) by inbox", f"{ben}  (cover) by inbox"]


def test_the_call_list_is_worked_off_from_a_terminal(run: Run, engine: Engine) -> None:
    alert = open_alert(engine)
    for _ in range(2):
        run_due(engine, Reach(), now=lambda _: day(2))
    (listed,) = [json.loads(line) for line in run("calls", "list", "--json")[1].splitlines()]
    assert listed["id"] == alert
    told = ("--to", "Dr. Ada", "--told", "ferritin 9 ug/L", "--read-back")
    assert run("calls", "record", str(alert), *told, "--comment", "on ward 3")[:2] == (0, "recorded\n")
    assert run("calls", "list")[1] == "nobody has to be called\n"
    with engine.connect() as connection:
        (call,) = connection.execute(select(ALERT_EVENT).where(ALERT_EVENT.c.step == "call")).all()
    assert (call.data["to"], call.data["told"], call.data["read_back"]) == (
        "Dr. Ada",
        "ferritin 9 ug/L",
        True,
    )
    assert run("calls", "record", "99", *told)[0] == 1
    assert "offset" in run("calls", "record", str(alert), *told, "--at", "2026-03-01")[2]


def test_the_printed_list_is_its_owners_alone_and_shows_text_as_text(
    run: Run, engine: Engine, tmp_path: Path
) -> None:
    alert = open_alert(engine)
    out = tmp_path / "open.html"
    out.write_text("yesterday's")
    out.chmod(0o644)
    assert run("alerts", "print", "--html", "--out", str(out))[0] == 0
    page = out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "&lt;b&gt;Bo&lt;/b&gt;" in page
    assert "<b>Bo" not in page
    assert "ferritin 9 ug/L (2026-03-01)" in run("alerts", "print")[1]
    with engine.connect() as connection:
        printed = connection.execute(select(AUDIT.c.data).where(AUDIT.c.action == "print")).scalars().all()
    assert [one["alerts"] for one in printed] == [[alert], [alert]]


def test_an_alert_that_reaches_nobody_is_listed_until_somebody_is_there(run: Run, engine: Engine) -> None:
    alert = open_alert(engine)
    (lost,) = [json.loads(line) for line in run("alerts", "unaddressed", "--json")[1].splitlines()]
    assert lost["id"] == alert
    with writing(engine) as connection:
        directory.register(connection, Address(NPI, ADA.id))
    assert run("alerts", "unaddressed")[1] == "every open alert reaches somebody\n"
    with writing(engine) as connection:
        directory.register(connection, Address(NPI, ADA.id), active=False)
    assert len(run("alerts", "unaddressed", "--json")[1].splitlines()) == 1


def test_preferences_are_set_for_somebody_who_is_there(run: Run, engine: Engine, tmp_path: Path) -> None:
    run("directory", "import", file(tmp_path, "d.csv", CSV))
    ada = f"{NPI}|1000000001"
    assert run("directory", "prefer", ada, "--digest", "07:30", "--quiet", "20:00-07:00")[0] == 0
    with engine.connect() as connection:
        kept = connection.execute(select(RECIPIENT.c.preferences).order_by(RECIPIENT.c.id)).scalars().first()
    assert kept == {"digest": "07:30:00", "quiet": {"from": "20:00:00", "until": "07:00:00"}}
    assert run("directory", "prefer", ada, "--digest", "noon")[0] == 2
    assert run("directory", "prefer", f"{NPI}|9", "--digest", "07:30")[0] == 1
    run("directory", "import", file(tmp_path, "d.csv", CSV))
    with engine.connect() as connection:
        again = connection.execute(select(RECIPIENT.c.preferences).order_by(RECIPIENT.c.id)).scalars().first()
    assert again == kept


def test_the_policy_is_checked_and_shown(run: Run, tmp_path: Path) -> None:
    assert json.loads(run("escalation", "show")[1])["severities"]["critical"]["call"] == "60 min"
    assert run("escalation", "show", "--in-force")[0] == 0
    code, _, err = run("escalation", "lint", file(tmp_path, "e.yaml", "severities: {low: {}}"))
    assert (code, err.count("\n")) == (2, 1)
    assert "properties" in json.loads(run("escalation", "schema")[1])


def test_what_is_overdue_is_listed_and_the_look_is_kept(run: Run, engine: Engine) -> None:
    assert run("alerts", "overdue")[1] == "nothing that an open alert expects is overdue\n"
    alert = open_alert(engine, follow_up=[FollowUp("ferritin", date(2026, 3, 2))])
    (late,) = [json.loads(line) for line in run("alerts", "overdue", "--json")[1].splitlines()]
    assert (late["alert"], late["expect"], late["due"]) == (alert, "ferritin", "2026-03-02")
    assert late["days_late"] > 0
    assert "ferritin" in run("alerts", "overdue")[1]
    assert lists_kept(engine) == [[alert], [alert]]


def test_how_rules_are_answered_is_counted_and_whose_comments_were_shown_is_kept(
    run: Run, engine: Engine
) -> None:
    assert run("alerts", "governance")[1] == "no rule raised an alert in the last 30 days\n"
    alert = open_alert(engine)
    assert run("alerts", "dismiss", str(alert), "--reason", "rule-wrong", "--comment", "not here")[0] == 0
    since = ("--days", "3650")
    said = json.loads(run("alerts", "governance", *since, "--json")[1])
    assert [(one["raised"], one["dismissed"], one["comments"]) for one in said["rules"]] == [
        (1, {"rule-wrong": 1}, ["not here"])
    ]
    text = run("alerts", "governance", *since)[1]
    assert "rule-wrong (1)" in text
    assert "not here" in text
    assert lists_kept(engine) == [[alert], [alert]]


def lists_kept(engine: Engine) -> list[list[int]]:
    """The alerts of each list that the audit trail says was shown."""
    with engine.connect() as connection:
        query = select(AUDIT.c.data).where(AUDIT.c.action == "list").order_by(AUDIT.c.id)
        return [data["alerts"] for data in connection.execute(query).scalars()]


def test_a_cover_is_listed_for_both_and_ended_by_its_number(run: Run, engine: Engine) -> None:
    ada, ben = f"{NPI}|1000000001", f"{NPI}|1000000002"
    away = ("--from", "2026-03-01T00:00Z", "--until", "2999-03-08T00:00Z")
    assert run("directory", "cover", ada, "--by", ben, *away)[0] == 0
    listed = [run("directory", "covers", who, "--json")[1] for who in (ada, ben)]
    assert listed[0] == listed[1]
    one = json.loads(listed[0])
    assert (one["absent"], one["covering"], one["until"]) == (ada, ben, "2999-03-08T00:00:00Z")
    number = str(one["number"])
    assert run("directory", "end-cover", ben, number)[0] == 1, "it is not theirs to end"
    assert run("directory", "end-cover", ada, str(2**63))[0] == 2
    assert run("directory", "end-cover", ada, number)[:2] == (0, "done\n")
    assert run("directory", "end-cover", ada, number)[0] == 1
    assert run("directory", "covers", ada)[1] == "no cover of theirs is still to end\n"
    with engine.connect() as connection:
        kept = connection.execute(select(AUDIT.c.action).order_by(AUDIT.c.id)).scalars().all()
    assert kept == ["cover.add", "cover.end"]
