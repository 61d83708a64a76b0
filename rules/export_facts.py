"""The shared CQL libraries: what is common to all rules, and every analyte and concept by its name.

`FerruleCommon` is a template (templates/FerruleCommon.cql.j2) with our units in it; `FerruleFacts` is made of
the catalogue and the concepts. What they mean is said by `rules.measuring`, `rules.courses` and the like.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from jinja2 import Environment, PackageLoader, StrictUndefined

from rules.analytes import CATALOGUE, Analyte
from rules.concepts import (
    INJECTING,
    LOINC,
    NEVER_A_FACT,
    NOTE,
    SYSTEMS,
    CodePattern,
    Concept,
)
from rules.courses import COURSE_GAP, ENDED, NOT_A_FACT, OPEN_ORDER, RESOLVED
from rules.evaluate import ACTIVE, ORDER_AGE, PENDING_AGE
from rules.export_text import NotExportable, decimal, found, hours, identifier, listed, quoted
from rules.facts import RecordKind
from rules.pregnancy import TERM, UNDATED
from rules.units import BASE_UNIT, UNITS, Unit

RECORD = (
    "Tuple { kind String, system String, code String, name String, status String, route String, "
    "began DateTime, beganBy DateTime, ended DateTime }"
)
_LISTS = {
    RecordKind.MEDICATION: "Medications",
    RecordKind.CONDITION: "Conditions",
    RecordKind.PROCEDURE: "Procedures",
    RecordKind.ORDER: "Orders",
}
_COMPUTED_FROM = {"tsat": ("iron", "tibc", "uibc", "transferrin"), "mentzer_index": ("mcv", "rbc")}
_ALWAYS_ASKED = ("injection_product", "pregnancy", "pregnancy_end")
_MIDDLE = {
    "mass": "ug/L",
    "molar": "nmol/L",
    "number": "10*6/L",
    "fraction": "%",
    "mass_fraction": "ug/g",
}
_HOUR = timedelta(hours=1)


def common_library(header: str, version: str) -> str:
    """`FerruleCommon`: facts out of FHIR, three-valued comparisons, time, units."""
    environment = Environment(  # noqa: S701  # CQL, not HTML
        loader=PackageLoader("rules"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("FerruleCommon.cql.j2").render(
        header=header,
        version=version,
        dimensions=_dimensions(),
        factors=_factors(),
        systems=[(short, _texts(uris)) for short, uris in SYSTEMS.items()],
        not_a_fact=_texts(sorted(NOT_A_FACT)),
        never_a_fact=_texts(sorted(NEVER_A_FACT)),
        resolved=_texts(sorted(RESOLVED)),
        ended=_texts(sorted(ENDED)),
        open_order=_texts(sorted(OPEN_ORDER)),
        course_gap_hours=COURSE_GAP // _HOUR,
        undated_hours=UNDATED // _HOUR,
        term_hours=TERM // _HOUR,
    )


@dataclass(frozen=True, slots=True)
class Used:
    """What rules ask for: analytes (which of them also when preliminary, or on order) and concepts."""

    analytes: frozenset[str]
    preliminary: frozenset[str]
    ordered: frozenset[str]
    concepts: frozenset[str]
    known: Mapping[str, Concept]

    @property
    def all_analytes(self) -> list[str]:
        """In the catalogue's order, with those that others are computed from."""
        wanted = self.analytes | self.ordered
        wanted |= {part for name in wanted for part in _COMPUTED_FROM.get(name, ())}
        return [name for name in CATALOGUE if name in wanted]

    @property
    def all_concepts(self) -> list[Concept]:
        """Parts before what they belong to."""
        found: dict[str, Concept] = {}
        for name in (*_ALWAYS_ASKED, *sorted(self.concepts)):
            _with_parts(self.known[name], found)
        return list(found.values())


def _with_parts(concept: Concept, found: dict[str, Concept]) -> None:
    for part in concept.parts:
        _with_parts(part, found)
    found.setdefault(concept.name, concept)


