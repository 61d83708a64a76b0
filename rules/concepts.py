"""Concepts: which codes and names on a patient's lists, or words in notes, mean the same to a rule.

The data is library/concepts/*.yaml. A concept says what a record means and whether a resolved one counts;
when it counts (look-backs, courses) is up to `rules.courses` and the rule files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from rules.analytes import CATALOGUE
from rules.facts import Record, RecordKind
from rules.library_files import library_names, read_library

Entry = Mapping[str, Any]
NOTE = "note"
SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "icd10": ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10"),
    "icd10pcs": ("http://www.cms.gov/Medicare/Coding/ICD10", "http://hl7.org/fhir/sid/icd-10-pcs"),
    "snomed": ("http://snomed.info/sct",),
    "rxnorm": ("http://www.nlm.nih.gov/research/umls/rxnorm",),
    "atc": ("http://www.whocc.no/atc",),
    "cpt": ("http://www.ama-assn.org/go/cpt",),
    "unii": ("http://fdasis.nlm.nih.gov",),
}
_SYSTEM_OF = {uri: short for short, uris in SYSTEMS.items() for uri in uris}
LOINC = "http://loinc.org"
_RESOLVED = frozenset({"resolved", "inactive", "remission"})
NEVER_A_FACT = frozenset({"entered-in-error", "refuted", "not-taken", "draft", "not-done"})


class Resolved(StrEnum):
    """Whether a resolved or inactive condition still counts; Z codes tell of the past, so they do."""

    Z_CODES = "z-codes"
    COUNTS = "counts"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class CodePattern:
    """Codes of one system: all that fit `glob`, or, of `SYSTEMS`, a range by leading characters."""

    system: str
    text: str
    low: str = ""
    high: str = ""
    glob: re.Pattern[str] | None = None

    @property
    def plain(self) -> str:
        """The pattern in the plain form of the codes it is held against; ICD-10 takes all below a code."""
        plain = _plain_code(self.system, self.text)
        return f"{plain}*" if self.system == "icd10" and not plain.endswith("*") else plain

    def fits(self, system: str, code: str) -> bool:
        """Whether the code, in the plain form of `_plain_code`, is one of them."""
        if system != self.system:
            return False
        if self.glob is not None:
            return self.glob.match(code) is not None
        return self.low <= code[: len(self.low)] <= self.high


@dataclass(frozen=True, slots=True, eq=False)
class Concept:
    """One meaning. `kind` is a record kind or "note"; `parts` are concepts that belong to it whole.

    `checked` (primary, secondary, no) tells how sure the least sure of its codes is; `source` says of what.
    """

    name: str
    kind: str
    display: str
    codes: tuple[CodePattern, ...]
    exceptions: tuple[CodePattern, ...]
    name_pattern: re.Pattern[str] | None
    resolved: Resolved
    parts: tuple[Concept, ...]
    checked: str
    source: str
    example: tuple[str, str, str]

    def counts(self, record: Record) -> bool:
        """Whether the record means this, and its status lets it count."""
        if _means(self, record.system, record.code, record.name) and self._status_counts(record):
            return True
        return any(part.counts(record) for part in self.parts)

    def _status_counts(self, record: Record) -> bool:
        if record.status in NEVER_A_FACT:
            return False
        if record.kind is not RecordKind.CONDITION or record.status not in _RESOLVED:
            return True
        past = _SYSTEM_OF.get(record.system) == "icd10" and record.code.upper().startswith("Z")
        return self.resolved is Resolved.COUNTS or (past and self.resolved is Resolved.Z_CODES)


def matches(concept: Concept, record: Record) -> bool:
    """Whether the record is of the concept's kind, means it, and may count by its status."""
    return record.kind == concept.kind and concept.counts(record)


def fits_plain(concept: Concept, system: str, code: str) -> bool:
    """Whether a code (`E61.1`, no pattern) of a system, by its short name, means the concept."""
    return _means(concept, system, code, "") or any(fits_plain(p, system, code) for p in concept.parts)


def with_parts(names: Iterable[str], concepts: Mapping[str, Concept]) -> Iterator[str]:
    """The names, and those of all that belongs to them."""
    for name in names:
        yield name
        yield from with_parts((part.name for part in concepts[name].parts), concepts)


def note_matches(concept: Concept, notes: Iterable[str]) -> bool:
    """Whether any of a result's notes says what a note concept looks for."""
    pattern = concept.name_pattern
    return pattern is not None and any(pattern.search(note) for note in notes)


