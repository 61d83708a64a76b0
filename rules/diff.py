"""What changed in meaning between two sets of rule files, in words: limits and terms, not lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import ndiff

from rules.catalogue import condition_lines
from rules.load import reached
from rules.nodes import Condition
from rules.rule import Cased, Rule
from rules.ruleset import Ruleset


def differences(old: Ruleset, new: Ruleset) -> Iterator[str]:
    """One block of lines for each rule, definition or table that means something else."""
    for name in sorted(old.rules.keys() | new.rules.keys()):
        yield from _named("rule", name, list(_rule(old.rules.get(name), new.rules.get(name), old, new)))
    before, after = old.vocabulary.definitions, new.vocabulary.definitions
    for name in sorted(before.keys() | after.keys()):
        lines = list(_condition(before.get(name), after.get(name), old, new))
        users = ", ".join(r.id for r in new.rules.values() if name in reached(r.conditions, after))
        yield from _named("definition", name, [*lines, f"  concerns {users or 'no rule'}"] if lines else [])
    tables_before, tables_after = _tables(old), _tables(new)
    for name in sorted(tables_before.keys() | tables_after.keys()):
        lines = list(_changed(tables_before.get(name, []), tables_after.get(name, [])))
        yield from _named("table", name, lines)


def _named(what: str, name: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"{what} {name}"
        yield from lines


def _rule(old: Rule | None, new: Rule | None, before: Ruleset, after: Ruleset) -> Iterator[str]:
    if old is None or new is None:
        yield "  new" if old is None else "  gone"
        return
    for what, was, now in (
        ("status", old.status, new.status),
        ("version", old.version, new.version),
        ("quiet after an answer", old.quiet, new.quiet),
        ("yields to", ", ".join(old.yields_to), ", ".join(new.yields_to)),
        ("stands beside", ", ".join(old.annotates), ", ".join(new.annotates)),
    ):
        if was != now:
            yield f"  {what}: {was or 'nothing'} → {now or 'nothing'}"
    yield from _headed("fires when", _condition(old.when, new.when, before, after))
    yield from _headed("held back while", _condition(old.hold, new.hold, before, after))
    for what, cases_before, cases_after in (
        ("severity", old.severities, new.severities),
        ("headline", old.headlines, new.headlines),
        ("text", old.texts, new.texts),
        ("to do", old.actions, new.actions),
    ):
        changed = _changed(_cased(cases_before, before), _cased(cases_after, after))
        yield from _headed(what, changed)
    yield from _headed("expects", _changed(_expected(old), _expected(new)))


def _headed(what: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"  {what}"
        yield from (f"  {line}" for line in found)


def _condition(
    old: Condition | None, new: Condition | None, before: Ruleset, after: Ruleset
) -> Iterator[str]:
    yield from _changed(_words(old, before), _words(new, after))


def _words(condition: Condition | None, ruleset: Ruleset) -> list[str]:
    if condition is None:
        return []
    return [f"{'  ' * line.depth}{line.words}" for line in condition_lines(condition, ruleset)]


def _cased(cases: tuple[Cased[object], ...], ruleset: Ruleset) -> list[str]:
    lines: list[str] = []
    for case in cases:
        lines += [str(case.value), *(f"  when {w.strip()}" for w in _words(case.when, ruleset))]
    return lines


def _expected(rule: Rule) -> list[str]:
    return [f"{f.expect} within {f.within.days} d" for f in rule.follow_up]


def _changed(old: list[str], new: list[str]) -> Iterator[str]:
    """The lines that are only on one side, `-` before and `+` now."""
    if old != new:
        yield from (f"  {line}" for line in ndiff(old, new) if line.startswith(("- ", "+ ")))


def _tables(ruleset: Ruleset) -> Mapping[str, list[str]]:
    return {
        name: [f"{row.words}: {row.printed}" for row in table.rows]
        for name, table in ruleset.vocabulary.tables.items()
    }
