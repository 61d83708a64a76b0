"""The demo's remarkable patients: one small story for each thing a rule should see, or see through.

A story says only what the laboratory and the lists report. Which alerts it ends in is for the rules to find;
the comments at `PATTERNS` say what the story was written for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from worker.demo import records as on
from worker.demo.reports import Case, Sending, Specimen, Wave, news, report

Story = Callable[[Case], list[Sending]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A story, who it happens to, and how many times a day (both ends included)."""

    story: Story
    sex: str
    ages: tuple[int, int]
    times: tuple[int, int]


def today(case: Case, label: str = "A") -> Specimen:
    """A sample of this morning."""
    return Specimen(label, case.now - timedelta(minutes=case.dice.randint(150, 540)))


def earlier(case: Case, days: int, label: str = "H") -> Specimen:
    """A sample of some days ago, taken at another hour."""
    return Specimen(label, case.now - timedelta(days=days, minutes=case.dice.randint(60, 400)))


def _day(case: Case, days: int) -> date:
    return case.ago(days).date()


def _number(case: Case, low: int, high: int) -> str:
    return str(case.dice.randint(low, high))


def _iron_low(case: Case, anemic: bool = True) -> dict[str, str]:
    blood = _number(case, 88, 110) if anemic else _number(case, 138, 150)
    return {"hemoglobin": blood, "mcv": _number(case, 70, 78), "ferritin": _number(case, 5, 14)}


def high_b12_unexplained(case: Case) -> list[Sending]:
    values = _iron_low(case) | {"b12": _number(case, 1150, 1800), "crp": "2", "egfr": "95", "alt": "22"}
    return [report(case, today(case), values)]


def high_b12_above_what_is_measured(case: Case) -> list[Sending]:
    return [report(case, today(case), _iron_low(case) | {"b12": ">2000", "egfr": ">60"})]


def high_b12_weeks_before_ferritin(case: Case) -> list[Sending]:
    """Two laboratory visits that only together make the pattern; the older one is reported last."""
    before = report(case, earlier(case, 24), {"b12": _number(case, 1200, 1600), "creatinine": "70"})
    return [report(case, today(case), _iron_low(case)), before]


def high_b12_on_supplement(case: Case) -> list[Sending]:
    values = _iron_low(case) | {"b12": _number(case, 1050, 1900)}
    return [report(case, today(case), values, records={"medications": [on.multivitamin(_day(case, 200))]})]


def high_b12_supplement_found_later(case: Case) -> list[Sending]:
    found = news(case, "meds", case.ago(0.02), records={"medications": [on.b12_tablets(_day(case, 120))]})
    return [*high_b12_unexplained(case), found]


def high_b12_in_cirrhosis(case: Case) -> list[Sending]:
    disease = [on.condition("K74.60", "Cirrhosis of liver", _day(case, 900))]
    return [report(case, today(case), _iron_low(case) | {"b12": "1400"}, records={"conditions": disease})]


def high_b12_in_acute_inflammation(case: Case) -> list[Sending]:
    return [report(case, today(case), _iron_low(case) | {"b12": "1300", "crp": "180"})]


def pernicious_anemia_on_injections(case: Case) -> list[Sending]:
    lists = {
        "conditions": [on.condition("D51.0", "Pernicious anemia", _day(case, 1500))],
        "medications": [on.b12_injection(_day(case, 40))],
    }
    return [report(case, today(case), _iron_low(case) | {"b12": "1800"}, records=lists)]


def both_low(case: Case) -> list[Sending]:
    values = _iron_low(case) | {
        "b12": _number(case, 90, 165),
        "rdw": "16.2",
        "platelets": "210",
        "wbc": "5.1",
    }
    return [report(case, today(case), values | {"mcv": "86"})]


def both_low_not_anemic(case: Case) -> list[Sending]:
    return [
        report(
            case, today(case), _iron_low(case, anemic=False) | {"b12": _number(case, 100, 165), "mcv": "88"}
        )
    ]