def facts_library(header: str, version: str, used: Used) -> str:
    """`FerruleFacts`: the results of each analyte, the records of each concept."""
    parts = [
        header,
        f"library FerruleFacts version '{version}'\n",
        "using FHIR version '4.0.1'\n",
        f"include FerruleCommon version '{version}' called Common\n",
        "context Patient\n",
        "// ── results of each analyte ──\n",
        *(part for name in used.all_analytes for part in _analyte(CATALOGUE[name], used)),
        "// ── records of each concept ──\n",
        *(part for concept in used.all_concepts for part in _concept(concept)),
        _by_injection(),
        'define function Gravidity(at DateTime):\n  Common.Gravidity(at, "pregnancy", "pregnancy_end")\n',
        "// ── tests on order, or waiting for a result ──\n",
        *(_ordered(CATALOGUE[name]) for name in sorted(used.ordered)),
    ]
    return "\n".join(parts)


# ── units ────────────────────────────────────────────────────────────────────────────────────────────


def _codes() -> list[Unit]:
    return sorted(set(UNITS.values()), key=lambda u: (u.dimension, u.factor, u.code))


def _middle() -> dict[str, Decimal]:
    """A unit of each dimension in which what a laboratory prints is neither huge nor tiny."""
    return {dimension: UNITS[_MIDDLE.get(dimension, base)].factor for dimension, base in BASE_UNIT.items()}


