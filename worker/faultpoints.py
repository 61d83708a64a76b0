"""Where fault tests make the process die, to see that nothing is lost. Does nothing unless a test asks.

Settings refuse FERRULE_FAULTPOINTS without FERRULE_ALLOW_FAULTS=yes, so no site has it by mistake.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Mapping

POINTS = ("before-commit", "inside-commit", "after-commit", "poison")

_chances: dict[str, float] = {}


def arm(text: str) -> None:
    """Take `before-commit=0.05,after-commit=0.05`: the chance of death at each pass of a point.

    Raises ValueError for a point that does not exist.
    """
    _chances.clear()
    for part in filter(None, text.split(",")):
        point, _, chance = part.partition("=")
        if point.strip() not in POINTS:
            raise ValueError(f"no such fault point: {point}")
        _chances[point.strip()] = float(chance or "1")


def armed() -> Mapping[str, float]:
    """The points at which this process may die."""
    return dict(_chances)


def reach(point: str) -> None:
    """Die here, as if by SIGKILL, if a test asked for it."""
    if _chances and random.random() < _chances.get(point, 0.0):  # noqa: S311
        os.kill(os.getpid(), signal.SIGKILL)
