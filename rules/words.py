"""A condition in words that a pathologist reads without knowing the language: "newest ferritin below 30".

Says what the nodes say, nothing more; used by the catalogue, by `rules show` and by `rules diff`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from rules import nodes
from rules.analytes import CATALOGUE
from rules.concepts import CONCEPTS
from rules.facts import RecordKind
from rules.selecting import look_back

_OPS = {nodes.Op.LT: "below", nodes.Op.LE: "at most", nodes.Op.GE: "at least", nodes.Op.GT: "above"}
_WHICH = {
    nodes.Which.LATEST: "newest ",
    nodes.Which.PREVIOUS: "the one before the newest ",
    nodes.Which.ANY: "any ",
    nodes.Which.ALL: "every ",
    nodes.Which.FIRST: "first ",
    nodes.Which.HIGHEST: "highest ",
    nodes.Which.LOWEST: "lowest ",
}
_RECORDS = {
    RecordKind.MEDICATION: "taken",
    RecordKind.CONDITION: "on the problem list",
    RecordKind.PROCEDURE: "done",
    RecordKind.ORDER: "ordered",
}


def leaf_words(leaf: nodes.Leaf) -> str:
    """One leaf as a phrase."""
    return _LEAVES[type(leaf)](leaf)


def analyte_words(name: str) -> str:
    """An analyte as people call it; a named selection by its name."""
    return CATALOGUE[name].display if name in CATALOGUE else name.replace("_", " ")


def concept_words(name: str) -> str:
    """A concept as people call it."""
    return CONCEPTS[name].display if name in CONCEPTS else name.replace("_", " ")


def duration_words(duration: timedelta) -> str:
    """Whole days, weeks of nothing: `90 days`, `48 hours`."""
    hours = duration // timedelta(hours=1)
    if hours % 24:
        return f"{hours} hours"
    return f"{hours // 24} day" + ("" if hours == 24 else "s")


def limits_words(limits: Sequence[nodes.Limit]) -> str:
    """`180 pg/mL or 133 pmol/L (by the unit reported)`."""
    said = " or ".join(f"{x.value:f} {x.unit}" for x in limits)
    return f"{said} (by the unit reported)" if len(limits) > 1 else said


def window_words(window: nodes.Window, analyte: str | None = None) -> str:
    """When: the look-back, said even where the rule leaves it to the catalogue, and the anchors."""
    parts = []
    reach = look_back(window, analyte) if analyte in CATALOGUE and analyte else window.within
    if reach is not None:
        parts.append(f"in the last {duration_words(reach)}")
    elif window.ever:
        parts.append("at any time")
    parts += [_anchor_words(a) for a in window.anchors]
    return ", ".join(parts)


def _anchor_words(anchor: nodes.Anchor) -> str:
    point, span = point_words(anchor.point), anchor.span
    zero = timedelta(0)
    if span.low == span.high == zero:
        return f"of the same specimen time as {point}"
    if anchor.nearest and span.high is not None:
        return f"nearest to {point}, at most {duration_words(span.high)} away"
    if span.low is None:
        return f"not after {point}"
    if span.high is None:
        return (
            f"not before {point}"
            if span.low == zero
            else f"at most {duration_words(-span.low)} before {point}"
        )
    if span.low < zero < span.high:
        return f"from {duration_words(-span.low)} before to {duration_words(span.high)} after {point}"
    near, far, side = (
        (-span.high, -span.low, "before") if span.high <= zero else (span.low, span.high, "after")
    )
    return f"{duration_words(near)} to {duration_words(far)} {side} {point}"


def point_words(point: nodes.Selection | nodes.RecordPoint) -> str:
    """What an anchor points at."""
    match point:
        case nodes.RecordPoint(kind=RecordKind.MEDICATION, edge=nodes.Edge.START):
            return f"the start of {concept_words(point.concept)}"
        case nodes.RecordPoint():
            return f"the newest {concept_words(point.concept)}"
        case nodes.Selection(which=nodes.Which.LATEST, window=nodes.Window(within=None, anchors=())):
            return f"the {analyte_words(point.analyte)}"
        case _:
            return selection_words(point)


def selection_words(selection: nodes.Selection) -> str:
    """`newest Ferritin in the last 90 days`."""
    also = " (also preliminary)" if selection.preliminary else ""
    when = window_words(selection.window, selection.analyte)
    return f"{_WHICH[selection.which]}{analyte_words(selection.analyte)}{also}" + (f" {when}" if when else "")


def test_words(test: nodes.Test) -> str:
    """What is asked of the value."""
    match test:
        case nodes.Compare():
            return f"{_OPS[test.op]} {limits_words(test.limits)}"
        case nodes.Between():
            return _between_words(test)
        case nodes.CensoredWithin():
            return f"reported only as below a bound of {_between_words(test.between)}"
        case nodes.BeyondRange():
            return _range_words(test)
        case nodes.TimesUpperLimit():
            fallback = f" ({limits_words(test.fallback)} where none was sent)" if test.fallback else ""
            return f"{_OPS[test.op]} {test.factor} times the laboratory's upper limit{fallback}"
        case nodes.Is():
            return str(test.coded)
        case nodes.BeyondTable():
            return f"{_OPS[test.op]} the limit of the table '{test.table.replace('_', ' ')}'"
        case nodes.Noted():  # pragma: no branch
            return f"with a remark: {concept_words(test.concept)}"


def _between_words(test: nodes.Between) -> str:
    pairs = zip(test.lows, test.highs, strict=True)
    low, high = ("over " if test.low_open else ""), ("under " if test.high_open else "")
    return " or ".join(f"{low}{a.value:f} to {high}{b.value:f} {b.unit}" for a, b in pairs)


def _range_words(test: nodes.BeyondRange) -> str:
    side = "above" if test.above else "below"
    words = f"{side} the laboratory's own limit"
    if test.otherwise is not None:
        words += f", or where none was sent {test_words(test.otherwise)}"
    if test.also is not None:
        words = f"{test_words(test.also)}, and {words} where one was sent"
    return words


def _measured(leaf: nodes.Measured) -> str:
    head = f"{_WHICH[leaf.selection.which]}{analyte_words(leaf.selection.analyte)}"
    also = " (also preliminary)" if leaf.selection.preliminary else ""
    when = window_words(leaf.selection.window, leaf.selection.analyte)
    return f"{head}{also} {test_words(leaf.test)}" + (f", {when}" if when else "")


def _counted(leaf: nodes.Counted) -> str:
    spacing = leaf.spacing
    apart = ""
    if spacing.low is not None and spacing.high is not None:
        apart = f", {duration_words(spacing.low)} to {duration_words(spacing.high)} apart"
    when = window_words(leaf.selection.window, leaf.selection.analyte)
    return (
        f"{leaf.n} results of {analyte_words(leaf.selection.analyte)} {test_words(leaf.test)}{apart}, {when}"
    )


def _preceded(leaf: nodes.Preceded) -> str:
    selection = selection_words(leaf.selection)
    return f"{selection} {test_words(leaf.test)}, and an earlier one {test_words(leaf.earlier)}"


def _difference(leaf: nodes.Difference) -> str:
    first, second = selection_words(leaf.minuend), selection_words(leaf.subtrahend)
    return f"{first} minus {second} is {_OPS[leaf.op]} {limits_words(leaf.limits)}"


def _known(leaf: nodes.Known) -> str:
    return (
        f"a usable result: {selection_words(leaf.selection)}"
        if leaf.present
        else f"no {selection_words(leaf.selection)}"
    )


def _on_record(leaf: nodes.OnRecord) -> str:
    how = {"oral": " by mouth", "injection": " by injection", None: ""}[leaf.route]
    state = " and open" if leaf.open_only else ""
    when = window_words(leaf.window)
    return f"{concept_words(leaf.concept)} {_RECORDS[leaf.kind]}{how}{state}" + (f", {when}" if when else "")


def _ordered(leaf: nodes.Ordered) -> str:
    return f"{analyte_words(leaf.analyte)} on order (30 days) or pending (14 days)"


def _age(leaf: nodes.Age) -> str:
    return f"age {_OPS[leaf.op]} {leaf.years} years"


def _gestation(leaf: nodes.Gestation) -> str:
    return f"pregnant, {_OPS[leaf.op]} {leaf.weeks} weeks"


def _unsettled(leaf: nodes.Unsettled) -> str:
    until = " and ".join(analyte_words(a) for a in leaf.until)
    return f"not settled while '{leaf.definition.replace('_', ' ')}' holds, until {until} is known again"


_LEAVES: Mapping[type, Callable[[Any], str]] = {
    nodes.Measured: _measured,
    nodes.Counted: _counted,
    nodes.Preceded: _preceded,
    nodes.Difference: _difference,
    nodes.Known: _known,
    nodes.OnRecord: _on_record,
    nodes.Ordered: _ordered,
    nodes.Age: _age,
    nodes.SexIs: lambda leaf: str(leaf.sex),
    nodes.Pregnant: lambda _leaf: "pregnant",
    nodes.Gestation: _gestation,
    nodes.Unsettled: _unsettled,
    nodes.Ref: lambda leaf: leaf.name.replace("_", " "),
}
