"""What the chart and its table show: values over time, limits, treatments, what was corrected.

Numbers leave as floats here because they become pixels; what is read beside them is the reported text. A
value of another dimension than the newest is placed by the catalogue's factor; its text stays as reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rules.courses import current_records, taken
from rules.facts import Comparator, History, Record, RecordKind, Result, Status
from rules.history import version_order
from rules.measuring import to_canonical
from rules.units import unit_of
from worker.web import words
from worker.web.evidence import Shown, analyte_name, unit_text, value_text
from worker.web.limits import Held, shortest

BESIDE = ("hemoglobin", "ferritin", "b12", "mcv")
"""Shown beside the alert's own analytes when there is something to see."""
MOST_PANELS = 5
MOST_POINTS = 200
MOST_BARS = 6
GONE = frozenset({Status.CANCELLED, Status.ENTERED_IN_ERROR})
SHORTEST_SPAN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Point:
    """One reported value: its place, its words, how it stands. `toward` says where a censored value lies."""

    t: float
    y: float
    text: str
    taken: str
    decisive: bool
    gone: bool
    note: str
    toward: str


@dataclass(frozen=True, slots=True)
class Line:
    """A limit drawn across a panel."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One analyte in one unit. `low` and `high` are the laboratory's own limits of its newest result."""

    name: str
    unit: str
    low: float | None
    high: float | None
    lines: tuple[Line, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A treatment on record."""

    label: str
    start: datetime
    end: datetime
    words: str


@dataclass(frozen=True, slots=True)
class TableLine:
    """One line of the table that says all the chart shows."""

    analyte: str
    text: str
    taken: str
    range: str
    note: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """All of it. `data` is what the script draws."""

    panels: tuple[Panel, ...]
    bars: tuple[Bar, ...]
    table: tuple[TableLine, ...]
    data: dict[str, Any]

    @property
    def corrected(self) -> bool:
        """Whether anything is struck through."""
        return any(point.gone for panel in self.panels for point in panel.points)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a result: the one that counts, or one that no longer does, and why."""

    result: Result
    gone: bool
    note: str


def chart(
    history: History, evidence: Sequence[Shown], held: Mapping[str, Held], now: datetime, zone: ZoneInfo
) -> Chart:
    """The chart of an alert: its own analytes first, then those usually read beside them."""
    by_analyte = _versions(history.results)
    decisive = frozenset(shown.key for shown in evidence)
    limits = {key: h for key, h in held.items() if h.crossed or key in decisive}
    own = list(dict.fromkeys(shown.analyte for shown in evidence))
    wanted = own + [a for a in BESIDE if a not in own]
    panels = tuple(p for a in wanted if (p := _panel(a, by_analyte.get(a, []), decisive, limits, zone)))[
        :MOST_PANELS
    ]
    shown = [v for a in wanted for v in by_analyte.get(a, ())]
    bars = _bars(history.records, now, zone)
    return Chart(panels, bars, _table(shown, zone), _data(panels, bars, now))


def _versions(results: Sequence[Result]) -> dict[str, list[Version]]:
    """Every version worth showing, by analyte, oldest specimen first."""
    by_key: dict[str, list[Result]] = {}
    for result in results:
        if result.analyte is not None and result.effective_at is not None:
            by_key.setdefault(result.key, []).append(result)
    found: dict[str, list[Version]] = {}
    for versions in by_key.values():
        for version in _told_apart(sorted(versions, key=version_order)):
            found.setdefault(version.result.analyte or "", []).append(version)
    for listed in found.values():
        listed.sort(key=lambda v: (v.result.effective_at or v.result.known_at, not v.gone, v.result.key))
    return found


def _told_apart(versions: Sequence[Result]) -> list[Version]:
    """The newest version, and each older one that said something else."""
    newest = versions[-1]
    taken_back = newest.status in GONE
    kept = (
        [Version(newest, taken_back, _note(newest))]
        if newest.quantity or newest.coded or newest.problem
        else []
    )
    instead = f"{newest.status.value}" if taken_back else f"corrected to {result_text(newest)}"
    older = {result_text(r): r for r in versions[:-1] if result_text(r) != result_text(newest) or taken_back}
    return [*(Version(r, True, instead) for r in older.values() if r.quantity or r.coded), *kept]


def _note(result: Result) -> str:
    if result.status in GONE:
        return result.status.value
    if result.problem is not None:
        return f"not used: {result.problem.value.replace('-', ' ')}"
    return ", ".join((*([result.status.value] if result.status is Status.CORRECTED else []), *result.notes))


def result_text(result: Result) -> str:
    """The value as the laboratory reported it, sign and unit included."""
    if result.quantity is not None:
        unit = result.reported_unit or result.quantity.unit
        return value_text(result.quantity.comparator, f"{result.quantity.value:f}", unit)
    return result.coded.value if result.coded else f"{result.reported_value} {result.reported_unit}".strip()


def _panel(
    analyte: str,
    versions: Sequence[Version],
    decisive: frozenset[str],
    limits: Mapping[str, Held],
    zone: ZoneInfo,
) -> Panel | None:
    numeric = [v for v in versions if v.result.quantity is not None][-MOST_POINTS:]
    newest = next((v.result for v in reversed(numeric) if not v.gone), None)
    if newest is None or newest.quantity is None:
        return None
    unit = newest.quantity.unit
    held = {h.number: h for key, h in limits.items() if any(v.result.key == key for v in versions)}
    return Panel(
        name=analyte_name(analyte),
        unit=unit_text(newest.reported_unit or unit),
        low=_in_own_unit(newest.range_low),
        high=_in_own_unit(newest.range_high),
        lines=tuple(line for h in held.values() if (line := _line(analyte, h, unit)) is not None),
        points=tuple(p for v in numeric if (p := _point(analyte, v, unit, decisive, zone)) is not None),
    )


def _line(analyte: str, held: Held, unit: str) -> Line | None:
    y = _place(analyte, held.value, held.unit, unit)
    if y is None:
        return None
    return Line(float(y), held.number if held.unit == unit else f"{shortest(y):f} {unit_text(unit)}")


def _in_own_unit(limit: Decimal | None) -> float | None:
    return None if limit is None else float(limit)


def _point(
    analyte: str, version: Version, unit: str, decisive: frozenset[str], zone: ZoneInfo
) -> Point | None:
    result = version.result
    if result.quantity is None or result.effective_at is None:
        return None
    y = _place(analyte, result.quantity.value, result.quantity.unit, unit)
    if y is None:
        return None
    low, high = (Comparator.LT, Comparator.LE), (Comparator.GT, Comparator.GE)
    sign = result.quantity.comparator
    return Point(
        t=result.effective_at.timestamp(),
        y=float(y),
        text=result_text(result),
        taken=words.full_day(result.effective_at, zone),
        decisive=result.key in decisive and not version.gone,
        gone=version.gone,
        note=version.note,
        toward="down" if sign in low else "up" if sign in high else "",
    )


def _place(analyte: str, value: Decimal, unit: str, target: str) -> Decimal | None:
    """`value` of `unit` in `target`, scaled or by the analyte's factor; None where there is none."""
    of, to = unit_of(unit), unit_of(target)
    if of is None or to is None:
        return value if unit == target else None
    if of.dimension == to.dimension:
        return value * of.factor / to.factor
    one = to_canonical(analyte, to.dimension, to.factor)
    there = to_canonical(analyte, of.dimension, value * of.factor)
    return None if there is None or not one else there / one


def _table(versions: Iterable[Version], zone: ZoneInfo) -> tuple[TableLine, ...]:
    newest_first = sorted(versions, key=lambda v: v.result.effective_at or v.result.known_at, reverse=True)
    return tuple(
        TableLine(
            analyte=analyte_name(v.result.analyte or ""),
            text=result_text(v.result),
            taken=words.stamp(v.result.effective_at or v.result.known_at, zone),
            range=_range(v.result),
            note=v.note,
            gone=v.gone,
        )
        for v in newest_first
    )


def _range(result: Result) -> str:
    low, high = result.range_low, result.range_high
    if low is not None and high is not None:
        return f"{low:f}–{high:f}"
    if high is not None:
        return f"up to {high:f}"
    return f"from {low:f}" if low is not None else ""


def _bars(records: Sequence[Record], now: datetime, zone: ZoneInfo) -> tuple[Bar, ...]:
    medications = [r for r in current_records(records, now) if r.kind is RecordKind.MEDICATION]
    bars = [bar for r in medications if (bar := _bar(r, now, zone)) is not None]
    return tuple(sorted(bars, key=lambda bar: (bar.start, bar.label))[-MOST_BARS:])


def _bar(record: Record, now: datetime, zone: ZoneInfo) -> Bar | None:
    span = taken(record, now)
    if span is None or span.first is None:
        return None
    end = span.last or span.first
    first, last = words.full_day(span.first, zone), words.full_day(end, zone)
    said = f"from {first}, still taken" if end == now else first if first == last else f"{first} to {last}"
    route = f" ({record.route})" if record.route else ""
    return Bar(f"{record.name or record.code}{route}", span.first, end, said)


def _data(panels: Sequence[Panel], bars: Sequence[Bar], now: datetime) -> dict[str, Any]:
    times = [p.t for panel in panels for p in panel.points]
    first, last = (min(times), max(times)) if times else (now.timestamp(), now.timestamp())
    room = max((last - first) * 0.04, SHORTEST_SPAN.total_seconds() / 2)
    return {
        "panels": [asdict(panel) for panel in panels],
        "bars": [{"label": b.label, "from": b.start.timestamp(), "to": b.end.timestamp()} for b in bars],
        "from": first - room,
        "to": last + room,
    }
