"""CQL's own spelling of text, names, numbers and spans of time, and how to say that something has none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

from rules.analytes import CATALOGUE
from rules.nodes import Limit
from rules.wording import placeholders

_HOUR = timedelta(hours=1)
_STEP = Decimal("0.00000001")  # CQL decimals have eight places
_PYTHON_ONLY = re.compile(r"\(\?[P<aiLmsux#(]|\\[AZNgG]")


class NotExportable(Exception):
    """What cannot be said in the format asked for, and why: one line for a person."""


def quoted(text: str) -> str:
    """A CQL string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A CQL name of any characters."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def worded(text: str) -> str:
    """A rule's words without a patient: `{ferritin}` reads [Ferritin]."""
    for name in placeholders(text):
        text = text.replace(f"{{{name}}}", f"[{CATALOGUE[name].display if name in CATALOGUE else name}]")
    return text


def listed(items: Iterable[str], of: str = "") -> str:
    """A CQL list; `of` names the type that an empty one has."""
    inside = ", ".join(items)
    return f"{{ {inside} }}" if inside else f"List<{of}> {{}}"


def decimal(value: Decimal) -> str:
    """A CQL decimal, rounded to the eight places it can have."""
    plain = f"{value.quantize(_STEP).normalize():f}"
    return plain if "." in plain else f"{plain}.0"


def limits(numbers: Sequence[Limit], times: Decimal = Decimal(1)) -> str:
    """The printed numbers as CQL quantities."""
    return listed((f"{x.value * times:f} {quoted(x.unit)}" for x in numbers), "System.Quantity")


def hours(span: timedelta) -> str:
    """A span as whole hours, which no calendar bends.

    Raises:
        NotExportable: the span is no whole number of hours.
    """
    if span % _HOUR:
        raise NotExportable(f"the span {span} is no whole number of hours")
    return f"{span // _HOUR} hours"


def shifted(moment: str, by: timedelta) -> str:
    """`moment` later by a span, which may be negative."""
    if by == timedelta(0):
        return moment
    return f"{moment} {'+' if by > timedelta(0) else '-'} {hours(abs(by))}"


def found(text: str, pattern: re.Pattern[str]) -> str:
    """Whether lower-case `text` has the pattern in it, read without regard to case.

    Raises:
        NotExportable: the pattern uses what only Python's expressions have.
    """
    if _PYTHON_ONLY.search(pattern.pattern):
        raise NotExportable(f"the pattern {pattern.pattern!r} is one of Python's own")
    lowered = re.sub(r"\\.|[A-Z]", lambda m: m[0] if m[0].startswith("\\") else m[0].lower(), pattern.pattern)
    anywhere = r"[\s\S]*"
    return f"Matches({text}, {quoted(f'{anywhere}(?:{lowered}){anywhere}')})"
