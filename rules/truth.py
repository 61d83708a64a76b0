"""The three answers a condition can have, and how they combine (Kleene's strong logic)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Truth(Enum):
    """True, false, or unknown: the facts at hand do not settle it."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, answer: bool | None) -> Truth:
        """The truth of a Python answer; None is unknown."""
        if answer is None:
            return cls.UNKNOWN
        return cls.TRUE if answer else cls.FALSE


def all_of(truths: Iterable[Truth]) -> Truth:
    """True if every one is; false if any is false; else unknown. Of nothing: true."""
    seen = set(truths)
    if Truth.FALSE in seen:
        return Truth.FALSE
    return Truth.UNKNOWN if Truth.UNKNOWN in seen else Truth.TRUE


def any_of(truths: Iterable[Truth]) -> Truth:
    """True if any one is; false if every one is false; else unknown. Of nothing: false."""
    seen = set(truths)
    if Truth.TRUE in seen:
        return Truth.TRUE
    return Truth.UNKNOWN if Truth.UNKNOWN in seen else Truth.FALSE


def none_of(truths: Iterable[Truth]) -> Truth:
    """False if any one is true, else true: an unknown excludes nothing (clinical.md 4.0.1, "Unknown")."""
    return Truth.FALSE if Truth.TRUE in set(truths) else Truth.TRUE


def at_least(n: int, truths: Iterable[Truth]) -> Truth:
    """True if n are true; false if n cannot be reached even were every unknown true; else unknown."""
    seen = list(truths)
    true = seen.count(Truth.TRUE)
    if true >= n:
        return Truth.TRUE
    return Truth.UNKNOWN if true + seen.count(Truth.UNKNOWN) >= n else Truth.FALSE
