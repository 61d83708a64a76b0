"""Every small wrong turn a rule could take: one comparator, one last digit, one day, one term at a time.

Pure: takes conditions, gives changed ones with the change said in words. Whether a case notices is
`rules.mutate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rules import nodes
from rules.facts import Coded, RecordKind, Sex
from rules.limits import Row

_NEIGHBOR = {
    nodes.Op.LT: nodes.Op.LE,
    nodes.Op.LE: nodes.Op.LT,
    nodes.Op.GE: nodes.Op.GT,
    nodes.Op.GT: nodes.Op.GE,
}
_OTHER_CODED = {
    Coded.POSITIVE: Coded.NEGATIVE,
    Coded.NEGATIVE: Coded.POSITIVE,
    Coded.EQUIVOCAL: Coded.POSITIVE,
}
_OTHER_SEX = {Sex.MALE: Sex.FEMALE, Sex.FEMALE: Sex.MALE}
_JOINED = {nodes.All: "all", nodes.Any: "any", nodes.NoneOf: "none", nodes.AtLeast: "at least"}
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Change:
    """A changed node; `what` says the change, `where` the expression it was made in."""

    node: Any
    what: str
    where: str = ""


def changes(node: Any) -> Iterator[Change]:
    """Every change of a condition or one of its parts, one at a time."""
    if not is_dataclass(node) or isinstance(node, type):
        return
    text = getattr(node, "text", "")
    for change in _own(node):
        yield replace(change, where=change.where or text)
    for field in fields(node):
        for change in _inside(node, field.name):
            yield replace(change, where=change.where or text)


def _inside(node: Any, name: str) -> Iterator[Change]:
    value = getattr(node, name)
    if isinstance(value, tuple):
        for index, part in enumerate(value):
            for change in changes(part):
                changed = (*value[:index], change.node, *value[index + 1 :])
                yield replace(change, node=replace(node, **{name: changed}))
    else:
        for change in changes(value):
            yield replace(change, node=replace(node, **{name: change.node}))


def _own(node: Any) -> Iterator[Change]:
    """The changes of one node's own parts, by its type."""
    if (kind := OWN_CHANGES.get(type(node))) is not None:
        yield from kind(node)


def _dropped(node: nodes.All | nodes.Any | nodes.NoneOf) -> Iterator[Change]:
    if len(node.parts) == 1 and not isinstance(node, nodes.NoneOf):
        return
    for index, part in enumerate(node.parts):
        rest = (*node.parts[:index], *node.parts[index + 1 :])
        name = _called(part)
        yield Change(type(node)(rest), f"dropped from {_JOINED[type(node)]}: {name}", name)


def _called(node: Any) -> str:
    """An expression as it stands; a block by its first expression."""
    if (parts := getattr(node, "parts", ())) and not hasattr(node, "text"):
        return f"{_JOINED[type(node)]} of {_called(parts[0])}, …"
    return str(node.text)


def _counted_terms(node: nodes.AtLeast) -> Iterator[Change]:
    for n in (node.n - 1, node.n + 1):
        yield Change(replace(node, n=n), f"at least {node.n} → {n}")


def _op(node: Any) -> Iterator[Change]:
    op = _NEIGHBOR[node.op]
    yield Change(replace(node, op=op), f"{node.op} → {op}")


def _limit(limit: nodes.Limit) -> Iterator[Change]:
    """One last digit up and down: 180 → 179 and 181, 0.40 → 0.39 and 0.41."""
    exponent = limit.value.as_tuple().exponent
    digit = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    factor = limit.base / limit.value if limit.value else Decimal(1)
    for step in (-digit, digit):
        value = limit.value + step
        changed = replace(limit, value=value, base=value * factor)
        yield Change(changed, f"{limit.value} → {value} {limit.unit}")


def _between(node: nodes.Between) -> Iterator[Change]:
    yield Change(replace(node, low_open=not node.low_open), "low end opened or closed")
    yield Change(replace(node, high_open=not node.high_open), "high end opened or closed")


def _times(node: nodes.TimesUpperLimit) -> Iterator[Change]:
    yield from _op(node)
    for step in (-1, 1):
        yield Change(replace(node, factor=node.factor + step), f"{node.factor} x → {node.factor + step} x")


def _window(node: nodes.Window) -> Iterator[Change]:
    if node.within is not None:
        small = _HOUR if node.within < 3 * _DAY else _DAY
        for step in (-small, small):
            yield Change(
                replace(node, within=node.within + step),
                f"within {_said(node.within)} → {_said(node.within + step)}",
            )
    for index in range(len(node.anchors)):
        rest = (*node.anchors[:index], *node.anchors[index + 1 :])
        yield Change(replace(node, anchors=rest, ever=node.ever or not rest), "anchor dropped")


