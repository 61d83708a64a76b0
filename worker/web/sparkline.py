"""A tiny trend line as SVG, drawn on the server, so that it needs no script and prints."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT, EDGE = 64, 18, 3


def sparkline(points: Sequence[tuple[float, float]]) -> Markup:
    """SVG of (time, value) pairs, oldest first; nothing for fewer than two.

    Floats are for pixels only: no number that is read or judged comes from here.
    """
    if len(points) < 2:
        return Markup("")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    dots = [
        (_place(x, min(xs), max(xs), WIDTH), HEIGHT - _place(y, min(ys), max(ys), HEIGHT))
        for x, y in zip(xs, ys, strict=True)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
    last_x, last_y = dots[-1]
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" aria-hidden="true" focusable="false">'
        '<polyline points="{line}"/><circle cx="{x}" cy="{y}" r="2.4"/></svg>'
    ).format(w=WIDTH, h=HEIGHT, line=line, x=f"{last_x:.1f}", y=f"{last_y:.1f}")


def _place(value: float, low: float, high: float, size: int) -> float:
    if high == low:
        return size / 2
    return EDGE + (value - low) / (high - low) * (size - 2 * EDGE)
