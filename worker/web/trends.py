"""The points of a tiny trend line: one analyte's usable results in the dimension of the newest."""

from __future__ import annotations

from rules.history import View

POINTS = 8


def trend(view: View, analyte: str) -> list[tuple[float, float]]:
    """(seconds, value) of at most `POINTS` results, oldest first. For pixels only."""
    results = [r for r in view.results(analyte) if r.quantity is not None and r.effective_at is not None]
    if not results or results[0].quantity is None:
        return []
    dimension = results[0].quantity.dimension
    return [
        (r.effective_at.timestamp(), float(r.quantity.base))
        for r in reversed(results[:POINTS])
        if r.quantity is not None and r.effective_at is not None and r.quantity.dimension == dimension
    ]