def _dimensions() -> list[tuple[str, str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for unit in _codes():
        grouped[unit.dimension].append(unit.code)
    return [(dimension, _texts(codes)) for dimension, codes in grouped.items()]


def _factors() -> list[tuple[str, str]]:
    middle = _middle()
    grouped: dict[Decimal, list[str]] = defaultdict(list)
    for unit in _codes():
        grouped[unit.factor / middle[unit.dimension]].append(unit.code)
    return [(decimal(factor), _texts(codes)) for factor, codes in sorted(grouped.items())]


# ── analytes ─────────────────────────────────────────────────────────────────────────────────────────


def _analyte(analyte: Analyte, used: Used) -> Iterator[str]:
    name = analyte.name
    crossings = [f"Tuple {{ unit: {quoted(u)}, factor: {f} }}" for u, f in _crossings(analyte)]
    yield (
        f"// {analyte.display}\ndefine {identifier(f'crossings of {name}')}:\n"
        f"  {listed(crossings, 'Tuple { unit String, factor Decimal }')}\n"
    )
    yield (
        f"define {identifier(f'{name} in any state')}:\n"
        f"  Common.ResultsOf({listed(map(quoted, sorted(analyte.loinc)), 'String')},"
        f" {identifier(f'crossings of {name}')})\n"
    )
    yield f"define {identifier(name)}:\n  {_judged(analyte)}\n"
    if analyte.name in used.preliminary | used.ordered:
        yield (
            f"define {identifier(f'{name} pending')}:\n"
            f"  Common.Pending({identifier(f'{name} in any state')})\n"
        )
    if analyte.name in used.preliminary:
        waiting = f"({identifier(f'{name} pending')} R where R.status = 'preliminary')"
        yield (
            f"define {identifier(f'{name} also preliminary')}:\n"
            f"  Flatten({{ {identifier(name)}, {waiting} }})\n"
        )


def _crossings(analyte: Analyte) -> Iterator[tuple[str, str]]:
    """Units and how many canonical units one of each is."""
    if analyte.canonical_unit:
        yield _code(analyte.canonical_unit), "1.0"
    for crossing in analyte.factors:
        yield _code(crossing.unit), decimal(crossing.factor)


def _code(unit: str) -> str:
    return next(u.code for text, u in UNITS.items() if text == unit) if unit in UNITS else unit


def _judged(analyte: Analyte) -> str:
    reported = f"Common.Judged({identifier(f'{analyte.name} in any state')})"
    highest = "null as Decimal" if analyte.hard_high is None else decimal(analyte.hard_high)
    match analyte.name:
        case "tsat":
            return f'Common.Saturations({reported}, "iron", "tibc", "uibc", "transferrin", {highest})'
        case "mentzer_index":
            computed = f'Common.Quotients("mcv", "rbc", 1.0, false, {highest}, false)'
            return f"Flatten({{ {reported}, {computed} }})"
        case _:
            return reported


def _ordered(analyte: Analyte) -> str:
    codes = listed(map(quoted, sorted({*analyte.loinc, *analyte.panels})), "String")
    asked = [f"(R.system = {quoted(LOINC)} and R.code in {codes})"]
    if analyte.ordered_as is not None:
        asked.append(found("R.name", analyte.ordered_as))
    return (
        f"define {identifier(f'{analyte.name} ordered')}:\n"
        f'  exists(Common."Orders" R\n'
        f"    where R.status = {quoted(ACTIVE)} and R.beganBy >= Common.AsOf - {hours(ORDER_AGE)}\n"
        f"      and ({' or '.join(asked)}))\n"
        f"  or exists({identifier(f'{analyte.name} pending')} R"
        f" where R.at >= Common.AsOf - {hours(PENDING_AGE)})\n"
    )


# ── concepts ─────────────────────────────────────────────────────────────────────────────────────────


def why_not(concept: Concept) -> str | None:
    """Why a concept cannot be said in CQL; None when it can."""
    try:
        _meaning(concept)
    except NotExportable as error:
        return str(error)
    return next((why for part in concept.parts if (why := why_not(part))), None)


def _concept(concept: Concept) -> Iterator[str]:
    if why := why_not(concept):
        yield f"// {concept.name} is left out: {why}\n"
        return
    if concept.kind == NOTE:
        said = "false" if concept.name_pattern is None else found("N", concept.name_pattern)
        name = identifier(f"says {concept.name}")
        yield f"// {concept.display}\ndefine function {name}(N String):\n  {said}\n"
        return
    means = [f"({_meaning(concept)} and Common.StatusCounts(R, {quoted(concept.resolved)}))"]
    means += [f"{identifier(f'is {part.name}')}(R)" for part in concept.parts]
    any_of = "\n    or ".join(means)
    yield (
        f"// {concept.display}\n"
        f"define function {identifier(f'is {concept.name}')}(R {RECORD}):\n"
        f"  ({any_of}) is true\n"
    )
    records = _LISTS[RecordKind(concept.kind)]
    yield (
        f"define {identifier(concept.name)}:\n"
        f'  Common."{records}" R where {identifier(f"is {concept.name}")}(R)\n'
    )


def _meaning(concept: Concept) -> str:
    """Whether code or name of R are the concept's own, parts aside."""
    means = [*_in_systems(concept.codes)]
    if concept.name_pattern is not None:
        means.append(found("R.name", concept.name_pattern))
    said = f"({' or '.join(means)}) is true" if means else "false"
    without = [*_in_systems(concept.exceptions)]
    return f"{said} and ({' or '.join(without)}) is not true" if without else said


def _in_systems(patterns: tuple[CodePattern, ...]) -> Iterator[str]:
    by_system: dict[str, list[CodePattern]] = defaultdict(list)
    for pattern in patterns:
        by_system[pattern.system].append(pattern)
    for system, codes in by_system.items():
        tests = [
            f"({quoted(p.low)} <= Substring(R.code, 0, {len(p.low)})"
            f" and Substring(R.code, 0, {len(p.low)}) <= {quoted(p.high)})"
            for p in codes
            if p.glob is None
        ]
        globs = [_expression(p) for p in codes if p.glob is not None]
        if globs:
            tests.append(f"Matches(R.code, {quoted('(?:' + '|'.join(globs) + ')')})")
        yield f"(R.system = {quoted(system)} and ({' or '.join(tests)}))"


def _expression(pattern: CodePattern) -> str:
    """A code with `*`, `?` and `[..]`, as in file names, as a regular expression."""
    plain = pattern.plain
    parts = re.findall(r"\[!?[^\]]*\]|.", plain)
    return "".join(_GLOB.get(p) or (p.replace("[!", "[^") if len(p) > 1 else re.escape(p)) for p in parts)


_GLOB = {"*": ".*", "?": "."}


def _by_injection() -> str:
    return (
        f'define function "by injection"(R {RECORD}):\n'
        f'  {found("R.route", INJECTING)} or "is injection_product"(R)\n'
    )


def _texts(items: list[str] | tuple[str, ...]) -> str:
    return ", ".join(map(quoted, items))
