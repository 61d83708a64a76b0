"""`ferrule bench history`: what one message costs, against the length of its patient's history and of the
table.

In this process, without a broker: a message of ten results is stored, then claimed, judged and committed,
and only that is timed. The figure is the longest history; the yardstick the shortest, in the same turns.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, func, literal, select

from rules.load import load_ruleset
from worker import clock
from worker.accepting import accept
from worker.bench.figures import Comparison, Figure
from worker.bench.histories import case_of, visit
from worker.bench.scratch import database
from worker.clock import now
from worker.composition import Deps, unheard
from worker.database import make_engine, writing
from worker.failures import NO, Failure
from worker.patients import ensure_patients
from worker.pipeline import judge
from worker.settings import Settings
from worker.submitted import inbound_of
from worker.tables import PATIENT, RESULT

RESULTS_A_VISIT = 10
MADE_UP = "urn:ferrule:bench"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Results in each patient's history, shortest first; rows of other patients in the larger table."""

    lengths: tuple[int, ...] = (10, 100, 1_000, 10_000)
    table: int = 200_000


@dataclass
class Patients:
    """One patient for each length."""

    deps: Deps
    lengths: tuple[int, ...]
    turns: int = 0

    def fill(self) -> None:
        """Give every patient their past, one long message each."""
        for length in self.lengths:
            visits = [_visit(length, days) for days in range(2, 2 + length // RESULTS_A_VISIT)]
            event = visits[0]
            event["data"]["results"] = [one for each in visits for one in each["data"]["results"]]
            self._judge(event)

    def turn(self) -> dict[int, float]:
        """One new message for each patient, the shortest history first or last by turns; seconds of each."""
        self.turns += 1
        seconds = {}
        for length in self.lengths if self.turns % 2 else reversed(self.lengths):
            event = _visit(length, 1)
            for result in event["data"]["results"]:
                result["id"] += f"-{self.turns}"
            event["id"] += f"-{self.turns}"
            seconds[length] = self._judge(event)
        return seconds

    def _judge(self, event: dict[str, Any]) -> float:
        ids = [receipt.message for receipt in accept(self.deps.engine, [inbound_of(event)])]
        begin = clock.monotonic_seconds()
        done = judge(self.deps, ids)
        seconds = clock.monotonic_seconds() - begin
        if done.judged != 1:
            raise Failure("a message of the bench was not judged", NO)
        return seconds


def measure(settings: Settings, runs: int, sizes: Sizes) -> Comparison:
    """Every length in turns in a small table, then in one with the rows of many others. Raises Failure."""
    with TemporaryDirectory(prefix="ferrule-bench-") as place, database(settings, Path(place)) as url:
        engine = make_engine(url)
        patients = Patients(Deps(engine, load_ruleset(), settings, unheard), sizes.lengths)
        patients.fill()
        small = _turns(patients, runs)
        rows = _crowd(engine, sizes.table)
        large = _turns(patients, runs)
        engine.dispose()
    about = {
        "figure": f"a message of {RESULTS_A_VISIT} results for a patient with {sizes.lengths[-1]:,} results",
        "yardstick": f"the same for a patient with {sizes.lengths[0]:,} results",
        "database": engine.dialect.name,
        **_said(small, "alone"),
        **_said(large, f"among {rows:,} rows of others"),
    }
    longest, shortest = (_rates(small[sizes.lengths[at]]) for at in (-1, 0))
    return Comparison("history", Figure("messages/s", longest), Figure("messages/s", shortest), about)


def _turns(patients: Patients, runs: int) -> dict[int, list[float]]:
    """A first turn, which warms up, does not count."""
    patients.turn()
    turns = [patients.turn() for _ in range(runs)]
    return {length: [turn[length] for turn in turns] for length in patients.lengths}


def _rates(seconds: Sequence[float]) -> tuple[float, ...]:
    return tuple(1 / one for one in seconds)


def _said(seconds: dict[int, list[float]], where: str) -> dict[str, str]:
    return {
        f"{length:,} results, {where}": f"{statistics.median(runs) * 1000:.1f} ms a message"
        for length, runs in seconds.items()
    }


def _visit(length: int, days: int) -> dict[str, Any]:
    """A visit of the patient with that many results; it raises nothing, so that only judging is measured."""
    return visit(case_of(length, now()), days, alerting=False).event


def _crowd(engine: Engine, rows: int) -> int:
    """Copies of the rows there are, under other patients; how many rows were added."""
    with writing(engine) as connection:
        there: int = connection.execute(select(func.count()).select_from(RESULT)).scalar_one()
        copies = -(-rows // there)
        ensure_patients(connection, [(MADE_UP, str(number)) for number in range(copies)], now())
        others = select(PATIENT.c.id).where(PATIENT.c.system == MADE_UP)
        for patient in connection.execute(others).scalars().all():
            columns = [column for column in RESULT.c if column.name != "id"]
            values = [literal(patient) if c is RESULT.c.patient_id else c for c in columns]
            originals = select(*values).order_by(RESULT.c.id).limit(there)
            connection.execute(RESULT.insert().from_select([c.name for c in columns], originals))
    return copies * there
