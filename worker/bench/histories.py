"""Made-up histories of fifty results to judge, half of them with a pattern that alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from rules.facts import History
from worker.demo.laboratories import LABORATORIES
from worker.demo.people import CLINICIANS, person
from worker.demo.records import condition, metformin
from worker.demo.reports import Case, Sending, Specimen, report
from worker.evaluate import gathered
from worker.intake.event import event_of

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RESULTS = 50
_VISIT_DAYS = (1, 24, 75, 190, 370)


def case_of(number: int, now: datetime = NOW) -> Case:
    """A made-up adult."""
    dice = Random(number)  # noqa: S311  # made-up data, no secret
    who = person(number, dice.choice(("female", "male")), dice.randint(25, 80), now.date(), dice)
    return Case(who, CLINICIANS[0], LABORATORIES[number % len(LABORATORIES)], now, dice)


def visit(case: Case, days: int, *, alerting: bool) -> Sending:
    """One report of ten results; an alerting one has high B12 with iron deficiency anemia."""
    dice = case.dice
    iron = ("ferritin", str(dice.randint(5, 14) if alerting else dice.randint(60, 180)))
    vitamin = ("b12", str(dice.randint(1150, 1900) if alerting else dice.randint(390, 600)))
    blood = ("hemoglobin", str(dice.randint(90, 108) if alerting else dice.randint(139, 150)))
    others = {
        "mcv": "86",
        "platelets": "230",
        "wbc": "6.1",
        "crp": "2",
        "creatinine": "72",
        "alt": "24",
        "egfr": "92",
    }
    sample = Specimen(f"V{days}", case.now - timedelta(days=days, hours=3))
    lists = {
        "medications": [metformin(case.ago(900).date())],
        "conditions": [condition("I10", "Hypertension", case.ago(1200).date())],
    }
    return report(case, sample, dict((iron, vitamin, blood)) | others, records=lists)


def histories(count: int) -> Sequence[History]:
    """Different histories, every second one alerting at `NOW`."""
    found: list[History] = []
    for number in range(count):
        case = case_of(number)
        sent = [visit(case, days, alerting=number % 2 == 0 and days == 1) for days in _VISIT_DAYS]
        found += _as_facts([one.event for one in sent])
    return found


def _as_facts(events: Sequence[dict[str, Any]]) -> list[History]:
    made = list(gathered((event_of(event) for event in events), None).histories.values())
    assert all(len(history.results) == RESULTS for history in made)
    return made
