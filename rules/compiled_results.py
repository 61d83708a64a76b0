"""Which results a leaf looks at, and one result against one test, as functions made once for each rule."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rules import nodes
from rules.compiled import FALSE, TRUE, UNKNOWN, Cells
from rules.facts import Comparator, Result
from rules.measuring import compare
from rules.selecting import look_back, pick
from rules.truth import Truth

Picked = Callable[[Cells], Sequence[Result]]
Passes = Callable[[Cells, Result], Truth]

ORDER: Mapping[nodes.Op, Callable[[Any, Any], bool]] = {
    nodes.Op.LT: operator.lt,
    nodes.Op.LE: operator.le,
    nodes.Op.GE: operator.ge,
    nodes.Op.GT: operator.gt,
}


# ── which results ────────────────────────────────────────────────────────────────────────────────────


def picked_by(selection: nodes.Selection) -> Picked:
    """The results the selection means; of an analyte that was never measured there are none."""
    if selection.which is nodes.Which.LATEST and not selection.window.anchors:
        return _newest(selection)
    analyte, preliminary = selection.analyte, selection.preliminary

    def picked(cells: Cells) -> Sequence[Result]:
        return pick(cells.view, selection) if cells.view.results(analyte, preliminary=preliminary) else ()

    return picked


def _newest(selection: nodes.Selection) -> Picked:
    """The newest result in the window and those of the same time."""
    analyte, preliminary = selection.analyte, selection.preliminary
    reach = look_back(selection.window, analyte)

    def newest(cells: Cells) -> Sequence[Result]:
        view = cells.view
        results = view.results(analyte, preliminary=preliminary)
        if not results:
            return ()
        at = results[0].effective_at
        if at is None or (reach is not None and view.as_of - at > reach + view.slack):
            return ()
        if len(results) == 1 or results[1].effective_at != at:
            return (results[0],)
        return tuple(result for result in results if result.effective_at == at)

    return newest


# ── one result against one test ──────────────────────────────────────────────────────────────────────


def passing(test: nodes.Test) -> Passes:
    """Whether one result passes; the tests that are rare are the reference evaluator's."""
    match test:
        case nodes.Compare():
            return _compare(test)
        case nodes.Between(lows=lows, highs=highs, low_open=low_open, high_open=high_open):
            above = _compare(nodes.Compare(nodes.Op.GT if low_open else nodes.Op.GE, lows))
            below = _compare(nodes.Compare(nodes.Op.LT if high_open else nodes.Op.LE, highs))
            return _both(above, below)
        case nodes.BeyondRange():
            return _beyond_range(test)
        case nodes.Is(coded=coded):
            return lambda _, result: Truth.of(None if result.coded is None else result.coded is coded)
        case _:
            return lambda cells, result: cells.reference.tested(result, test)


def _compare(test: nodes.Compare) -> Passes:
    """A number printed without a sign stands on one side of the limit or on the other."""
    limits, holds = {limit.dimension: limit.base for limit in reversed(test.limits)}, ORDER[test.op]

    def passes(_: Cells, result: Result) -> Truth:
        quantity = result.quantity
        if quantity is not None and quantity.comparator is Comparator.EQ:
            limit = limits.get(quantity.dimension)
            if limit is not None:
                return TRUE if holds(quantity.base, limit) else FALSE
        return compare(result, test)

    return passes


def _beyond_range(test: nodes.BeyondRange) -> Passes:
    """Value and limit were printed in one unit: they compare as printed, unless the value has a sign."""
    holds = operator.gt if test.above else operator.lt

    def beyond(cells: Cells, result: Result) -> Truth:
        quantity, own = result.quantity, result.range_high if test.above else result.range_low
        if quantity is None or own is None or quantity.comparator is not Comparator.EQ:
            return cells.reference.tested(result, test)
        return TRUE if holds(quantity.value, own) else FALSE

    return beyond if test.also is None else _both(beyond, _compare(test.also))


def _both(one: Passes, other: Passes) -> Passes:
    def passes(cells: Cells, result: Result) -> Truth:
        first = one(cells, result)
        if first is FALSE:
            return FALSE
        second = other(cells, result)
        return UNKNOWN if first is UNKNOWN and second is TRUE else second

    return passes
