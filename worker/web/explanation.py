"""The tree that says why an alert fired, as it is drawn: sign, word, condition, what was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from worker.web import words
from worker.web.evidence import on_record_in, results_in

SIGNS = {"true": ("✓", "true"), "false": ("✗", "not true"), "unknown": ("?", "cannot be told")}


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of the tree and what hangs below it."""

    truth: str
    sign: str
    word: str
    text: str
    seen: tuple[str, ...]
    parts: tuple[Branch, ...]
    open: bool


def branch(node: Mapping[str, Any], now: datetime, zone: ZoneInfo, *, deciding: bool = True) -> Branch:
    """The node and all below it, with the value, time and limit at each leaf.

    What is true on the way down from the root stands open; the rest is folded, and there to be opened.
    """
    deciding = deciding and node["truth"] == "true"
    sign, word = SIGNS[node["truth"]]
    return Branch(
        truth=node["truth"],
        sign=sign,
        word=word,
        text=node["text"],
        seen=() if node["parts"] else _seen(node, now, zone),
        parts=tuple(branch(part, now, zone, deciding=deciding) for part in node["parts"]),
        open=deciding,
    )


def _seen(node: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> tuple[str, ...]:
    results = [
        f"{r.name} {r.text}, {words.full_day(r.effective_at, zone)}" for r in results_in(node["evidence"])
    ]
    lines = [*results, *on_record_in(node["evidence"], now, zone)]
    if node["note"]:
        lines.append(node["note"])
    return tuple(lines)
