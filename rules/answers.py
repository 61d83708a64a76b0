"""The answer a condition gives: its truth, what it rests on, what would settle it, and a line of explanation.

Combining answers is here, once, so that the evaluator reads as the meaning of the language and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from rules.findings import AbsentEvidence, Evidence, TreeNode
from rules.truth import Truth, all_of, any_of, at_least, none_of

Settles = frozenset[str] | None
"""Analytes any one of which alone could make the condition true; None: it is true already."""

NOTHING: Settles = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """What one condition says. `absent` lists what was not on record where it is false."""

    truth: Truth
    tree: TreeNode
    evidence: tuple[Evidence, ...] = ()
    absent: tuple[AbsentEvidence, ...] = ()
    settles: Settles = NOTHING


def leaf(
    text: str,
    truth: Truth,
    note: str = "",
    evidence: Sequence[Evidence] = (),
    absent: Sequence[AbsentEvidence] = (),
    settles: Settles = NOTHING,
) -> Answer:
    """The answer of a leaf; its tree line shows the evidence whatever the truth."""
    if truth is Truth.TRUE:
        settles = None
    elif truth is Truth.FALSE:
        settles = NOTHING
    kept = tuple(evidence) if truth is Truth.TRUE else ()
    return Answer(
        truth, TreeNode(text, truth, note, tuple(evidence) or tuple(absent)), kept, tuple(absent), settles
    )


def all_answers(parts: Sequence[Answer], text: str = "all of") -> Answer:
    """Every part."""
    truth = all_of(p.truth for p in parts)
    return _combined(text, truth, parts, _meet([p.settles for p in parts]))


def any_answer(parts: Sequence[Answer], text: str = "any of") -> Answer:
    """At least one part; the evidence is that of the true ones."""
    return _combined(text, any_of(p.truth for p in parts), parts, _join([p.settles for p in parts]))


def no_answer(parts: Sequence[Answer], text: str = "none of") -> Answer:
    """No part true; what was not on record is the evidence."""
    truth = none_of(p.truth for p in parts)
    evidence = tuple(a for p in parts for a in p.absent) if truth is Truth.TRUE else ()
    settles = None if truth is Truth.TRUE else NOTHING
    return Answer(truth, _tree(text, truth, parts), _once(evidence), (), settles)


def at_least_answers(n: int, parts: Sequence[Answer]) -> Answer:
    """At least n of the parts."""
    truth = at_least(n, (p.truth for p in parts))
    groups = [_meet([p.settles for p in group]) for group in combinations(parts, n)]
    return _combined(f"at least {n} of", truth, parts, _join(groups))


def renamed(answer: Answer, text: str, note: str = "") -> Answer:
    """The answer of a definition, under its name."""
    tree = TreeNode(text, answer.truth, note, parts=(answer.tree,))
    return Answer(answer.truth, tree, answer.evidence, answer.absent, answer.settles)


def _combined(text: str, truth: Truth, parts: Sequence[Answer], settles: Settles) -> Answer:
    evidence = tuple(e for p in parts if p.truth is Truth.TRUE for e in p.evidence)
    absent = tuple(a for p in parts for a in p.absent)
    kept = _once(evidence) if truth is Truth.TRUE else ()
    settled = {Truth.TRUE: None, Truth.FALSE: NOTHING, Truth.UNKNOWN: settles}[truth]
    return Answer(truth, _tree(text, truth, parts), kept, absent, settled)


def _tree(text: str, truth: Truth, parts: Sequence[Answer]) -> TreeNode:
    return TreeNode(text, truth, parts=tuple(p.tree for p in parts))


def _once(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(evidence))


def _meet(settles: Sequence[Settles]) -> Settles:
    narrow = [s for s in settles if s is not None]
    return frozenset.intersection(*narrow) if narrow else None


def _join(settles: Sequence[Settles]) -> Settles:
    return None if any(s is None for s in settles) else frozenset().union(*(s for s in settles if s))
