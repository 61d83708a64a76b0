"""Two identifiers of a person, not one: a known number with another birth date or name is not believed.

Pure. What is missing does not speak against anybody. Nothing is judged for the stored patient; a person looks
at it, and releasing the message says that they are the same. A registration (ADT) may correct one of the two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace

from worker.committing import Group
from worker.demographics import Demographics
from worker.patients import PatientKey
from worker.quarantine import Aside
from worker.quarantine_reasons import QuarantineReason
from worker.reading import Read
from worker.records import Stored
from worker.statements import Said

MISMATCH = Aside.of(QuarantineReason.TWO_IDENTIFIER_MISMATCH, "patient")
CONFLICT = Aside.of(QuarantineReason.IDENTITY_CONFLICT, "PID-3")
_TITLES = "jr sr ii iii iv dr med prof mr mrs ms"
_PARTICLES = "van von de da di du der den la le el al bin"
_NOT_FAMILY = frozenset(f"{_TITLES} {_PARTICLES}".split())
_SPELLED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
_TRANSCRIBED = re.compile("(?<=[aou])e")


def checked(group: Group, stored: Mapping[int, Stored], ids: Mapping[PatientKey, int]) -> Group:
    """The group without what is said of somebody who seems to be another one; that is set aside."""
    said_before = {row: list(one.demographics) for row, one in stored.items()}
    known = {row for row, one in stored.items() if one.versions}
    return Group(tuple(_checked(read, said_before, known, ids) for read in group.reads))


def _checked(
    read: Read, before: dict[int, list[Demographics]], known: set[int], ids: Mapping[PatientKey, int]
) -> Read:
    kept, refused = [], list[Aside]()
    for said in read.said:
        row = ids[said.patient.system, said.patient.id]
        why = None if read.message.reading else _why_not(said, before[row], known, ids)
        if why is not None:
            refused.append(why)
            continue
        before[row] += said.demographics
        kept.append(said)
    if not refused:
        return read
    if not kept and not read.merges:
        return replace(read, said=(), whole=refused[0])
    return replace(read, said=tuple(kept), parts=(*read.parts, *dict.fromkeys(refused)))


def _why_not(
    said: Said, before: Iterable[Demographics], known: set[int], ids: Mapping[PatientKey, int]
) -> Aside | None:
    keys = ((said.patient.system, said.patient.id), *said.also)
    named = {ids[key] for key in keys if key in ids}
    if len(named & known) > 1:
        return CONFLICT
    before = list(before)
    differs = [_born_otherwise(one, before) + _named_otherwise(one, before) for one in said.demographics]
    return MISMATCH if any(count > (1 if said.registers else 0) for count in differs) else None


def _born_otherwise(said: Demographics, before: Iterable[Demographics]) -> bool:
    dates = {one.birth_date for one in before if one.birth_date}
    return bool(said.birth_date and dates and said.birth_date not in dates)


def _named_otherwise(said: Demographics, before: Iterable[Demographics]) -> bool:
    """Whether no family name they ever had is in the name, nor the other way round: a maiden name is one."""
    known = [one for one in before if one.name or one.family]
    if not known or not (said.name or said.family):
        return False
    return not any(family_names(said) & _words(one) or family_names(one) & _words(said) for one in known)


def family_names(said: Demographics) -> frozenset[str]:
    """The family names without case, accents, hyphens and particles; of a plain name its last word."""
    if said.family:
        return _plain(said.family)
    before_comma, comma, _ = (said.name or "").partition(",")
    words = [word for word in _split(before_comma) if word not in _NOT_FAMILY]
    return frozenset(words if comma else words[-1:])


def _words(said: Demographics) -> frozenset[str]:
    return _plain(f"{said.name or ''} {said.family or ''}")


def _plain(text: str) -> frozenset[str]:
    words = _split(text)
    return frozenset(word for word in words if word not in _NOT_FAMILY) or frozenset(words)


def _split(text: str) -> list[str]:
    """Words in lower case without accents; ü, ue and u are one."""
    letters = unicodedata.normalize("NFKD", text.casefold().translate(_SPELLED))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return [_TRANSCRIBED.sub("", word) for word in re.split(r"[\W\d_]+", bare.replace("'", "")) if word]
