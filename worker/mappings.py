"""Mapping files: what one laboratory's codes and unit spellings mean, and what is wrong with such a file.

A file with an error is refused whole: half a mapping would lose results in silence. Who uses which file is
`worker.sources`; what arrives unmapped is `worker.code_gaps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rules.analytes import (
    CATALOGUE,
    AnalyteKind,
    analyte_by_loinc,
    dimensions_of,
    loinc_check_digit_ok,
    why_unmapped,
)
from rules.nearest import nearest
from rules.shaping import shaped
from rules.units import UNITS, unit_of
from rules.yaml_source import Path_, Source, read_yaml
from worker.intake.code_systems import system_uri
from worker.intake.dialect import CodeKey, LocalCode, plain_label
from worker.source_shape import LISTED, CodeShape, MappingFileShape


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a mapping file. A warning does not keep the file from being used."""

    path: Path_
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class LabMapping:
    """A mapping file, read."""

    codes: Mapping[CodeKey, LocalCode]
    labels: Mapping[str, LocalCode]
    units: Mapping[str, str]


def read_mapping(path: Path) -> LabMapping:
    """The mapping in a file.

    Raises:
        BadFile: pointing at the first thing wrong.
    """
    source, shape = _read(path)
    for fault in _faults(shape):
        if not fault.warning:
            raise source.error(fault.path, fault.message)
    system = system_uri(shape.system)
    entries = [(entry, _local(entry)) for entry in shape.codes]
    return LabMapping(
        codes={(system, local.code): local for _, local in entries if local.code},
        labels={plain_label(label): local for entry, local in entries for label in entry.labels},
        units={spelling.strip(): code for spelling, code in shape.units.items()},
    )


def check_mapping(path: Path) -> list[tuple[str, int, Fault]]:
    """Everything wrong with a file, with its name and line.

    Raises:
        BadFile: it is no mapping file at all.
    """
    source, shape = _read(path)
    found = [(source.file, source.line(fault.path), fault) for fault in _faults(shape)]
    return sorted(found, key=lambda one: one[1])


def _read(path: Path) -> tuple[Source, MappingFileShape]:
    source = read_yaml(path)
    return source, shaped(source, MappingFileShape, LISTED)


def _local(entry: CodeShape) -> LocalCode:
    return LocalCode(
        code=(entry.code or "").strip(),
        analyte=entry.analyte,
        loinc=entry.loinc,
        unit=entry.unit,
        ignored=entry.ignore or "",
        labels=frozenset(map(plain_label, entry.labels)),
    )


# ── what may be wrong ────────────────────────────────────────────────────────────────────────────────


def _faults(shape: MappingFileShape) -> Iterator[Fault]:
    for spelling, code in shape.units.items():
        yield from _unit_faults(spelling, code)
    for at, entry in enumerate(shape.codes):
        yield from _code_faults(entry, ("codes", at))
    yield from _repeated(shape)


def _unit_faults(spelling: str, code: str) -> Iterator[Fault]:
    known = unit_of(code)
    if known is None:
        yield Fault(("units", spelling), f"'{code}' is no unit of the list; {_near_unit(code)}")
        return
    meant = unit_of(spelling)
    if meant is not None and meant != known:
        yield Fault(
            ("units", spelling),
            f"'{spelling}' is {meant.code} everywhere, not {known.code}; drop it, ask the laboratory",
        )


def _near_unit(text: str) -> str:
    return nearest(text, UNITS) + "rules/library/units.yaml lists them"


def _code_faults(entry: CodeShape, path: Path_) -> Iterator[Fault]:
    if not (entry.code or entry.labels):
        yield Fault(path, "neither code nor labels; say what is sent")
    given = [key for key in ("analyte", "loinc", "ignore") if getattr(entry, key)]
    if len(given) != 1:
        yield Fault(path, "say exactly one of loinc, analyte or ignore")
        return
    if entry.ignore:
        if entry.unit:
            yield Fault((*path, "unit"), "a code that is ignored needs no unit; drop it")
        return
    meant = _meant(entry)
    if isinstance(meant, Fault):
        yield Fault((*path, *meant.path), meant.message)
        return
    yield from _default_unit_faults(entry, meant, path)


def _meant(entry: CodeShape) -> tuple[str, frozenset[str]] | Fault:
    """The analyte that an entry names and the dimensions its units may have; or what is wrong with it."""
    if entry.loinc:
        if not loinc_check_digit_ok(entry.loinc):
            return Fault(("loinc",), f"the check digit of {entry.loinc} is wrong; look the code up again")
        known = analyte_by_loinc(entry.loinc)
        if known is None:
            what = why_unmapped(entry.loinc) or "no analyte of ours"
            return Fault(
                ("loinc",),
                f"{entry.loinc} is {what}; `ferrule rules analytes` lists codes, else use `ignore`",
            )
        return known[0].name, dimensions_of(known[1])
    analyte = CATALOGUE.get(entry.analyte or "")
    if analyte is None:
        near = nearest(entry.analyte or "", CATALOGUE)
        return Fault(
            ("analyte",), f"unknown analyte '{entry.analyte}'; {near}`ferrule rules analytes` lists them"
        )
    dimensions = {*analyte.crossings, *(d for p in analyte.loinc.values() for d in dimensions_of(p))}
    return analyte.name, frozenset(dimensions)


def _default_unit_faults(entry: CodeShape, meant: tuple[str, frozenset[str]], path: Path_) -> Iterator[Fault]:
    name, dimensions = meant
    if entry.unit is None:
        return
    known = unit_of(entry.unit)
    if known is None:
        yield Fault((*path, "unit"), f"'{entry.unit}' is no unit of the list; {_near_unit(entry.unit)}")
    elif CATALOGUE[name].kind is AnalyteKind.QUANTITY and known.dimension not in dimensions:
        wanted = " or ".join(sorted(dimensions))
        yield Fault((*path, "unit"), f"{known.code} is no unit of {wanted}, which {name} has here")


def _repeated(shape: MappingFileShape) -> Iterator[Fault]:
    seen: dict[tuple[str, str], int] = {}
    for at, entry in enumerate(shape.codes):
        names = [("code", entry.code.strip())] if entry.code else []
        names += [] if entry.code else [("label", plain_label(label)) for label in entry.labels]
        for name in names:
            if name in seen:
                yield Fault(("codes", at), f"the {name[0]} '{name[1]}' stands twice; keep one")
            seen[name] = at
