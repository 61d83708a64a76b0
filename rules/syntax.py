"""Text to nodes: one expression of a rule file becomes one frozen leaf.

The grammar is `expressions.lark`; what the names mean (analytes, concepts, definitions) is checked by
`rules.load`, except units, which a limit cannot be built without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, VisitError

from rules import nodes
from rules.facts import Coded, RecordKind, Sex
from rules.units import unit_of

_HOURS = {"d": 24, "h": 1, "wk": 7 * 24}
_IN_WORDS = {
    "CODED": "positive, negative or equivocal",
    "DOTS": "'..' as in 30..<100",
    "KIND": "medication, condition, procedure or order",
    "NAME": "a name",
    "NUMBER": "a number",
    "OP": "<, <=, > or >=",
    "TIMES": "'x ULN'",
    "TIMEUNIT": "d, h or wk",
    "UNIT": "a unit such as ug/L",
    "$END": "the end",
}


class BadExpression(ValueError):
    """An expression that the language does not know, or an unknown unit. One line, with a remedy."""


@dataclass(frozen=True, slots=True)
class _Range:
    low: nodes.Limit
    high: nodes.Limit
    low_open: bool
    high_open: bool


def limit(value: str | Decimal, unit: str) -> nodes.Limit:
    """The limit `value unit`, scaled exactly to its dimension's base.

    Raises:
        BadExpression: the unit is not in the allow-list of `rules.units`.
    """
    known = unit_of(unit)
    if known is None:
        raise BadExpression(f"unknown unit '{unit}': use a UCUM unit that `ferrule rules analytes` lists")
    number = Decimal(value)
    return nodes.Limit(number, known.code, known.dimension, number * known.factor)


def _duration(number: str, unit: str) -> timedelta:
    return (
        timedelta(hours=float(Decimal(number) * _HOURS[unit]))
        if "." in number
        else timedelta(hours=int(number) * _HOURS[unit])
    )


class _ToNodes(Transformer[Token, Any]):
    """Each grammar rule's children become one node; `self.text` is the whole expression, kept for people."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    # numbers and limits
    def quantity(self, c: list[Token]) -> nodes.Limit:
        return limit(c[0], c[1])

    def limits(self, c: list[nodes.Limit]) -> tuple[nodes.Limit, ...]:
        return tuple(c)

    def range(self, c: list[Token]) -> _Range:
        low, dots, high, unit = c
        return _Range(limit(low, unit), limit(high, unit), dots.startswith("<"), dots.endswith("<"))

    def multiple(self, c: list[Any]) -> nodes.Limit:
        fallback: nodes.Limit = c[2]  # its factor is repeated in the text for the reader's sake
        return fallback

    # tests
    def compare(self, c: list[Any]) -> nodes.Compare:
        return nodes.Compare(nodes.Op(c[0]), c[1])

    def between(self, c: list[_Range]) -> nodes.Between:
        return nodes.Between(tuple(r.low for r in c), tuple(r.high for r in c), c[0].low_open, c[0].high_open)

    def censored(self, c: list[_Range]) -> nodes.CensoredWithin:
        return nodes.CensoredWithin(self.between(c))

    def otherwise(self, c: list[Any]) -> tuple[str, nodes.Compare]:
        return "otherwise", self.compare(c)

    def also(self, c: list[Any]) -> tuple[str, nodes.Compare]:
        return "also", self.compare(c)

    def beyond_range(self, c: list[Any]) -> nodes.BeyondRange:
        return nodes.BeyondRange(c[0] == "above", **dict([c[1]] if c[1] else []))

    def times_upper(self, c: list[Any]) -> nodes.TimesUpperLimit:
        fallback = tuple(x for x in c[3:] if x is not None)
        return nodes.TimesUpperLimit(nodes.Op(c[0]), Decimal(c[1]), fallback)

    def beyond_table(self, c: list[Token]) -> nodes.BeyondTable:
        return nodes.BeyondTable(nodes.Op(c[0]), str(c[1]))

    def coded(self, c: list[Token]) -> nodes.Is:
        return nodes.Is(Coded(c[0]))

    def noted(self, c: list[Token]) -> nodes.Noted:
        return nodes.Noted(str(c[0]))

    # time
    def duration(self, c: list[Token]) -> timedelta:
        return _duration(c[0], c[1])

    def span(self, c: list[Token]) -> nodes.Span:
        low, dots, high, unit = c
        return nodes.Span(
            _duration(low, unit), _duration(high, unit), dots.startswith("<"), dots.endswith("<")
        )

    def spacing(self, c: list[nodes.Span]) -> nodes.Span:
        return c[0]

    def within(self, c: list[timedelta]) -> timedelta:
        return c[0]

    def name_point(self, c: list[Token]) -> nodes.Selection:
        return nodes.Selection(str(c[0]))

    def record_point(self, c: list[Any]) -> nodes.RecordPoint:
        edge = nodes.Edge(c[2]) if c[2] else nodes.Edge.START
        return nodes.RecordPoint(RecordKind(c[0]), str(c[1]), edge)

    def selection_point(self, c: list[Any]) -> nodes.Selection:
        return self.operand(c)

    def near(self, c: list[Any]) -> nodes.Anchor:
        return nodes.Anchor(nodes.Span(-c[0], c[0]), c[1], nearest=True)

    def shifted(self, c: list[Any]) -> nodes.Anchor:
        span, shift, point = c
        if shift == "after":
            return nodes.Anchor(span, point)
        low = None if span.high is None else -span.high
        high = None if span.low is None else -span.low
        return nodes.Anchor(nodes.Span(low, high, span.high_open, span.low_open), point)

    def not_long_before(self, c: list[Any]) -> nodes.Anchor:
        if c[1] != "before":
            raise BadExpression("'at most … after' is not in the language: write '0..N d after'")
        return nodes.Anchor(nodes.Span(-c[0], None), c[2])

    def together(self, c: list[Any]) -> nodes.Anchor:
        zero = timedelta(0)
        return nodes.Anchor(nodes.Span(zero, zero), c[0])

    def between_points(self, c: list[Any]) -> tuple[nodes.Anchor, nodes.Anchor]:
        zero = timedelta(0)
        return nodes.Anchor(nodes.Span(zero, None), c[0]), nodes.Anchor(nodes.Span(None, zero), c[1])

    def window(self, c: list[Any]) -> nodes.Window:
        return nodes.Window(c[1], tuple(_flat(c[2:])), ever=bool(c[0]))

    # selections and leaves
    def selector(self, c: list[Any]) -> nodes.Selection:
        which = nodes.Which(c[0]) if c[0] else nodes.Which.LATEST
        return nodes.Selection(str(c[1]), which, preliminary=bool(c[2]))

    def operand(self, c: list[Any]) -> nodes.Selection:
        return _windowed(c[0], c[1])

    def measured(self, c: list[Any]) -> nodes.Measured:
        return nodes.Measured(_windowed(c[0], c[2]), c[1], self.text)

    def counted(self, c: list[Any]) -> nodes.Counted:
        spacing = c[4] or nodes.Span(None, None)
        return nodes.Counted(_windowed(c[0], c[2]), c[1], int(c[3]), spacing, self.text)

    def preceded(self, c: list[Any]) -> nodes.Preceded:
        return nodes.Preceded(_windowed(c[0], c[2]), c[1], c[3], self.text)

    def difference(self, c: list[Any]) -> nodes.Difference:
        return nodes.Difference(c[0], c[1], nodes.Op(c[2]), c[3], self.text)

    def change(self, c: list[Any]) -> nodes.Difference:
        """`hemoglobin falls 20 g/L within 30 d`: the extreme of the earlier specimens minus the newest."""
        name, how, limits, within = str(c[0]), c[1], c[2], c[3]
        newest = nodes.Selection(name)
        before = nodes.Anchor(nodes.Span(-within, timedelta(0), high_open=True), newest)
        which = nodes.Which.HIGHEST if how == "falls" else nodes.Which.LOWEST
        earlier = nodes.Selection(name, which, nodes.Window(anchors=(before,)))
        first, second = (earlier, newest) if how == "falls" else (newest, earlier)
        return nodes.Difference(first, second, nodes.Op.GE, limits, self.text)

    def known(self, c: list[Any]) -> nodes.Known:
        return nodes.Known(_windowed(c[0], c[1]), True, self.text)

    def absent(self, c: list[Any]) -> nodes.Known:
        return nodes.Known(_windowed(c[0], c[1]), False, self.text)

    def record(self, c: list[Any]) -> nodes.OnRecord:
        kind, concept, route, open_only, window = c
        return nodes.OnRecord(
            RecordKind(kind), str(concept), window, self.text, str(route) if route else None, bool(open_only)
        )

    def ordered(self, c: list[Token]) -> nodes.Ordered:
        return nodes.Ordered(str(c[0]), self.text)

    def age(self, c: list[Token]) -> nodes.Age:
        return nodes.Age(nodes.Op(c[0]), int(c[1]), self.text)

    def sex(self, c: list[Token]) -> nodes.SexIs:
        return nodes.SexIs(Sex(c[0]), self.text)

    def pregnant(self, c: list[Token]) -> nodes.Pregnant:
        return nodes.Pregnant(self.text)

    def gestation(self, c: list[Token]) -> nodes.Gestation:
        return nodes.Gestation(nodes.Op(c[0]), int(c[1]), self.text)

    def unsettled(self, c: list[Token]) -> nodes.Unsettled:
        return nodes.Unsettled(str(c[0]), tuple(map(str, c[1:])), self.text)

    def ref(self, c: list[Token]) -> nodes.Ref:
        return nodes.Ref(str(c[0]), self.text)


