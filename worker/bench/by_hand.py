"""One rule written by hand in plain Python, with the evidence the library gives: the yardstick of `rules`.

It is `b12-high-iron-deficient-unexplained` for an adult who is not pregnant, as one in a hurry writes it:
no explanation, no unknown, no second opinion on units. It is used for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from rules.facts import Coded, Comparator, History, Record, RecordKind, Result, Sex, Status
from rules.findings import ResultEvidence

_JUDGED = {Status.FINAL, Status.AMENDED, Status.CORRECTED, Status.APPENDED}
_RANK = {Status.FINAL: 2, Status.AMENDED: 3, Status.CORRECTED: 3, Status.APPENDED: 3, Status.CANCELLED: 4}
_B12_LIMIT = {"mass": Decimal("950e-9"), "molar": Decimal("701e-12")}
_FERRITIN_PER_MOL = Decimal("445000")
_HEMOGLOBIN_PER_MOL = Decimal("16114.5")
_UPPER = {Comparator.LT, Comparator.LE}
_LOWER = {Comparator.GT, Comparator.GE}
_B12_PRODUCTS = ("A11", "B03AE", "B03BA")
_B12_IS_TREATMENT = ("D51", "Z9884", "Z903", "K911", "K912", "K294", "K50", "E538", "G320", "K9082", "K95")
_EXPLAINS_HIGH_B12 = (
    "K70",
    "K71",
    "K72",
    "K73",
    "K74",
    "K75",
    "B18",
    "C22",
    "N17",
    "N184",
    "N185",
    "N186",
    "D45",
)


def unexplained_high_b12(history: History, as_of: datetime) -> tuple[ResultEvidence, ...] | None:
    """The results the pattern rests on; None where there is no such pattern."""
    newest = _newest(history.results, as_of)
    b12, ferritin = _within(newest, "b12", as_of, 90), _within(newest, "ferritin", as_of, 90)
    if b12 is None or ferritin is None or not _is_high(b12):
        return None
    if not _iron_deficient(history, newest, ferritin, as_of) or _is_explained(history, newest, as_of):
        return None
    return tuple(_evidence(result) for result in (b12, ferritin))


def _newest(results: Iterable[Result], as_of: datetime) -> dict[str, Result]:
    """The newest usable result of each analyte."""
    current: dict[str, Result] = {}
    for result in results:
        known = current.get(result.key)
        if result.known_at <= as_of and (known is None or _version(result) > _version(known)):
            current[result.key] = result
    newest: dict[str, Result] = {}
    for result in current.values():
        if (
            result.problem
            or result.status not in _JUDGED
            or result.analyte is None
            or not result.effective_at
        ):
            continue
        other = newest.get(result.analyte)
        later = other is None or other.effective_at is None or result.effective_at > other.effective_at
        if result.effective_at <= as_of and later:
            newest[result.analyte] = result
    return newest


def _version(result: Result) -> tuple[int, int]:
    return _RANK.get(result.status, 0), result.arrival


def _within(newest: dict[str, Result], analyte: str, as_of: datetime, days: int) -> Result | None:
    result = newest.get(analyte)
    if result is None or result.effective_at is None or as_of - result.effective_at > timedelta(days=days):
        return None
    return result


def _is_high(b12: Result) -> bool:
    quantity = b12.quantity
    if quantity is None or quantity.comparator in _UPPER:
        return False
    if b12.range_high is not None:
        above = quantity.value - b12.range_high
    else:
        above = quantity.base - _B12_LIMIT[quantity.dimension]
    return above >= 0 if quantity.comparator is Comparator.GT else above > 0


def _iron_deficient(history: History, newest: dict[str, Result], ferritin: Result, as_of: datetime) -> bool:
    grams = _grams(ferritin, _FERRITIN_PER_MOL)
    if grams is None:
        return False
    micrograms = grams * 1_000_000
    if micrograms < 30:
        return True
    anemic = _is_anemic(history, _within(newest, "hemoglobin", as_of, 90))
    tsat = _within(newest, "tsat", as_of, 90)
    low_tsat = tsat is not None and tsat.quantity is not None and tsat.quantity.base < Decimal("0.20")
    return (anemic and micrograms < 45) or (low_tsat and micrograms < 100)


def _is_anemic(history: History, hemoglobin: Result | None) -> bool:
    grams = _grams(hemoglobin, _HEMOGLOBIN_PER_MOL) if hemoglobin else None
    return grams is not None and grams < (130 if history.patient.sex is Sex.MALE else 120)


def _grams(result: Result, per_mol: Decimal) -> Decimal | None:
    quantity = result.quantity
    if quantity is None or quantity.comparator in _LOWER:
        return None
    return quantity.base * per_mol if quantity.dimension == "molar" else quantity.base


def _is_explained(history: History, newest: dict[str, Result], as_of: datetime) -> bool:
    antibody = newest.get("intrinsic_factor_ab")
    if antibody is not None and antibody.coded is Coded.POSITIVE:
        return True
    egfr = _within(newest, "egfr", as_of, 365)
    if egfr and egfr.quantity and egfr.quantity.comparator not in _LOWER and egfr.quantity.value < 30:
        return True
    alt = _within(newest, "alt", as_of, 30)
    if alt and alt.quantity and alt.quantity.value > 3 * (alt.range_high or 40):
        return True
    return any(_explains(record, as_of) for record in history.records)


def _explains(record: Record, as_of: datetime) -> bool:
    code = record.code.replace(".", "")
    if record.kind is RecordKind.MEDICATION:
        last = record.end or as_of
        return code.startswith(_B12_PRODUCTS) and as_of - last <= timedelta(days=90)
    return record.kind is RecordKind.CONDITION and code.startswith(_B12_IS_TREATMENT + _EXPLAINS_HIGH_B12)


def _evidence(result: Result) -> ResultEvidence:
    assert result.quantity is not None
    assert result.effective_at is not None
    quantity = result.quantity
    return ResultEvidence(
        key=result.key,
        analyte=result.analyte or "",
        value=str(quantity.value),
        comparator=quantity.comparator,
        unit=quantity.unit,
        effective_at=result.effective_at,
        result_id=result.id,
        source=result.source,
    )
