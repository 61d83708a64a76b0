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

from rules.facts import Comparator, History, Result
from rules.measuring import to_canonical
from rules.units import unit_of
from worker.locales import plain, tag_of, thousands_sign
from worker.web import words
from worker.web.evidence import Shown, analyte_name, unit_text
from worker.web.limits import Held, about
from worker.web.treatments import Bar, treatments
from worker.web.versions import Version, result_text, versions_by_analyte

BESIDE = ("hemoglobin", "ferritin", "b12", "mcv")
"""Shown beside the alert's own analytes when there is something to see."""
MOST_PANELS = 5
MOST_POINTS = 200
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


def chart(
    history: History, evidence: Sequence[Shown], held: Mapping[str, Held], now: datetime, zone: ZoneInfo
) -> Chart:
    """The chart of an alert: its own analytes first, then those usually read beside them."""
    by_analyte = versions_by_analyte(history.results)
    decisive = frozenset(shown.key for shown in evidence)
    limits = {key: h for key, h in held.items() if h.crossed or key in decisive}
    own = list(dict.fromkeys(shown.analyte for shown in evidence))
    wanted = own + [a for a in BESIDE if a not in own]
    panels = tuple(p for a in wanted if (p := _panel(a, by_analyte.get(a, []), decisive, limits, zone)))[
        :MOST_PANELS
    ]
    shown = [v for a in wanted for v in by_analyte.get(a, ())]
    bars = treatments(history.records, now, zone)
    return Chart(panels, bars, _table(shown, zone), _data(panels, bars, now))


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
    return Line(float(y), held.number if held.unit == unit else f"{about(y)} {unit_text(unit)}")


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
        taken=plain(words.full_day(result.effective_at, zone)),
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


def _data(panels: Sequence[Panel], bars: Sequence[Bar], now: datetime) -> dict[str, Any]:
    times = [p.t for panel in panels for p in panel.points]
    first, last = (min(times), max(times)) if times else (now.timestamp(), now.timestamp())
    room = max((last - first) * 0.04, SHORTEST_SPAN.total_seconds() / 2)
    locale = words.LOCALE.get()
    return {
        "panels": [asdict(panel) for panel in panels],
        "bars": [{"label": b.label, "from": b.start.timestamp(), "to": b.end.timestamp()} for b in bars],
        "from": first - room,
        "to": last + room,
        "locale": tag_of(locale) if locale else "en",
        "thousands": thousands_sign(locale),
    }
