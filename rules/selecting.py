"""Which results and records a leaf looks at: windows, anchors, and latest / any / highest among them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from rules.analytes import CATALOGUE
from rules.concepts import matches, route_class
from rules.courses import OPEN_ORDER, Taken, course_start, taken
from rules.facts import Record, RecordKind, Result
from rules.history import View
from rules.measuring import canonical_interval
from rules.nodes import (
    Anchor,
    Edge,
    OnRecord,
    RecordPoint,
    Selection,
    Which,
    Window,
)


def look_back(window: Window, analyte: str) -> timedelta | None:
    """How far back from `as_of` the window reaches; None: without limit.

    A window that says nothing uses the catalogue's default; an anchored one has no limit of its own.
    """
    if window.within is not None:
        return window.within
    if window.ever or window.anchors:
        return None
    days = CATALOGUE[analyte].default_window_days
    return None if days is None else timedelta(days=days)


def pick(view: View, selection: Selection) -> list[Result]:
    """The results the selection means: none, one (or several tied in time), or all for `any` and `all`."""
    reach = look_back(selection.window, selection.analyte)
    reach = None if reach is None else reach + view.slack
    found = [
        r
        for r in view.results(selection.analyte, preliminary=selection.preliminary)
        if r.effective_at is not None and (reach is None or view.as_of - r.effective_at <= reach)
    ]
    for anchor in selection.window.anchors:
        found = _anchored(view, found, anchor)
    return _CHOICE[selection.which](found)


def _anchored(view: View, found: list[Result], anchor: Anchor) -> list[Result]:
    point = moment_of(view, anchor.point)
    if point is None:
        return []
    inside = [(r, r.effective_at - point) for r in found if r.effective_at is not None]
    inside = [(r, distance) for r, distance in inside if anchor.span.holds(distance)]
    if anchor.nearest and inside:
        closest = min(abs(distance) for _, distance in inside)
        inside = [(r, distance) for r, distance in inside if abs(distance) == closest]
    return [r for r, _ in inside]


def moment_of(view: View, point: Selection | RecordPoint) -> datetime | None:
    """When the thing pointed at was; None when there is no such thing."""
    if isinstance(point, RecordPoint):
        return _record_moment(view, point)
    results = pick(view, point)
    return results[0].effective_at if results else None


def _record_moment(view: View, point: RecordPoint) -> datetime | None:
    concept = view.concepts[point.concept]
    records = [r for r in view.records[point.kind] if matches(concept, r)]
    if point.kind is RecordKind.MEDICATION and point.edge is Edge.START:
        return course_start(records, view.as_of)
    moments = [t.last for r in records if (t := taken(r, view.as_of)) and t.last is not None]
    return max(moments, default=None)


# ── which of them ────────────────────────────────────────────────────────────────────────────────────


def _newest(found: list[Result]) -> list[Result]:
    """The newest, and all that are tied with it; `found` is newest first."""
    return [r for r in found if r.effective_at == found[0].effective_at] if found else []


def _previous(found: list[Result]) -> list[Result]:
    return _newest([r for r in found if r.effective_at != found[0].effective_at] if found else [])


def _highest(found: list[Result]) -> list[Result]:
    """All that may be the highest, the surest first: of `<114` and `110`, 110 and then the other."""
    valued = [(value, r) for r in found if (value := canonical_interval(r)) is not None]
    valued.sort(key=lambda one: one[0].low, reverse=True)
    return [r for value, r in valued if value.high >= valued[0][0].low]


def _lowest(found: list[Result]) -> list[Result]:
    """All that may be the lowest, the surest first."""
    valued = [(value, r) for r in found if (value := canonical_interval(r)) is not None]
    valued.sort(key=lambda one: one[0].high)
    return [r for value, r in valued if value.low <= valued[0][0].high]


_CHOICE: dict[Which, Callable[[list[Result]], list[Result]]] = {
    Which.LATEST: _newest,
    Which.PREVIOUS: _previous,
    Which.ANY: lambda found: found,
    Which.ALL: lambda found: found,
    Which.FIRST: lambda found: _newest(found[::-1]),
    Which.HIGHEST: _highest,
    Which.LOWEST: _lowest,
}


# ── records ──────────────────────────────────────────────────────────────────────────────────────────


def records_of(view: View, leaf: OnRecord) -> list[Record]:
    """The records of the leaf's concept that lie in its window."""
    concept = view.concepts[leaf.concept]
    return [
        record
        for record in view.records[leaf.kind]
        if matches(concept, record)
        and (leaf.route is None or route_class(record, view.concepts["injection_product"]) == leaf.route)
        and (not leaf.open_only or record.status in OPEN_ORDER)
        and _record_in_window(view, record, leaf.window)
    ]


def _record_in_window(view: View, record: Record, window: Window) -> bool:
    held = taken(record, view.as_of)
    if held is None:
        return False
    if window.within is not None and not _reached(held, view, window.within):
        return False
    return all(_record_anchored(view, record, anchor) for anchor in window.anchors)


def _reached(held: Taken, view: View, within: timedelta) -> bool:
    return held.last is not None and view.as_of - held.last <= within + view.slack


def _record_anchored(view: View, record: Record, anchor: Anchor) -> bool:
    """The record's last moment, as of the point when it looks back to it, lies in the anchor's span."""
    point = moment_of(view, anchor.point)
    if point is None:
        return False
    looks_back = anchor.span.high is not None and anchor.span.high <= timedelta(0)
    held = taken(record, point if looks_back else view.as_of)
    return held is not None and held.last is not None and anchor.span.holds(held.last - point)
