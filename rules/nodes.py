"""What a rule says, as frozen data. No node decides anything: `rules.evaluate` says what each one means.

Durations are exact (`90 d` is 90 × 24 h). A limit carries one number for each dimension it is printed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum, StrEnum

from rules.facts import Coded, RecordKind, Sex


class Op(StrEnum):
    """The four orders; equality of a measured number is never asked."""

    LT = "<"
    LE = "<="
    GE = ">="
    GT = ">"


class Which(StrEnum):
    """Which of an analyte's results in the window a leaf looks at."""

    LATEST = "latest"
    PREVIOUS = "previous"
    ANY = "any"
    ALL = "all"
    FIRST = "first"
    HIGHEST = "highest"
    LOWEST = "lowest"


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Span:
    """Distances between two facts, `low` to `high` (None: no bound), each end closed or open."""

    low: timedelta | None
    high: timedelta | None
    low_open: bool = False
    high_open: bool = False

    def holds(self, distance: timedelta) -> bool:
        """Whether the distance lies in the span."""
        above = self.low is None or distance > self.low or (distance == self.low and not self.low_open)
        below = self.high is None or distance < self.high or (distance == self.high and not self.high_open)
        return above and below


class Edge(Enum):
    """Which moment of a medication course an anchor means."""

    START = "start"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class RecordPoint:
    """The start of the current course of a medication, or the newest procedure, condition or order."""

    kind: RecordKind
    concept: str
    edge: Edge = Edge.START


@dataclass(frozen=True, slots=True)
class Anchor:
    """`fact − point` must lie in `span`; `nearest` takes the fact closest to the point, not the newest."""

    span: Span
    point: Selection | RecordPoint
    nearest: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """When a fact counts: `within` looks back from `as_of` (None: the catalogue's default, or no limit when
    anchored); every anchor must hold; `ever` lifts the default."""

    within: timedelta | None = None
    anchors: tuple[Anchor, ...] = ()
    ever: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Some results of one analyte: which of them, and in which window."""

    analyte: str
    which: Which = Which.LATEST
    window: Window = Window()
    preliminary: bool = False


# ── tests on one result ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Limit:
    """One printed number with its unit; `base` is it scaled to the base unit of `dimension`."""

    value: Decimal
    unit: str
    dimension: str
    base: Decimal


@dataclass(frozen=True, slots=True)
class Compare:
    """`< 180 pg/mL | 133 pmol/L`: the number printed for the dimension reported decides."""

    op: Op
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """`30..<100 ug/L`: both ends count unless marked open; `lows` and `highs` pair by dimension."""

    lows: tuple[Limit, ...]
    highs: tuple[Limit, ...]
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class CensoredWithin:
    """`censored 180..350 pg/mL`: reported as `<x` with x in the range (clinical.md 4.0.1, "Numbers")."""

    between: Between


@dataclass(frozen=True, slots=True)
class BeyondRange:
    """Beyond the limit the laboratory sent; `otherwise` when none was sent; `also` must hold besides."""

    above: bool
    otherwise: Compare | None = None
    also: Compare | None = None


@dataclass(frozen=True, slots=True)
class TimesUpperLimit:
    """`> 3 x ULN else 3 x 40 U/L`: a multiple of the laboratory's upper limit, or of the fallback."""

    op: Op
    factor: Decimal
    fallback: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Is:
    """A qualitative answer."""

    coded: Coded


@dataclass(frozen=True, slots=True)
class BeyondTable:
    """`< table anemia`: the limit that a table gives for the patient's age, sex and pregnancy."""

    op: Op
    table: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A remark on the specimen or the result matches a note concept."""

    concept: str


Test = Compare | Between | CensoredWithin | BeyondRange | TimesUpperLimit | Is | BeyondTable | Noted


# ── leaves ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Measured:
    """The selected result passes the test; not measured is unknown."""

    selection: Selection
    test: Test
    text: str


@dataclass(frozen=True, slots=True)
class Counted:
    """At least `n` results pass the test, some `n` of them lying `spacing` apart, first to last."""

    selection: Selection
    test: Test
    n: int
    spacing: Span
    text: str


@dataclass(frozen=True, slots=True)
class Preceded:
    """A result passes `test`, and an earlier one of the same analyte passed `earlier`."""

    selection: Selection
    test: Test
    earlier: Test
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The first selection minus the second, compared; unknown when one is missing or censored across it."""

    minuend: Selection
    subtrahend: Selection
    op: Op
    limits: tuple[Limit, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """Whether a usable result exists: true or false, never unknown. `present` False asks for absence."""

    selection: Selection
    present: bool
    text: str


@dataclass(frozen=True, slots=True)
class OnRecord:
    """A record of the concept in the window: true or false (closed world). `route` narrows medications;
    `open_only` keeps orders that are active or on hold."""

    kind: RecordKind
    concept: str
    window: Window
    text: str
    route: str | None = None
    open_only: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """The analyte is on order, or its result is registered or preliminary (clinical.md 4.0.1, "Ordered")."""

    analyte: str
    text: str


@dataclass(frozen=True, slots=True)
class Age:
    """Completed years at `as_of`; unknown without a birth date."""

    op: Op
    years: int
    text: str


@dataclass(frozen=True, slots=True)
class SexIs:
    """Unknown when the sex is neither female nor male."""

    sex: Sex
    text: str


@dataclass(frozen=True, slots=True)
class Pregnant:
    """By statement or by code; a patient of whom nothing is said is not pregnant."""

    text: str


@dataclass(frozen=True, slots=True)
class Gestation:
    """Weeks of gestation at `as_of`; false when not pregnant, unknown when weeks are."""

    op: Op
    weeks: int
    text: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Unknown while the named definition is true, until the analytes are measured again; else false."""

    definition: str
    until: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A named definition."""

    name: str
    text: str


Leaf = (
    Measured
    | Counted
    | Preceded
    | Difference
    | Known
    | OnRecord
    | Ordered
    | Age
    | SexIs
    | Pregnant
    | Gestation
    | Unsettled
    | Ref
)


# ── between leaves ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class All:
    """Every part."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """No part is true; an unknown excludes nothing."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least `n` of the parts."""

    n: int
    parts: tuple[Condition, ...]


Condition = Leaf | All | Any | NoneOf | AtLeast
