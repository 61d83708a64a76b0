"""Marked names, identifiers and values through every path of the worker: none in logs or metrics (S26).

What stays in the broker is looked at with real workers in tests/integration/test_workers.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tests.worker.made_up import deps_on, event, inbound, result
from worker import logs, poller
from worker.accepting import Inbound, accept
from worker.composition import Deps
from worker.database import reading, writing
from worker.exposition import render
from worker.pipeline import judge, judge_due
from worker.submitted import inbound_of
from worker.tables import MESSAGE, PATIENT

MARKERS = ("ZZNAME", "ZZMRN", "77.7731", "ZZDRUG", "ZZREMARK", "ZZORDERER", "ZZSOURCE")


def marked(id: str = "M1", **changes: Any) -> dict[str, Any]:
    """An event with a marker in every field that is about a patient."""
    ferritin = {**result("R1", "ferritin", "77.7731"), "specimen_notes": ["ZZREMARK"], "name": "ZZREMARK"}
    made = event(id, [ferritin, result("R2", "b12", "1450")], patient="ZZMRN")
    made["source"] = "ZZSOURCE"
    made["data"]["patient"]["name"] = "ZZNAME"
    made["data"]["orderer"]["id"] = "ZZORDERER"
    made["data"]["medications"] = [{"system": "x", "code": "ZZDRUG", "name": "ZZDRUG", "status": "active"}]
    return {**made, **changes}


class Scan:
    """Everything that came out: standard output, standard error, and the metrics page."""

    def __init__(self, capfd: pytest.CaptureFixture[str], engine: Engine) -> None:
        self._capfd, self._engine = capfd, engine

    def text(self) -> str:
        out, err = self._capfd.readouterr()
        return out + err + render(self._engine).decode()

    def found(self) -> list[str]:
        text = self.text()
        return [marker for marker in MARKERS if marker in text]


@pytest.fixture
def scan(capfd: pytest.CaptureFixture[str], engine: Engine) -> Iterator[Scan]:
    logs.configure(level="debug", style="json")
    yield Scan(capfd, engine)
    structlog.reset_defaults()


def test_the_scan_finds_a_planted_marker(scan: Scan) -> None:
    logs.logger("x").error("failed", reason="ZZNAME")
    assert scan.found() == ["ZZNAME"]


def test_nothing_shows_on_the_plain_way(engine: Engine, scan: Scan) -> None:
    deps = deps_on(engine)
    judge(deps, [receipt.message for receipt in accept(engine, [inbound_of(marked())])])
    poller.turn(deps)
    assert scan.found() == []


@pytest.mark.parametrize(
    "raw",
    [
        b'{"ZZNAME": ',
        b"MSH|^~\\&|ZZSOURCE|ZZNAME\rPID|ZZMRN",
        b'{"specversion": "1.0", "type": "ZZNAME", "source": "ZZSOURCE", "id": "ZZMRN"}',
        b"\xff\xfeZZNAME",
    ],
)
def test_nothing_shows_of_what_cannot_be_read(engine: Engine, scan: Scan, raw: bytes) -> None:
    for format in ("event", "hl7"):
        receipts = accept(engine, [Inbound("ZZSOURCE", f"ZZMRN{format}", format, raw)])
        judge(deps_on(engine), [receipt.message for receipt in receipts])
    assert "message set aside" in scan.text()
    assert scan.found() == []


class Fails:
    """Rules that fail and say why, with the patient's data in the words."""

    def __init__(self, deps: Deps) -> None:
        self._ruleset = deps.ruleset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ruleset, name)

    def judge(self, history: Any, as_of: Any) -> Any:
        raise RuntimeError(f"ZZNAME ZZMRN {history}")


def test_nothing_shows_of_a_fault_of_ours(engine: Engine, scan: Scan) -> None:
    deps = deps_on(engine)
    failing = replace(deps, ruleset=Fails(deps))  # type: ignore[arg-type]
    receipts = accept(engine, [inbound(marked())])
    judge(failing, [receipt.message for receipt in receipts])
    text = scan.text()
    assert "judging failed" in text
    assert [marker for marker in MARKERS if marker in text] == []


def test_nothing_shows_when_the_database_fails_in_the_middle(engine: Engine, scan: Scan) -> None:
    deps = deps_on(engine)
    receipts = accept(engine, [inbound(marked())])
    with writing(engine) as connection:
        connection.exec_driver_sql("alter table result rename to away")
    judge(deps, [receipt.message for receipt in receipts])
    judge_due(deps)
    text = scan.text()
    assert "failed" in text or "not available" in text
    assert [marker for marker in MARKERS if marker in text] == []


def test_a_database_error_does_not_hold_the_values_of_its_statement(engine: Engine) -> None:
    with pytest.raises(SQLAlchemyError) as error, writing(engine) as connection:
        connection.execute(PATIENT.insert(), [{"system": "ZZSOURCE", "ident": "ZZMRN", "name": "ZZNAME"}])
    text = str(error.value) + repr(error.value)
    with reading(engine) as connection:
        assert connection.execute(MESSAGE.select()).all() == []
    if engine.dialect.name == "sqlite":
        assert not any(marker in text for marker in MARKERS)
    assert "hide_parameters" in text or "hidden" in text
