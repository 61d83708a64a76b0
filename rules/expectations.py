"""What a case expects of a rule beyond its outcome, and what came instead, in words.

Two things: whether what a case asks for can be meant (`unmeant`), and where a judgment differs from it
(`standing_differs`, `words_differ`). Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from rules.findings import RuleJudgment
from rules.nearest import nearest
from rules.rule import Case, Rule
from rules.truth import Truth

SPOKEN = frozenset({"fires", "held", "covered"})
"""The outcomes in which there are words to ask after: the pattern is true."""


def outcome(judged: RuleJudgment) -> str:
    """The word a case expects: fires, held, covered, unknown or silent."""
    if judged.pattern is Truth.UNKNOWN:
        return "unknown"
    if judged.pattern is Truth.FALSE:
        return "silent"
    if judged.held is not None:
        return "held"
    return "fires" if judged.covered_by is None else "covered"


# ── what a case asks for, held against the rule ──────────────────────────────────────────────────────────


def unmeant(case: Case, rule: Rule) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where in the case something is asked for that the rule cannot give, and why not."""
    actions = [action.value for action in rule.actions]
    for key, phrases in (("do", case.do), ("do_not", case.do_not)):
        for i, phrase in enumerate(phrases):
            if problem := _unnamed(phrase, actions):
                yield (key, i), problem
    for name, _ in case.expects or ():
        if name not in {f.expect for f in rule.follow_up}:
            yield ("expects", name), _not_there(name, [f.expect for f in rule.follow_up], "follow_up")
    for i, name in enumerate(case.beside or ()):
        if name not in rule.annotates:
            yield ("beside", i), _not_there(name, rule.annotates, "annotates")
    if case.expect not in SPOKEN and (asked := _first_asked(case)):
        yield (asked,), f"a case that is {case.expect} says nothing to do; drop '{asked}', or expect fires"


def _first_asked(case: Case) -> str | None:
    """The first key that only a pattern that is true can answer."""
    phrases = (key for key in ("do", "do_not") if getattr(case, key))
    others = (key for key in ("says", "expects", "quiet", "beside") if getattr(case, key) is not None)
    return next(chain(phrases, others), None)


def _unnamed(phrase: str, actions: Sequence[str]) -> str:
    """Why a phrase names no one action; nothing where it does."""
    found = [action for action in actions if phrase in action]
    if len(found) == 1:
        return ""
    if found:
        return f"'{phrase}' stands in {len(found)} actions; give more of the words of one"
    near = nearest(phrase, _runs(actions, len(phrase.split())))
    return f"no action says '{phrase}'; {near}words of an action are given as they stand under 'actions'"


def _runs(actions: Iterable[str], length: int) -> Iterator[str]:
    """Every run of so many words in the actions."""
    for action in actions:
        words = action.split()
        for start in range(max(1, len(words) - length + 1)):
            yield " ".join(words[start : start + length])


def _not_there(name: str, names: Sequence[str], key: str) -> str:
    there = ", ".join(dict.fromkeys(names)) or "nothing"
    return f"'{name}' does not stand under '{key}'; {nearest(name, names)}there stands {there}"


# ── what came instead ────────────────────────────────────────────────────────────────────────────────────


def standing_differs(case: Case, judged: RuleJudgment) -> Iterator[str]:
    """How the rule stands among the others: its outcome, and what it stands beside."""
    came = outcome(judged)
    if came != case.expect:
        by = f" by {judged.covered_by}" if judged.covered_by else ""
        yield f"expected {case.expect}, came {came}{by}"
    if case.beside is not None and set(judged.annotates) != set(case.beside):
        yield f"expected beside {_listed(case.beside)}; came {_listed(judged.annotates)}"


def words_differ(case: Case, judged: RuleJudgment, rule: Rule, as_of: datetime) -> Iterator[str]:
    """What is said, asked for and awaited, as far as the case asks."""
    if case.severity is not None and outcome(judged) == "fires" and judged.severity != case.severity:
        yield f"expected severity {case.severity}, came {judged.severity}"
    if case.headline is not None and judged.headline != case.headline:
        yield f"expected headline '{case.headline}', came '{judged.headline}'"
    if case.says is not None and case.says not in judged.text:
        yield f"expected the text to say '{case.says}', came '{judged.text}'"
    for phrase in case.do:
        if not _asked_for(phrase, judged):
            yield f"expected to do '{phrase}'; came: {'; '.join(judged.actions) or 'nothing'}"
    for phrase in case.do_not:
        if _asked_for(phrase, judged):
            yield f"expected not to do '{phrase}', and it is asked for"
    if case.expects is not None:
        came = sorted((f.expect, (f.due - as_of.date()).days) for f in judged.follow_up)
        if came != sorted(case.expects):
            yield f"expected to follow: {_awaited(case.expects)}; came {_awaited(came)}"
    if case.quiet is not None and rule.quiet != case.quiet:
        yield f"expected quiet for {case.quiet} after an answer, came {rule.quiet}"


def _asked_for(phrase: str, judged: RuleJudgment) -> bool:
    return any(phrase in action for action in judged.actions)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _awaited(expects: Iterable[tuple[str, int]]) -> str:
    return _listed(f"{name} within {days} d" for name, days in expects)
