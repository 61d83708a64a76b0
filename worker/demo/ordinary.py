"""The demo's unremarkable patients: normal results, and the small disorders of real messages.

Each disorder spoils one result in a way laboratories do; none of them makes or hides a pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from worker.demo.patterns import earlier, today
from worker.demo.reports import Case, Entry, Sending, Wave, report

_DISORDER_SHARE = 0.35
_LOCAL_CODES = "urn:lab:local-codes"


def normal_day(case: Case) -> list[Sending]:
    """A blood count and some chemistry, sometimes an older report first, sometimes one result in disorder."""
    sending = report(case, today(case), _blood_count(case) | _chemistry(case.dice))
    if case.dice.random() < _DISORDER_SHARE:
        _spoil_one(sending.event["data"]["results"], case.dice)
    return [*_older_reports(case), sending, *_second_report(case)]


def past_year(case: Case) -> list[Sending]:
    """Older reports of a patient who was well, out of reach of every look-back: they only fill the charts."""
    return [
        report(case, earlier(case, days, f"H{days}"), _blood_count(case) | _stores(case.dice))
        for days in (385, 270, 140)
        if case.dice.random() < 0.6
    ]


def _stores(dice: Random) -> dict[str, str]:
    return {"ferritin": str(dice.randint(60, 120)), "b12": str(dice.randint(390, 620))}


def _older_reports(case: Case) -> list[Sending]:
    ages = [days for days in (190, 95, 30) if case.dice.random() < 0.3]
    return [report(case, earlier(case, days, f"H{days}"), _blood_count(case)) for days in ages]


def _second_report(case: Case) -> list[Sending]:
    """Some results come hours after the others."""
    if case.dice.random() > 0.2:
        return []
    sample = today(case, "B")
    late = timedelta(minutes=case.dice.randint(70, 140))
    return [report(case, sample, {"folate": "9.5", "tsat": "29"}, wave=Wave.AFTERNOON, delay=late)]


def _blood_count(case: Case) -> dict[str, str]:
    dice, woman = case.dice, case.person.sex == "female"
    hemoglobin = dice.randint(126, 148) if woman else dice.randint(138, 158)
    count = {
        "hemoglobin": str(hemoglobin),
        "mcv": str(dice.randint(84, 96)),
        "rdw": f"12.{dice.randint(1, 9)}",
    }
    return count | {"platelets": str(dice.randint(180, 380)), "wbc": f"{dice.randint(45, 92) / 10:.1f}"}


def _chemistry(dice: Random) -> dict[str, str]:
    tests = {
        "ferritin": str(dice.randint(60, 180)),
        "b12": str(dice.randint(390, 720)),
        "folate": str(dice.randint(6, 16)),
        "crp": dice.choice(("<1", "2", "3.4")),
        "tsat": str(dice.randint(24, 38)),
        "iron": str(dice.randint(12, 24)),
        "creatinine": str(dice.randint(58, 92)),
        "egfr": dice.choice((">60", ">90", "88", "97")),
        "alt": str(dice.randint(12, 34)),
    }
    return {test: amount for test, amount in tests.items() if dice.random() < 0.6}


def _spoil_one(results: list[Entry], dice: Random) -> None:
    dice.choice(_DISORDERS)(dice.choice(results))


def _no_unit(result: Entry) -> None:
    result.pop("unit", None)


def _foreign_unit(result: Entry) -> None:
    result["unit"] = "furlong/L"


def _unit_of_another_property(result: Entry) -> None:
    result["unit"] = "mmol/kg"


def _local_code(result: Entry) -> None:
    result |= {"code": f"LOC-{result['code']}", "system": _LOCAL_CODES}


def _remark_for_a_number(result: Entry) -> None:
    result["value"] = "see comment"


def _decimal_comma(result: Entry) -> None:
    result["value"] = "12,5"


def _hemolyzed(result: Entry) -> None:
    result["specimen_notes"] = ["hemolyzed"]


def _clotted(result: Entry) -> None:
    result["specimen_notes"] = ["clotted"]


def _cancelled(result: Entry) -> None:
    result |= {"status": "cancelled", "value": None}


def _impossible(result: Entry) -> None:
    result["value"] = "9999999"


_DISORDERS: tuple[Callable[[Entry], None], ...] = (
    _no_unit,
    _foreign_unit,
    _unit_of_another_property,
    _local_code,
    _remark_for_a_number,
    _decimal_comma,
    _hemolyzed,
    _clotted,
    _cancelled,
    _impossible,
)