def both_low_after_gastric_bypass(case: Case) -> list[Sending]:
    surgery = [on.condition("Z98.84", "Bariatric surgery status", _day(case, 1100))]
    return [
        report(
            case,
            today(case),
            _iron_low(case) | {"b12": _number(case, 110, 165)},
            records={"conditions": surgery},
        )
    ]


def both_low_until_b12_is_corrected(case: Case) -> list[Sending]:
    sample = today(case)
    first = report(case, sample, _iron_low(case) | {"b12": "132"})
    right = {"b12": _number(case, 380, 460)}
    return [first, _again(case, sample, right, "corrected")]


def iron_deficiency_anemia(case: Case) -> list[Sending]:
    return [report(case, today(case), _iron_low(case) | {"b12": _number(case, 380, 520), "crp": "3"})]


def iron_deficiency_anemia_evaluated(case: Case) -> list[Sending]:
    done = on.both_endoscopies(_day(case, 150))
    return [report(case, today(case), _iron_low(case), records={"procedures": done})]


def iron_deficiency_anemia_then_referred(case: Case) -> list[Sending]:
    referral = news(case, "referral", case.ago(0.02), records={"orders": [on.gi_referral(case.ago(0.02))]})
    return [report(case, today(case), _iron_low(case)), referral]


def iron_deficiency_anemia_of_another_patient(case: Case) -> list[Sending]:
    sample = today(case)
    values = _iron_low(case)
    return [report(case, sample, values), _again(case, sample, values, "entered-in-error")]


def hemoglobin_critical(case: Case) -> list[Sending]:
    values = {"hemoglobin": _number(case, 52, 66), "platelets": "240", "wbc": "6.4", "mcv": "88"}
    return [report(case, today(case), values)]


def hemoglobin_critical_preliminary_then_final(case: Case) -> list[Sending]:
    sample = today(case)
    values = {"hemoglobin": _number(case, 55, 64)}
    return [report(case, sample, values, status="preliminary"), _again(case, sample, values, "final")]


def hemoglobin_critical_until_final(case: Case) -> list[Sending]:
    sample = today(case)
    first = report(case, sample, {"hemoglobin": "58"}, status="preliminary")
    right = {"hemoglobin": "142"}
    return [first, _again(case, sample, right, "final")]


def b12_low(case: Case) -> list[Sending]:
    values = {
        "b12": _number(case, 95, 168),
        "ferritin": _number(case, 110, 190),
        "hemoglobin": "145",
        "mcv": "96",
    }
    return [report(case, today(case), values)]


def b12_below_what_is_measured(case: Case) -> list[Sending]:
    return [report(case, today(case), {"b12": "<150", "ferritin": "140", "hemoglobin": "141"})]


def b12_low_then_treated(case: Case) -> list[Sending]:
    start = news(
        case, "treatment", case.ago(0.02), records={"medications": [on.b12_injection(case.ago(0.02))]}
    )
    return [*b12_low(case), start]


def b12_low_on_treatment(case: Case) -> list[Sending]:
    drugs = [on.b12_tablets(_day(case, 30)), on.metformin(_day(case, 700))]
    return [
        report(
            case,
            today(case),
            {"b12": "160", "ferritin": "130", "hemoglobin": "144"},
            records={"medications": drugs},
        )
    ]


def ferritin_equivocal(case: Case) -> list[Sending]:
    return [report(case, today(case), {"ferritin": _number(case, 52, 88), "hemoglobin": "112", "b12": "430"})]


def iron_low_not_anemic(case: Case) -> list[Sending]:
    return [report(case, today(case), _iron_low(case, anemic=False) | {"b12": _number(case, 380, 520)})]


def iron_low_until_ferritin_is_cancelled(case: Case) -> list[Sending]:
    sample = today(case)
    first = report(case, sample, {"ferritin": "11", "hemoglobin": "141"})
    return [first, _again(case, sample, {"ferritin": "11"}, "cancelled")]


