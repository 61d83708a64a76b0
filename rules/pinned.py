"""Which words with a condition no case asks for: an action, a headline, a text or a follow-up of a rule.

Only whether cases ask, on both sides where there are two; whether they would notice is `rules.mutate`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.rule import Cased, Rule


def unpinned(rule: Rule) -> Iterator[tuple[str, str]]:
    """The words that no case pins, and what to add."""
    for action in _guarded(rule.actions):
        for key, when in (("do", "it is asked for"), ("do_not", "it is not")):
            if not any(phrase in action for case in rule.cases for phrase in getattr(case, key)):
                yield action, f"no case pins the action '{action}'; add one where {when}, with '{key}'"
    for headline in _guarded(rule.headlines):
        if all(case.headline != headline for case in rule.cases):
            yield headline, f"no case has the headline '{headline}'; add one, with 'headline'"
    for text in _guarded(rule.texts):
        others = [other.value for other in rule.texts if other.value != text]
        said = [case.says for case in rule.cases if case.says is not None and case.says in text]
        if all(any(words in other for other in others) for words in said):
            yield (
                text,
                "no case asks for the text of this condition; add one, with 'says' and words only it has",
            )
    yield from _unpinned_follow_up(rule)


def _unpinned_follow_up(rule: Rule) -> Iterator[tuple[str, str]]:
    asked = [case.expects for case in rule.cases if case.expects is not None]
    for expected in rule.follow_up:
        awaited = [(expected.expect, expected.within.days) in expects for expects in asked]
        for found, when in ((True, "it follows"), (False, "it does not")):
            if expected.when is not None and found not in awaited:
                said = f"no case pins the follow-up '{expected.expect}'; add one where {when}, with 'expects'"
                yield expected.expect, said


def _guarded(cases: tuple[Cased[str], ...]) -> Iterator[str]:
    return (case.value for case in cases if case.when is not None)
