"""Numbers and dates as a clinician reads them, and the filling of a rule's text with the patient's values."""

from __future__ import annotations

import re
from datetime import datetime

from rules.facts import Comparator, Result
from rules.history import View

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def printed_result(result: Result) -> tuple[str, str, str]:
    """Comparator, value and unit as reported; a worded answer has "=" and no unit."""
    if result.quantity is None:
        return "=", (result.coded or result.reported_value), ""
    quantity = result.quantity
    computed = result.key.startswith("derived:")
    value = result.reported_value if computed else f"{quantity.value:f}"
    return quantity.comparator, value, result.reported_unit or quantity.unit


def sentence(result: Result) -> str:
    """The result as text: `1450 pg/mL (2026-03-01)`, its sign kept."""
    comparator, value, unit = printed_result(result)
    sign = "" if comparator == Comparator.EQ else comparator
    return f"{sign}{value} {unit}".strip() + (f" ({day(result.effective_at)})" if result.effective_at else "")


def day(moment: datetime) -> str:
    """The day of a moment, ISO."""
    return moment.date().isoformat()


def filled(text: str, view: View) -> str:
    """The text with `{analyte}` replaced by the newest usable result, or "not measured"."""

    def value(match: re.Match[str]) -> str:
        results = view.results(match[1], preliminary=True)
        return sentence(results[0]) if results else "not measured"

    return _PLACEHOLDER.sub(value, text) if "{" in text else text


def placeholders(text: str) -> set[str]:
    """The analytes that a text names in braces."""
    return set(_PLACEHOLDER.findall(text))
