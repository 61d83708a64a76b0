"""Why a pattern ended: a correction, a newer fact, or only time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rules.case_facts import case_facts
from rules.facts import History, Status
from rules.findings import Ended
from rules.load import load_ruleset

RULESET = load_ruleset()
RULE = "b12-high-iron-deficient-unexplained"
PATTERN = """
2026-03-01  ferritin 9 ng/mL as F1
2026-03-01  b12 1450 pg/mL as B1
"""


def _history(given: str, known_at: datetime) -> History:
    """The facts of a case, all of them known at one moment."""
    history, _ = case_facts(given)
    return replace(
        history,
        results=tuple(replace(r, known_at=known_at) for r in history.results),
        records=tuple(replace(r, known_at=known_at) for r in history.records),
    )


THEN = datetime.fromisoformat("2026-03-01T09:00:00Z")
NOW = THEN + timedelta(days=20)


def _with(later: str, at: datetime = NOW) -> History:
    first, second = _history(PATTERN, THEN), _history(later, at)
    results = tuple(replace(r, arrival=r.arrival + 100) for r in second.results)
    records = tuple(replace(r, key=f"later-{r.key}") for r in second.records)
    return replace(first, results=first.results + results, records=records)


def test_the_pattern_stands_to_begin_with() -> None:
    assert RULE in {f.rule for f in RULESET.judge(_history(PATTERN, THEN), THEN).findings}


@pytest.mark.parametrize(
    ("later", "why"),
    [
        ("2026-03-01  b12 450 pg/mL corrected as B1", Ended.CORRECTED),
        ("2026-03-01  b12 1450 pg/mL cancelled as B1", Ended.CORRECTED),
        ("2026-03-01  b12 1450 pg/mL entered-in-error as B1", Ended.CORRECTED),
        ("2026-03-15  b12 450 pg/mL as B2", Ended.NEWER_FACT),
        ("2026-03-15  ferritin 80 ng/mL as F2\n2026-03-15  tsat 30 % as T2", Ended.NEWER_FACT),
        ("2026-02-01  medication b12_supplement oral\n2026-03-15  mcv 90 fL", Ended.NEWER_FACT),
    ],
)
def test_what_ended_it_is_told_from_the_facts(later: str, why: Ended) -> None:
    history = _with(later)
    assert RULE not in {f.rule for f in RULESET.judge(history, NOW).findings}
    assert RULESET.why_ended(RULE, history, THEN, NOW) is why


def test_the_passing_of_time_alone_is_named_as_that() -> None:
    later = THEN + timedelta(days=200)
    history = _history(PATTERN, THEN)
    assert RULESET.judge(history, later).findings == ()
    assert RULESET.why_ended(RULE, history, THEN, later) is Ended.TIME


def test_a_normal_value_after_the_window_still_counts_as_a_newer_fact() -> None:
    later = THEN + timedelta(days=200)
    history = _with("2026-09-01  b12 450 pg/mL as B2\n2026-09-01  ferritin 90 ug/L as F2", later)
    assert RULESET.why_ended(RULE, history, THEN, later) is Ended.NEWER_FACT


def test_a_rule_that_would_not_have_fired_then_was_changed() -> None:
    history = _history("2026-03-01  ferritin 90 ng/mL", THEN)
    assert RULESET.why_ended(RULE, history, THEN, NOW) is Ended.RULES_CHANGED
    assert RULESET.why_ended("no-such-rule", history, THEN, NOW) is Ended.RULES_CHANGED


def test_a_preliminary_version_after_the_final_one_ends_nothing() -> None:
    history = _with("2026-03-01  b12 450 pg/mL preliminary as B1")
    assert RULE in {f.rule for f in RULESET.judge(history, NOW).findings}
    assert {r.status for r in history.results} >= {Status.PRELIMINARY}


def test_a_record_that_was_taken_back_is_a_correction() -> None:
    rule, facts = "codeficiency-known-malabsorption", "2026-03-01 ferritin 9 ug/L; 2026-03-01 b12 120 pg/mL; "
    first = _history(f"{facts}2025-01-01 condition celiac", THEN)
    assert rule in {f.rule for f in RULESET.judge(first, THEN).findings}
    taken_back = replace(first.records[0], status="entered-in-error", known_at=NOW, arrival=99)
    history = replace(first, records=(*first.records, taken_back))
    assert RULESET.why_ended(rule, history, THEN, NOW) is Ended.CORRECTED
