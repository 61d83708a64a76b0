"""HL7's "final, value not sent again" (OBX-11 U): the version takes the value of the one before it.

Works on all stored versions, so that the order in which they arrived makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from rules.facts import Result
from rules.history import RANK, version_order
from worker.intake.result_facts import STATUS_ONLY_DETAIL


def with_values(results: Iterable[Result]) -> tuple[Result, ...]:
    """The versions, each bare change of status filled in from a version of the same result.

    It counts from when both were known. One without a version to fill it in stays what it is: not numeric.
    """
    given = tuple(results)
    bare = [result for result in given if result.detail == STATUS_ONLY_DETAIL]
    if not bare:
        return given
    valued: dict[str, list[Result]] = defaultdict(list)
    for result in given:
        if result.detail != STATUS_ONLY_DETAIL:
            valued[result.key].append(result)
    filled = {
        id(change): _filled(change, of) for change in bare if (of := _valued(change, valued[change.key]))
    }
    return tuple(filled.get(id(result), result) for result in given)


def _valued(change: Result, versions: Iterable[Result]) -> Result | None:
    """The version a bare change of status is about: the newest said before it, else the first after.

    A correction is no part of it: it outranks the change, and says its own value.
    """
    possible = [version for version in versions if RANK[version.status] <= RANK[change.status]]
    before = [version for version in possible if _said_before(version, change)]
    return max(before, key=version_order) if before else min(possible, key=_said, default=None)


def _said_before(version: Result, change: Result) -> bool:
    if version.issued_at is None or change.issued_at is None:
        return version.arrival <= change.arrival
    return _said(version) <= _said(change)


def _said(version: Result) -> tuple[datetime, int]:
    return version.issued_at or datetime.min.replace(tzinfo=UTC), version.arrival


def _filled(change: Result, version: Result) -> Result:
    return replace(
        version,
        status=change.status,
        effective_at=version.effective_at or change.effective_at,
        issued_at=change.issued_at or version.issued_at,
        known_at=max(change.known_at, version.known_at),
        arrival=max(change.arrival, version.arrival),
        reading=change.reading,
    )