def route_class(record: Record, injected: Concept) -> str:
    """`injection` for an injecting route or an `injected` product, else `oral` (no route included)."""
    by_route = INJECTING.search(record.route or "") is not None
    return "injection" if by_route or injected.counts(record) else "oral"


def order_matches_analyte(record: Record, analyte: str) -> bool:
    """Whether an order asks for the analyte: by its LOINC codes, a panel that holds it, or its name."""
    entry = CATALOGUE[analyte]
    if record.kind is not RecordKind.ORDER:
        return False
    if record.system == LOINC and (record.code in entry.loinc or record.code in entry.panels):
        return True
    return entry.ordered_as is not None and entry.ordered_as.search(record.name) is not None


INJECTING = re.compile(
    r"inject|\bi\.?m\b|intramuscular|\bs\.?c\b|subcut|\bi\.?v\b|intravenous|parenteral", re.IGNORECASE
)


@lru_cache(maxsize=65536)
def _means(concept: Concept, system: str, code: str, name: str) -> bool:
    """Whether code or name are the concept's own, parts aside. Kept: lists repeat the same few codes."""
    short = short_system(system)
    plain = _plain_code(short, code)
    if any(p.fits(short, plain) for p in concept.exceptions):
        return False
    named = concept.name_pattern is not None and concept.name_pattern.search(name) is not None
    return named or any(p.fits(short, plain) for p in concept.codes)


def short_system(uri: str) -> str:
    """A code system by its short name where it has one here, else by its URI."""
    return _SYSTEM_OF.get(uri, uri)


def _plain_code(system: str, code: str) -> str:
    plain = code.strip().upper()
    return plain.replace(".", "") if system == "icd10" else plain


# ── reading the library ──────────────────────────────────────────────────────────────────────────────


def _pattern(system: str, text: str) -> CodePattern:
    plain = _plain_code(system, text)
    if system in SYSTEMS and (bounds := re.fullmatch(r"(\w+)-(\w+)", plain)):
        return CodePattern(system, text, low=bounds[1], high=bounds[2])
    return CodePattern(system, text, glob=re.compile(translate(CodePattern(system, text).plain)))


def _patterns(by_system: Mapping[str, Iterable[str]]) -> tuple[CodePattern, ...]:
    return tuple(_pattern(system, text) for system, texts in by_system.items() for text in texts)


def _example(entry: Mapping[str, Any], codes: tuple[CodePattern, ...]) -> tuple[str, str, str]:
    """System, code and name of a made-up record that means the concept (cases and docs use it)."""
    if "example" in entry:
        return "", "", entry["example"]
    plain = next((p for p in codes if re.fullmatch(r"[\w.]+[*-]?\w*", p.text)), None)
    if plain is None:
        return "", "", entry["display"]
    code = plain.text.rstrip("*") if plain.glob else plain.text.split("-")[0]
    return SYSTEMS.get(plain.system, (plain.system,))[0], code, entry["display"]


def _concept(name: str, entries: Mapping[str, Entry]) -> Concept:
    entry = entries[name]
    names = entry.get("names")
    codes = _patterns(entry.get("codes", {}))
    parts = tuple(_concept(part, entries) for part in entry.get("includes", ()))
    return Concept(
        name=name,
        kind=entry["kind"] if entry["kind"] == NOTE else RecordKind(entry["kind"]),
        display=entry["display"],
        codes=codes,
        exceptions=_patterns(entry.get("except", {})),
        name_pattern=re.compile(names, re.IGNORECASE) if names else None,
        resolved=Resolved(entry.get("resolved", "z-codes")),
        parts=parts,
        checked=entry["checked"],
        source=entry["source"],
        example=_example(entry, codes) if codes or names else parts[0].example,
    )


def concepts_of(entries: Mapping[str, Entry]) -> Mapping[str, Concept]:
    """Every concept by its name."""
    return MappingProxyType({name: _concept(name, entries) for name in entries})


def _entries() -> Iterator[tuple[str, Entry]]:
    seen: set[str] = set()
    for file in library_names("concepts"):
        for name, entry in read_library("concepts", file).items():
            if name in seen:
                raise ValueError(f"concepts/{file}: {name} is there twice")
            seen.add(name)
            yield name, entry


LIBRARY: Mapping[str, Entry] = MappingProxyType(dict(_entries()))
"""The library's concepts as they stand in its files."""

CONCEPTS: Mapping[str, Concept] = concepts_of(LIBRARY)
"""The library's concepts; at a site, `Vocabulary.concepts` may hold more."""
