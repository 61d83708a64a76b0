"""A measured figure and its yardstick, taken in turns so that both see the same machine."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Measure = Callable[[], float]
"""One run: how many per second."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of several runs."""

    unit: str
    runs: tuple[float, ...]

    @property
    def value(self) -> float:
        """The median run."""
        return statistics.median(self.runs)

    def as_json(self) -> dict[str, Any]:
        """The shape of `--json`."""
        return {
            "value": round(self.value, 2),
            "unit": self.unit,
            "runs": [round(run, 2) for run in self.runs],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """A bench's outcome. `about` says what was measured: sizes, parts and versions, nothing of a patient."""

    bench: str
    figure: Figure
    yardstick: Figure
    about: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The figure in yardsticks, median over median."""
        return self.figure.value / self.yardstick.value

    @property
    def spread(self) -> float:
        """How far the ratios of the single turns lie apart, as a share of the ratio: the noise in it."""
        turns = [figure / yard for figure, yard in zip(self.figure.runs, self.yardstick.runs, strict=True)]
        return (max(turns) - min(turns)) / self.ratio

    def as_json(self) -> str:
        """One JSON object, as `--json FILE` writes it."""
        return json.dumps(
            {
                "bench": self.bench,
                "figure": self.figure.as_json(),
                "yardstick": self.yardstick.as_json(),
                "ratio": round(self.ratio, 4),
                "spread": round(self.spread, 4),
                "about": self.about,
            }
        )


def in_turns(figure: Measure, yardstick: Measure, runs: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both measured `runs` times, alternating, the one that begins changing from turn to turn."""
    figures: list[float] = []
    yards: list[float] = []
    for turn in range(runs):
        steps = [(figures, figure), (yards, yardstick)]
        for runs_of, measure in steps if turn % 2 == 0 else reversed(steps):
            runs_of.append(measure())
    return tuple(figures), tuple(yards)