def _anchor(node: nodes.Anchor) -> Iterator[Change]:
    if node.nearest:
        yield Change(replace(node, nearest=False), "nearest → newest")


def _row(row: Row) -> Iterator[Change]:
    for name in ("from_months", "below_months"):
        months = getattr(row, name)
        if months is not None:
            for step in (-1, 1):
                said = f"{name.removesuffix('_months')} {months} → {months + step} mo"
                yield Change(replace(row, **{name: months + step}), said)
    if row.sex is not None:
        yield Change(replace(row, sex=_OTHER_SEX[row.sex]), f"{row.sex} → {_OTHER_SEX[row.sex]}")


def _span(node: nodes.Span) -> Iterator[Change]:
    for name in ("low", "high"):
        end = getattr(node, name)
        if end is not None:
            for step in (-_DAY, _DAY):
                yield Change(
                    replace(node, **{name: end + step}), f"{name} end {_said(end)} → {_said(end + step)}"
                )
            flipped: dict[str, Any] = {f"{name}_open": not getattr(node, f"{name}_open")}
            yield Change(replace(node, **flipped), f"{name} end opened or closed")


def _record_point(node: nodes.RecordPoint) -> Iterator[Change]:
    if node.kind is RecordKind.MEDICATION:
        other = nodes.Edge.LAST if node.edge is nodes.Edge.START else nodes.Edge.START
        yield Change(replace(node, edge=other), f"{node.edge.value} → {other.value}")


def _said(duration: timedelta) -> str:
    hours = duration // _HOUR
    return f"{hours // 24} d" if hours % 24 == 0 else f"{hours} h"


def _age(node: nodes.Age) -> Iterator[Change]:
    yield from _op(node)
    for step in (-1, 1):
        yield Change(replace(node, years=node.years + step), f"{node.years} y → {node.years + step} y")


def _gestation(node: nodes.Gestation) -> Iterator[Change]:
    yield from _op(node)
    for step in (-1, 1):
        yield Change(replace(node, weeks=node.weeks + step), f"{node.weeks} wk → {node.weeks + step} wk")


def _coded(node: nodes.Is) -> Iterator[Change]:
    other = _OTHER_CODED[node.coded]
    yield Change(replace(node, coded=other), f"{node.coded} → {other}")


def _sex(node: nodes.SexIs) -> Iterator[Change]:
    yield Change(replace(node, sex=_OTHER_SEX[node.sex]), f"{node.sex} → {_OTHER_SEX[node.sex]}")


def _side(node: nodes.BeyondRange) -> Iterator[Change]:
    yield Change(replace(node, above=not node.above), "above ↔ below")


def _known(node: nodes.Known) -> Iterator[Change]:
    yield Change(replace(node, present=not node.present), "known ↔ absent")


def _count(node: nodes.Counted) -> Iterator[Change]:
    for n in (node.n - 1, node.n + 1):
        if n > 0:
            yield Change(replace(node, n=n), f"on {node.n} → {n} results")


def _record(node: nodes.OnRecord) -> Iterator[Change]:
    if node.route is not None:
        yield Change(replace(node, route=None), "route dropped")
    if node.open_only:
        yield Change(replace(node, open_only=False), "open dropped")


def _selection(node: nodes.Selection) -> Iterator[Change]:
    if node.which is not nodes.Which.LATEST:
        yield Change(replace(node, which=nodes.Which.LATEST), f"{node.which} → latest")
    if node.preliminary:
        yield Change(replace(node, preliminary=False), "preliminary no longer taken")


OWN_CHANGES: Mapping[type, Callable[[Any], Iterator[Change]]] = {
    nodes.All: _dropped,
    nodes.Any: _dropped,
    nodes.NoneOf: _dropped,
    nodes.AtLeast: _counted_terms,
    nodes.Compare: _op,
    nodes.Difference: _op,
    nodes.BeyondTable: _op,
    nodes.TimesUpperLimit: _times,
    nodes.Between: _between,
    nodes.BeyondRange: _side,
    nodes.Limit: _limit,
    nodes.Window: _window,
    nodes.Anchor: _anchor,
    nodes.Span: _span,
    nodes.RecordPoint: _record_point,
    nodes.Age: _age,
    nodes.Gestation: _gestation,
    nodes.Is: _coded,
    nodes.SexIs: _sex,
    nodes.Known: _known,
    nodes.Counted: _count,
    nodes.OnRecord: _record,
    nodes.Selection: _selection,
    Row: _row,
}
"""How each node is changed itself; a node is besides dropped from its block, and its parts are changed."""
