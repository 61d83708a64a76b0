"""A measured figure and its yardstick, taken in turns so that both see the same machine."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
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
    """A bench's outcome. `about` says what was measured: sizes, parts and versions, nothing of a patient.

    `beside` are further figures of the same run, by what they are of.
    """

    bench: str
    figure: Figure
    yardstick: Figure
    about: dict[str, str] = field(default_factory=dict)
    beside: Mapping[str, Figure] = field(default_factory=dict)

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
                "beside": {name: figure.as_json() for name, figure in self.beside.items()},
                "about": self.about,
            }
        )


def in_turns(*measures: Measure, runs: int) -> tuple[tuple[float, ...], ...]:
    """The runs of each, all measured turn by turn; who begins changes from turn to turn."""
    found: list[list[float]] = [[] for _ in measures]
    for turn in range(runs):
        steps = list(zip(found, measures, strict=True))
        for runs_of, measure in steps if turn % 2 == 0 else reversed(steps):
            runs_of.append(measure())
    return tuple(map(tuple, found))
