"""How one sender writes: its zone, its decimal mark, what its own codes and units mean. Data alone.

Read from the sources file by `worker.sources`; what it changes in a result is `worker.intake.result_facts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo


class DecimalMark(StrEnum):
    """What stands between the whole and its parts in a sender's numbers."""

    POINT = "point"
    COMMA = "comma"


@dataclass(frozen=True, slots=True)
class LocalCode:
    """What a sender's own code means: a LOINC code, else an analyte; neither: known, and none of ours.

    `unit` stands where a result of this code comes without one, because its laboratory declares so. `labels`
    are the names under which it may come, in plain form: they contradict nothing.
    """

    code: str
    analyte: str | None = None
    loinc: str | None = None
    unit: str | None = None
    ignored: str = ""
    labels: frozenset[str] = frozenset()


CodeKey = tuple[str, str]
"""(coding system, code); the system is "" where the mapping names none, and then serves any."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One sender's way of writing. `labels` serve results that come with a name and no code."""

    zone: ZoneInfo | None = None
    decimal: DecimalMark = DecimalMark.POINT
    authority: str | None = None
    codes: Mapping[CodeKey, LocalCode] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, LocalCode] = field(default_factory=lambda: MappingProxyType({}))
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def meaning(self, system: str, code: str, name: str) -> LocalCode | None:
        """What is mapped for a code of `system`; without a code, for a name."""
        if not code:
            return self.labels.get(plain_label(name))
        return self.codes.get((system, code)) or self.codes.get(("", code))


def plain_label(text: str | None) -> str:
    """A name as it is compared: lower case, single spaces."""
    return " ".join((text or "").casefold().split())


PLAIN = Dialect()
"""A sender of whom nothing is configured."""
