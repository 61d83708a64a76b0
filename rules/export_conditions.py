"""Conditions as CQL expressions: one function for each node, saying in CQL what `rules.evaluate` says of it.

CQL's null is our unknown, and its `and` and `or` are ours. Every leaf becomes a definition named by its own
text, so that a rule reads in CQL as it reads in its file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rules import nodes
from rules.building import selections_of
from rules.export_text import NotExportable, decimal, identifier, limits, listed, quoted, shifted
from rules.facts import RecordKind
from rules.limits import Row, Table
from rules.measuring import to_canonical
from rules.selecting import look_back
from rules.words import selection_words

AS_OF = "Common.AsOf"
_WHICH = {
    nodes.Which.LATEST: "Latest",
    nodes.Which.PREVIOUS: "Previous",
    nodes.Which.FIRST: "Oldest",
    nodes.Which.HIGHEST: "Highest",
    nodes.Which.LOWEST: "Lowest",
}
_MOMENTS = {nodes.Which.HIGHEST: "MomentOfHighest", nodes.Which.LOWEST: "MomentOfLowest"}
_ZERO = timedelta(0)


def condition(node: nodes.Condition, definitions: str = "") -> str:
    """A condition over its named leaves; `definitions` says which library has the definitions."""
    match node:
        case nodes.All(parts=parts):
            return _joined(" and ", parts, definitions)
        case nodes.Any(parts=parts):
            return _joined(" or ", parts, definitions)
        case nodes.NoneOf(parts=parts):
            return f"({_joined(' or ', parts, definitions)} is not true)"
        case nodes.AtLeast(n=n, parts=parts):
            return f"Common.AtLeast({n}, {listed(condition(p, definitions) for p in parts)})"
        case nodes.Ref(name=name):
            return definitions + identifier(name)
        case _:
            return identifier(node.text)


def _joined(word: str, parts: tuple[nodes.Condition, ...], definitions: str) -> str:
    said = word.join(condition(p, definitions) for p in parts)
    return f"({said})" if len(parts) > 1 else said


def leaf(node: nodes.Leaf, definitions: str = "") -> str:
    """A leaf as an expression.

    Raises:
        NotExportable: it cannot be said in CQL.
    """
    return _LEAVES[type(node)](node, definitions)


# ── results ──────────────────────────────────────────────────────────────────────────────────────────


def lists_of(node: nodes.Leaf) -> Iterator[nodes.Selection]:
    """The lists of results a leaf rests on, those its windows are anchored to first."""
    tops = selections_of(node)
    if isinstance(node, nodes.Counted | nodes.Preceded):
        tops = (replace(s, which=nodes.Which.ANY) if s == node.selection else s for s in tops)
    yield from reversed(list(tops))


def named(selection: nodes.Selection) -> str:
    """The name of the list that a selection means: its words."""
    return identifier(selection_words(selection))


def results_list(selection: nodes.Selection) -> str:
    """The results that a selection means, as a definition."""
    state = " also preliminary" if selection.preliminary else ""
    results = f"Facts.{identifier(selection.analyte + state)}"
    reach = look_back(selection.window, selection.analyte)
    if reach is not None:
        results = f"({results} R where R.at >= {shifted(AS_OF, -reach)})"
    for anchor in selection.window.anchors:
        origin = moment(anchor.point)
        results = f"({results} R let origin: {origin} where {_apart(anchor.span, 'R.at', 'origin')})"
        if anchor.nearest:
            results = f"(Common.Nearest({results}, {origin}))"
    function = _WHICH.get(selection.which)
    said = results if function is None else f"Common.{function}({results})"
    return f"define {named(selection)}:\n  {said}\n"


def moment(point: nodes.Selection | nodes.RecordPoint) -> str:
    """When the thing pointed at was; null when there is no such thing."""
    if isinstance(point, nodes.Selection):
        return f"Common.{_MOMENTS.get(point.which, 'Moment')}({named(point)})"
    course = point.kind is RecordKind.MEDICATION and point.edge is nodes.Edge.START
    return f"Common.{'CourseStart' if course else 'LastMoment'}(Facts.{identifier(point.concept)})"


def _apart(span: nodes.Span, at: str, point: str) -> str:
    """Whether `at` lies in the span from `point`."""
    said = [f"{point} is not null"]
    if span.low is not None:
        said.append(f"{at} {'>' if span.low_open else '>='} {shifted(point, span.low)}")
    if span.high is not None:
        said.append(f"{at} {'<' if span.high_open else '<='} {shifted(point, span.high)}")
    return " and ".join(said)


def _measured(node: nodes.Measured, _definitions: str) -> str:
    combined = "EachOf" if node.selection.which is nodes.Which.ALL else "AnyOf"
    test = tested(node.test, "R", node.selection.analyte, _definitions)
    return f"Common.{combined}({named(node.selection)} R\n    return all {test})"


def _any(selection: nodes.Selection) -> str:
    return named(replace(selection, which=nodes.Which.ANY))


def _counted(node: nodes.Counted, definitions: str) -> str:
    results = _any(node.selection)
    test = tested(node.test, "R", node.selection.analyte, definitions)
    sure = _spaced(f"({results} R where ({test}) is true return R.at)", node)
    unsure = _spaced(f"({results} R where ({test}) is not false return R.at)", node)
    return (
        f"if {sure} then true\n  else if not exists({results}) or {unsure} then null as Boolean\n  else false"
    )


def _spaced(times: str, node: nodes.Counted) -> str:
    """Whether some n of the times lie so far apart, first to last."""
    pair = f"from {times} L, {times} E"
    between = f"Count({times} T where T >= E and T <= L) >= {node.n}"
    return f"exists({pair} where E < L and {_apart(node.spacing, 'L', 'E')} and {between} return all L)"


def _preceded(node: nodes.Preceded, definitions: str) -> str:
    analyte = node.selection.analyte
    late = f"({_any(node.selection)} R where ({tested(node.test, 'R', analyte, definitions)}) is true)"
    early = (
        f"(Facts.{identifier(analyte)} E where ({tested(node.earlier, 'E', analyte, definitions)}) is true)"
    )
    return (
        f"if not exists(Facts.{identifier(analyte)}) then null as Boolean\n"
        f"  else exists({late} L\n    where exists({early} X where X.at < L.at))"
    )


def _difference(node: nodes.Difference, _definitions: str) -> str:
    limit = node.limits[0]
    bound = to_canonical(node.minuend.analyte, limit.dimension, limit.base)
    if bound is None:
        raise NotExportable(f"no factor from {limit.unit} to the unit of {node.minuend.analyte}")
    pairs = f"from {named(node.minuend)} A, {named(node.subtrahend)} B"
    return f"Common.AnyOf({pairs}\n    return all Common.Differs(A, B, {quoted(node.op)}, {decimal(bound)}))"


def _known(node: nodes.Known, _definitions: str) -> str:
    return f"{'' if node.present else 'not '}exists({named(node.selection)})"


# ── one result against one test ──────────────────────────────────────────────────────────────────────


def tested(test: nodes.Test, result: str, analyte: str, definitions: str) -> str:
    """Whether one result, named `result`, passes a test."""
    match test:
        case nodes.Compare():
            return _compared(result, test.op, limits(test.limits), analyte)
        case nodes.Between():
            return _between("Compared", test, result, analyte)
        case nodes.CensoredWithin():
            within = _between("BoundStands", test.between, result, analyte)
            return (
                f"(if {result}.sign is null then null as Boolean else if {result}.sign in {{ '<', '<=' }} "
                f"then {within} else false)"
            )
        case nodes.BeyondRange():
            return _beyond_range(test, result, analyte)
        case nodes.TimesUpperLimit():
            fallback = _compared(result, test.op, limits(test.fallback, test.factor), analyte)
            return (
                f"Common.TimesUpper({result}, {quoted(test.op)}, {decimal(Decimal(test.factor))}, {fallback})"
            )
        case nodes.Is():
            return f"{result}.answer = {quoted(test.coded)}"
        case nodes.BeyondTable():
            table = f"{definitions}{identifier(f'limit of {test.table}')}({result}.at)"
            return _compared(result, test.op, table, analyte)
        case nodes.Noted():  # pragma: no branch
            return f"exists({result}.notes N where Facts.{identifier(f'says {test.concept}')}(N))"


def _compared(result: str, op: nodes.Op, numbers: str, analyte: str, function: str = "Compared") -> str:
    crossings = f"Facts.{identifier(f'crossings of {analyte}')}"
    return f"Common.{function}({result}, {quoted(op)}, {numbers}, {crossings})"


def _between(function: str, test: nodes.Between, result: str, analyte: str) -> str:
    """In the range; for a bound (`BoundStands`) the upper end always counts."""
    low = nodes.Op.GT if test.low_open else nodes.Op.GE
    high = nodes.Op.LT if test.high_open and function == "Compared" else nodes.Op.LE
    return (
        f"({_compared(result, low, limits(test.lows), analyte, function)}"
        f" and {_compared(result, high, limits(test.highs), analyte, function)})"
    )


def _beyond_range(test: nodes.BeyondRange, result: str, analyte: str) -> str:
    otherwise = "null as Boolean" if test.also is None else "true"
    if test.otherwise is not None:
        otherwise = _compared(result, test.otherwise.op, limits(test.otherwise.limits), analyte)
    beyond = f"Common.{'AboveRange' if test.above else 'BelowRange'}({result}, {otherwise})"
    if test.also is None:
        return beyond
    return f"({beyond} and {_compared(result, test.also.op, limits(test.also.limits), analyte)})"


# ── records ──────────────────────────────────────────────────────────────────────────────────────────


def _on_record(node: nodes.OnRecord, _definitions: str) -> str:
    records = f"Facts.{identifier(node.concept)}"
    said = []
    if node.route is not None:
        said.append(f'{"" if node.route == "injection" else "not "}Facts."by injection"(R)')
    if node.open_only:
        said.append("Common.IsOpen(R)")
    if node.window.within is not None:
        said.append(f"Common.LastTaken(R, {AS_OF}) >= {shifted(AS_OF, -node.window.within)}")
    lets = []
    for number, anchor in enumerate(node.window.anchors):
        point = f"origin{number}"
        lets.append(f"{point}: {moment(anchor.point)}")
        looks_back = anchor.span.high is not None and anchor.span.high <= _ZERO
        last = f"Common.LastTaken(R, {point if looks_back else AS_OF})"
        said.append(f"{last} is not null and {_apart(anchor.span, last, point)}")
    if not said:
        return f"exists({records})"
    let = f" let {', '.join(lets)}" if lets else ""
    return f"exists({records} R{let}\n    where {' and '.join(said)})"


# ── the patient ──────────────────────────────────────────────────────────────────────────────────────


def _gestation(node: nodes.Gestation, _definitions: str) -> str:
    state = f"Facts.Gravidity({AS_OF})"
    return f"if not {state}.pregnant then false else {state}.gestation {node.op.value} {node.weeks}"


def _unsettled(node: nodes.Unsettled, definitions: str) -> str:
    return f"if {definitions}{identifier(node.definition)} is true then null as Boolean else false"


_LEAVES: Mapping[type, Callable[[Any, str], str]] = {
    nodes.Measured: _measured,
    nodes.Counted: _counted,
    nodes.Preceded: _preceded,
    nodes.Difference: _difference,
    nodes.Known: _known,
    nodes.OnRecord: _on_record,
    nodes.Ordered: lambda n, _: f"Facts.{identifier(f'{n.analyte} ordered')}",
    nodes.Age: lambda n, _: f"Common.AgeInYears {n.op.value} {n.years}",
    nodes.SexIs: lambda n, _: f"Common.Sex = {quoted(n.sex)}",
    nodes.Pregnant: lambda _n, _: f"Facts.Gravidity({AS_OF}).pregnant",
    nodes.Gestation: _gestation,
    nodes.Unsettled: _unsettled,
}


# ── tables of limits ─────────────────────────────────────────────────────────────────────────────────


def table_function(table: Table) -> str:
    """A table as a function of the result's day: the limit of the first row that fits, else null."""
    rows = "\n".join(f"    when {_fits(row)} then {limits(row.limits)}" for row in table.rows)
    return (
        f"define function {identifier(f'limit of {table.name}')}(at DateTime):\n  case\n{rows}\n"
        "    else null as List<System.Quantity>\n  end\n"
    )


def _fits(row: Row) -> str:
    pregnant = row.any_pregnancy or row.trimester is not None
    said = [f"{'' if pregnant else 'not '}Facts.Gravidity(at).pregnant"]
    if row.trimester is not None and not row.any_pregnancy:
        said.append(_TRIMESTERS[row.trimester])
    if row.sex is not None:
        said.append(f"Patient.gender.value = {quoted(row.sex)}")
    if row.from_months is not None:
        said.append(f"Common.AgeInMonths >= {row.from_months}")
    if row.below_months is not None:
        said.append(f"Common.AgeInMonths < {row.below_months}")
    return " and ".join(said)


_WEEKS = "Facts.Gravidity(at).gestation"
_TRIMESTERS = {
    0: f"{_WEEKS} is null",
    1: f"{_WEEKS} < 14",
    2: f"{_WEEKS} >= 14 and {_WEEKS} < 28",
    3: f"{_WEEKS} >= 28",
}
