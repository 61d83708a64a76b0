"""B97, B104: what people write, and what a table brings, is text: capped, of harmless characters, escaped."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Engine, select

from alerts import answers, storms
from alerts.answers import Invalid
from alerts.directory_import import Listed, read_directory
from alerts.people import Actor
from alerts.storms import Outcome
from alerts.tables import ALERT_EVENT, STORM
from tests.web.clinic import EXAMPLE, Clinic
from tests.web.forms import answer, hidden
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.break_glass import Reason, open_patient
from worker.database import db_now, reading, writing
from worker.pipeline import judge
from worker.quarantine import bytes_of, discard
from worker.tables import BREAK_GLASS, PATIENT, QUARANTINE_ITEM, RESULT

HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>"
WRITTEN = f"{HTML}\r\nSet-Cookie: a=b\x00\x1b[2J\u202egnp.exe"
KEPT = f"{HTML}\nSet-Cookie: a=b[2Jgnp.exe"
BIG = "x" * 1_000_000
SELF = Actor(EXAMPLE.system, EXAMPLE.id)
JSON = {"accept": "application/json"}
TO = {"system": "http://hl7.org/fhir/sid/us-npi", "id": "1000000002"}
DOORS = {
    "acknowledge": {"comment": WRITTEN},
    "dismiss": {"reason": "already-acted", "comment": WRITTEN},
    "snooze": {"until": "2099-01-01T08:00:00Z", "reason": WRITTEN},
    "resolve": {"reason": WRITTEN},
    "reassign": {"to": TO, "reason": WRITTEN},
}


def said(store: Engine, alert: int) -> str:
    asked = select(ALERT_EVENT.c.data).where(ALERT_EVENT.c.alert_id == alert)
    with reading(store) as connection:
        newest = connection.execute(asked.order_by(ALERT_EVENT.c.seq.desc())).scalars().first()
    assert newest is not None
    return str(newest.get("comment"))


def posted(browser: TestClient, alert: int, step: str, body: dict[str, object]) -> Response:
    token = hidden(browser.get(f"/inbox/{alert}").text, "csrf")
    return browser.post(f"/api/alerts/{alert}/{step}", json=body, headers={**JSON, "x-csrf-token": token})


@pytest.mark.parametrize("step", [step for step in DOORS if step != "snooze"])
def test_b97_a_comment_of_a_form_is_kept_as_harmless_text_and_shown_escaped(
    browser: TestClient, seeded: Clinic, store: Engine, step: str
) -> None:
    alert = seeded.alerts["high"]
    fields = {k: "|".join(v.values()) if isinstance(v, dict) else v for k, v in DOORS[step].items()}
    assert answer(browser, alert, step, **fields).status_code in (200, 303)
    assert said(store, alert) == KEPT
    page = browser.get(f"/inbox/{alert}").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("step", sorted(DOORS))
def test_b97_a_comment_of_a_megabyte_is_refused_and_nothing_changes(
    browser: TestClient, seeded: Clinic, store: Engine, step: str
) -> None:
    alert = seeded.alerts["high"]
    before = _steps(store, alert)
    body = {k: BIG if v == WRITTEN else v for k, v in DOORS[step].items()}
    assert posted(browser, alert, step, body).status_code in (413, 422)
    form = {k: "|".join(v.values()) if isinstance(v, dict) else v for k, v in body.items()}
    assert answer(browser, alert, step, **form).status_code in (413, 422)
    assert _steps(store, alert) == before


def _steps(store: Engine, alert: int) -> int:
    with reading(store) as connection:
        return len(connection.execute(select(ALERT_EVENT.c.id).where(ALERT_EVENT.c.alert_id == alert)).all())


def test_b97_what_is_kept_is_capped_whatever_the_door() -> None:
    assert answers.cleaned("comment", WRITTEN) == KEPT
    assert answers.cleaned("comment", " \r\n\x00 ") in (None, "")
    with pytest.raises(Invalid, match="at most 4000"):
        answers.cleaned("comment", BIG)
    assert answers.cleaned("comment", "ليلى 👩\u200d⚕️") == "ليلى 👩\u200d⚕️", "joiners are no orders"


def _discarded(engine: Engine) -> str | None:
    broken = {**event("M1"), "data": {}}
    judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(broken)])])
    with writing(engine) as connection:
        bytes_of(connection, 1, SELF, WRITTEN)
        discard(connection, 1, SELF, WRITTEN)
        return connection.execute(select(QUARANTINE_ITEM.c.answer)).scalar_one()


def _storm(engine: Engine) -> str | None:
    with writing(engine) as connection:
        now = db_now(connection)
        row = {"kind": "rule", "key": "r", "raised": 9, "limit": 1, "started_at": now}
        storm = connection.execute(STORM.insert().values(**row).returning(STORM.c.id)).scalar_one()
        storms.answer(connection, storm, Outcome.VOID, WRITTEN, SELF, now)
        return connection.execute(select(STORM.c.reason)).scalar_one()


def _glass(engine: Engine) -> str | None:
    judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(event("M1"))])])
    with writing(engine) as connection:
        patient = connection.execute(select(PATIENT.c.id)).scalar_one()
        reason = next(iter(Reason))
        open_patient(connection, patient, SELF, "Ada", reason, WRITTEN, db_now(connection))
        return connection.execute(select(BREAK_GLASS.c.comment)).scalar_one()


@pytest.mark.parametrize("door", [_discarded, _storm, _glass], ids=["quarantine", "storm", "break-glass"])
def test_b97_operators_and_break_glass_keep_the_same_harmless_text(
    engine: Engine, door: Callable[[Engine], str | None]
) -> None:
    assert door(engine) == KEPT


FORMULA = '=HYPERLINK("http://evil.example/","click")'


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
def test_b104_a_formula_in_an_imported_directory_is_a_name_and_nothing_more(start: str) -> None:
    name = start + FORMULA[1:]
    quoted = name.replace('"', '""')
    text = f'system,id,name,email,phone,active,pools\nurn:x,9,"{quoted}",,,true,\n'
    (one,) = read_directory(text.encode()).people
    assert isinstance(one, Listed)
    assert one.name == name.strip()


def test_b104_nothing_writes_a_table_for_a_spreadsheet() -> None:
    """No CSV leaves Ferrule, so no cell can be run by a spreadsheet. Whoever adds one guards its cells."""
    files = (file for top in ("rules", "alerts", "worker") for file in Path(top).rglob("*.py"))
    writers = [str(file) for file in files if any(map(_writes_csv, ast.walk(ast.parse(file.read_text()))))]
    assert writers == []


def _writes_csv(node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    return node.value.id == "csv" and node.attr in ("writer", "DictWriter")


def test_b104_a_formula_where_a_value_should_be_is_no_value(engine: Engine) -> None:
    told = event("M1", [result("R1", "ferritin", FORMULA)])
    judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(told)])])
    with reading(engine) as connection:
        row = connection.execute(select(RESULT)).one()
    assert (row.value, row.problem, row.reported_value) == (None, "not-numeric", FORMULA)
