"""The name that was probably meant, for a message about one that nothing has. Guesses nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, names: Iterable[str]) -> str:
    """`did you mean …? `, where a name is spelled much like the word; else nothing."""
    near = get_close_matches(word, list(names), n=1, cutoff=0.7)
    return f"did you mean '{near[0]}'? " if near else ""
