"""A rule in words, definitions opened one level down, so that a pathologist can read what will be judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules import nodes
from rules.load import resting_on
from rules.rule import Cased, Rule
from rules.ruleset import Ruleset
from rules.words import leaf_words


def rule_lines(rule: Rule, ruleset: Ruleset) -> Iterator[str]:
    """The rule as lines of text."""
    yield f"{rule.id}  version {rule.version}  {rule.status}"
    yield f"topic: {rule.topic}   owner: {rule.owner}   review by {rule.review_by}   {rule.file}:{rule.line}"
    yield ""
    if rule.rationale:
        yield rule.rationale
        yield ""
    yield from _cased("headline", rule.headlines, ruleset)
    yield from _cased("severity", rule.severities, ruleset)
    yield "fires when"
    yield from condition_lines(rule.when, ruleset, 1)
    if rule.hold is not None:
        yield f"held back while ({rule.hold_because})"
        yield from condition_lines(rule.hold, ruleset, 1)
    if rule.yields_to:
        yield f"yields to {', '.join(rule.yields_to)}"
    if rule.annotates:
        yield f"stands beside {', '.join(rule.annotates)}"
    yield from _cased("text", rule.texts, ruleset)
    yield from _cased("do", rule.actions, ruleset)
    for expected in rule.follow_up:
        yield f"expects {expected.expect} within {expected.within.days} d"
    yield f"quiet for {rule.quiet} after an answer, unless severity rises"
    for name in rule.sources:
        source = ruleset.sources[name]
        yield f"source {name}: {source.citation} (checked: {source.checked})"


def condition_lines(condition: nodes.Condition, ruleset: Ruleset, depth: int = 0) -> Iterator[str]:
    """A condition as an indented list; a definition is followed by what it means."""
    pad = "  " * depth
    match condition:
        case nodes.All(parts=parts):
            yield f"{pad}all of"
        case nodes.Any(parts=parts):
            yield f"{pad}any of"
        case nodes.NoneOf(parts=parts):
            yield f"{pad}none of"
        case nodes.AtLeast(n=n, parts=parts):
            yield f"{pad}at least {n} of"
        case nodes.Ref(name=name):
            yield f"{pad}- {ruleset.vocabulary.says.get(name, name)}, that is"
            parts = (ruleset.vocabulary.definitions[name],)
        case _:
            yield f"{pad}- {leaf_words(condition)}"
            return
    for part in parts:
        yield from condition_lines(part, ruleset, depth + 1)


def _cased(what: str, cases: Sequence[Cased[object]], ruleset: Ruleset) -> Iterator[str]:
    for case in cases:
        yield f"{what}: {case.value}"
        if case.when is not None:
            yield "  when"
            yield from condition_lines(case.when, ruleset, 2)


def change_lines(ruleset: Ruleset, rule_id: str | None = None) -> Iterator[str]:
    """What a site has changed, of one rule or of all: from, to, why, and who signed it."""
    rule = ruleset.rules.get(rule_id or "")
    names = None if rule is None else resting_on(rule.conditions, ruleset.vocabulary) | {rule.id}
    changes = [change for change in ruleset.site_changes if names is None or change.place in names]
    yield f"ruleset {ruleset.fingerprint}"
    if not changes:
        yield "as in the library: the site changes nothing here"
    for change in changes:
        yield f"{change.place}: {change.was} → {change.now}"
        yield f"  {change.because} ({change.signed})"