def _windowed(selection: nodes.Selection, window: nodes.Window) -> nodes.Selection:
    return nodes.Selection(selection.analyte, selection.which, window, selection.preliminary)


def _flat(anchors: list[Any]) -> Iterator[nodes.Anchor]:
    for anchor in anchors:
        if isinstance(anchor, tuple):
            yield from anchor
        else:
            yield anchor


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = (files("rules") / "expressions.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start=["start", "operand"], maybe_placeholders=True)


def parse_leaf(text: str) -> nodes.Leaf:
    """The leaf that an expression means.

    Raises:
        BadExpression: one line that shows where the text leaves the language and what could stand there.
    """
    return _parse(text, "start")  # type: ignore[no-any-return]  # lark's trees are untyped


def parse_selection(text: str) -> nodes.Selection:
    """The selection that a definitions file names, such as `highest hemoglobin 0<..30 d before hemoglobin`.

    Raises:
        BadExpression: as `parse_leaf`.
    """
    return _parse(text, "operand")  # type: ignore[no-any-return]  # lark's trees are untyped


def _parse(text: str, start: str) -> Any:
    flat = " ".join(text.split())
    try:
        return _ToNodes(flat).transform(_parser().parse(flat, start=start))
    except VisitError as error:
        raise (error.orig_exc if isinstance(error.orig_exc, BadExpression) else error) from None
    except UnexpectedInput as error:
        raise BadExpression(_say(flat, error)) from None


def _say(text: str, error: UnexpectedInput) -> str:
    at = len(text) if error.pos_in_stream is None else error.pos_in_stream
    wanted = error.allowed if isinstance(error, UnexpectedCharacters) else getattr(error, "expected", set())
    hints = ", ".join(sorted(_IN_WORDS.get(str(w), str(w).lower()) for w in wanted or ())[:8])
    here = text[at : at + 20] or "the end"
    return f"cannot read '{text}' at '{here}'; expected one of: {hints}"
