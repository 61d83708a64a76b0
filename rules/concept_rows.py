"""Every concept as one row: its codes, and the rules that rest on it. Lists, judges nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rules.building import concepts_of, leaves
from rules.concepts import Concept, with_parts
from rules.load import resting_on
from rules.ruleset import Ruleset


def concept_codes(concept: Concept) -> list[str]:
    """The codes of a concept and its parts, `system: code`."""
    own = [f"{p.system}: {p.text}" for p in concept.codes]
    own += [f"not {p.system}: {p.text}" for p in concept.exceptions]
    if concept.name_pattern is not None:
        own.append(f"or a name like {concept.name_pattern.pattern}")
    return own + [code for part in concept.parts for code in concept_codes(part)]


def concept_rows(ruleset: Ruleset) -> list[dict[str, Any]]:
    """By name: kind, display, codes, parts, how far checked, and the rules that rest on it or expect it."""
    users = _users(ruleset)
    return [
        {
            "concept": concept.name,
            "kind": str(concept.kind),
            "display": concept.display,
            "codes": concept_codes(concept),
            "includes": [part.name for part in concept.parts],
            "resolved": concept.resolved.value,
            "checked": concept.checked,
            "source": concept.source,
            "rules": users.get(concept.name, []),
        }
        for concept in sorted(ruleset.vocabulary.concepts.values(), key=lambda c: c.name)
    ]


def _users(ruleset: Ruleset) -> Mapping[str, list[str]]:
    """The rules that rest on each concept, through definitions and as a part of another too."""
    concepts = ruleset.vocabulary.concepts
    users: dict[str, list[str]] = defaultdict(list)
    for rule in sorted(ruleset.rules.values(), key=lambda r: r.id):
        expected = [f.expect for f in rule.follow_up if f.expect in concepts]
        names = resting_on(rule.conditions, ruleset.vocabulary) | {*with_parts(expected, concepts)}
        for name in names & concepts.keys():
            users[name].append(rule.id)
    return users


def concepts_used(ruleset: Ruleset) -> list[Concept]:
    """The code sets that some rule or definition names, by their display."""
    conditions = [c for r in ruleset.rules.values() for c in r.conditions]
    conditions += ruleset.vocabulary.definitions.values()
    names = {name for c in conditions for leaf in leaves(c) for name in concepts_of(leaf)}
    expected = {f.expect for r in ruleset.rules.values() for f in r.follow_up}
    concepts = ruleset.vocabulary.concepts
    return sorted(
        (concepts[n] for n in names | (expected & concepts.keys())), key=lambda c: (c.display.lower(), c.name)
    )
