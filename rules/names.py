"""What laboratories call things: which analytes a name stands for, and when it contradicts a code.

A name never decides what a code means; it only proposes, or refuses. The data is library/names.yaml. A wrong
proposal is worse than none: a name must be one of the list, but for a slip of the pen in a long word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from rules.analytes import CATALOGUE
from rules.library_files import read_library

_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_NOT_A_WORD = re.compile(r"[^\w%]+|_")
SLIP = 0.85
"""How alike two words must be for one to be a slip of the pen for the other."""
SHORTEST_SLIP = 6


def plain_name(text: str) -> str:
    """A name as it is compared: no case, no accents, words with one space between them."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(_NOT_A_WORD.sub(" ", letters).split())


@dataclass(frozen=True, slots=True)
class SomethingElse:
    """Words that say a name is of something that looks like ours; right for the analytes in `fits`."""

    what: str
    words: tuple[str, ...]
    fits: frozenset[str]

    def found_in(self, plain: str) -> bool:
        """Whether one of the words stands in a plain name."""
        return any(f" {word} " in f" {plain} " for word in self.words)


_FILE = read_library("names.yaml")
_SPECIMEN = frozenset(word for text in _FILE["specimen"] for word in plain_name(text).split())


def _by_name() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for analyte, names in _FILE["names"].items():
        if analyte not in CATALOGUE:
            raise ValueError(f"names.yaml: unknown analyte {analyte!r}")
        for name in names:
            found[plain_name(name)].add(analyte)
    return {name: frozenset(analytes) for name, analytes in found.items()}


NAMES: Mapping[str, frozenset[str]] = _by_name()
"""Every plain name and the analytes it is used for."""

_ELSE = tuple(
    SomethingElse(one["what"], tuple(map(plain_name, one["words"])), frozenset(one.get("fits", ())))
    for one in _FILE["something_else"]
)


@lru_cache(maxsize=4096)  # a laboratory has few hundred names
def analytes_named(name: str) -> frozenset[str]:
    """The analytes that a name stands for; none when it is not on the list, or says it is something else."""
    for form in _forms(name):
        if form in NAMES:
            return NAMES[form]
    return frozenset()


@lru_cache(maxsize=4096)
def contradiction(name: str, analyte: str) -> str | None:
    """What a name says that the analyte is not, in our words; None when it may well be its name."""
    named = analytes_named(name)
    if named:
        if analyte in named:
            return None
        return " or ".join(sorted(CATALOGUE[one].display for one in named))
    other = something_else(name)
    return other.what if other and analyte not in other.fits else None


def something_else(name: str) -> SomethingElse | None:
    """What a name says it is, where that only looks like one of ours."""
    plain = plain_name(name)
    return next((other for other in _ELSE if other.found_in(plain)), None)


@lru_cache(maxsize=4096)
def proposed(name: str) -> frozenset[str]:
    """The analytes that were probably meant: by a listed name, else by one with a slip of the pen."""
    named = analytes_named(name)
    if named or something_else(name):
        return named
    return next((NAMES[near] for form in _forms(name) for near in NAMES if _slip(form, near)), frozenset())


def _forms(name: str) -> tuple[str, ...]:
    """The name as it is, without brackets, and without words about the specimen."""
    bare = _BRACKETS.sub(" ", name)
    words = [word for word in plain_name(bare).split() if word not in _SPECIMEN]
    return tuple(
        dict.fromkeys(form for form in (plain_name(name), plain_name(bare), " ".join(words)) if form)
    )


def _slip(name: str, listed: str) -> bool:
    """Whether every word of the name is a word of the listed one, at most one of them misspelled."""
    given, wanted = name.split(), listed.split()
    if len(given) != len(wanted):
        return False
    wrong = [(g, w) for g, w in zip(given, wanted, strict=True) if g != w]
    return len(wrong) == 1 and _alike(*wrong[0])


def _alike(given: str, wanted: str) -> bool:
    long_enough = min(len(given), len(wanted)) >= SHORTEST_SLIP
    return long_enough and SequenceMatcher(None, given, wanted).ratio() >= SLIP