def iron_low_in_a_child(case: Case) -> list[Sending]:
    return [report(case, today(case), {"ferritin": _number(case, 4, 9), "hemoglobin": "126", "mcv": "80"})]


def iron_low_in_pregnancy(case: Case) -> list[Sending]:
    sending = report(case, today(case), {"ferritin": "18", "hemoglobin": "109", "b12": "400"})
    sending.event["data"]["patient"] |= {"pregnant": True, "gestational_weeks": 20}
    return [sending]


def _again(case: Case, sample: Specimen, amounts: dict[str, str], status: str) -> Sending:
    """The same results once more, with another status, after what came first was judged."""
    delay = case.ago(0.015) - sample.taken_at
    return report(case, sample, amounts, status=status, message="2", wave=Wave.AFTERNOON, delay=delay)


_ADULT, _OLDER, _CHILD = (24, 47), (55, 82), (2, 13)

PATTERNS = (
    # High B12 with iron deficiency: unexplained, explained, or a matter of waiting.
    Pattern(high_b12_unexplained, "female", _ADULT, (1, 4)),
    Pattern(high_b12_above_what_is_measured, "male", _OLDER, (1, 2)),
    Pattern(high_b12_weeks_before_ferritin, "female", _OLDER, (1, 3)),
    Pattern(high_b12_on_supplement, "female", _ADULT, (1, 4)),
    Pattern(high_b12_supplement_found_later, "female", _ADULT, (1, 2)),
    Pattern(high_b12_in_cirrhosis, "male", _OLDER, (1, 1)),
    Pattern(high_b12_in_acute_inflammation, "female", _OLDER, (1, 1)),
    Pattern(pernicious_anemia_on_injections, "female", _OLDER, (1, 1)),
    # Both deficiencies.
    Pattern(both_low, "female", _OLDER, (1, 4)),
    Pattern(both_low_not_anemic, "male", _ADULT, (0, 2)),
    Pattern(both_low_after_gastric_bypass, "female", _ADULT, (1, 3)),
    Pattern(both_low_until_b12_is_corrected, "female", _OLDER, (1, 2)),
    # Iron deficiency anemia and the search for its cause.
    Pattern(iron_deficiency_anemia, "male", _OLDER, (1, 5)),
    Pattern(iron_deficiency_anemia, "female", _ADULT, (0, 3)),
    Pattern(iron_deficiency_anemia_evaluated, "male", _OLDER, (1, 2)),
    Pattern(iron_deficiency_anemia_then_referred, "male", _OLDER, (1, 2)),
    Pattern(iron_deficiency_anemia_of_another_patient, "female", _OLDER, (1, 1)),
    # Critical hemoglobin.
    Pattern(hemoglobin_critical, "male", _OLDER, (1, 3)),
    Pattern(hemoglobin_critical_preliminary_then_final, "female", _OLDER, (1, 1)),
    Pattern(hemoglobin_critical_until_final, "male", _OLDER, (1, 1)),
    # Low B12 alone.
    Pattern(b12_low, "male", _OLDER, (1, 4)),
    Pattern(b12_below_what_is_measured, "female", _OLDER, (0, 2)),
    Pattern(b12_low_then_treated, "male", _OLDER, (1, 2)),
    Pattern(b12_low_on_treatment, "female", _OLDER, (1, 1)),
    # Ferritin that does not decide, and iron deficiency without anemia.
    Pattern(ferritin_equivocal, "female", _OLDER, (1, 4)),
    Pattern(iron_low_not_anemic, "female", _ADULT, (1, 4)),
    Pattern(iron_low_not_anemic, "male", _OLDER, (0, 2)),
    Pattern(iron_low_until_ferritin_is_cancelled, "female", _ADULT, (1, 1)),
    Pattern(iron_low_in_a_child, "female", _CHILD, (1, 3)),
    Pattern(iron_low_in_pregnancy, "female", _ADULT, (1, 1)),
)
