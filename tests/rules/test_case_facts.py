"""What the lines of a case mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rules.case_facts import BadCase, case_facts

AS_OF = datetime(2026, 3, 3, 8, tzinfo=UTC)


def test_times_count_back_from_the_moment_of_judging_wherever_its_line_stands() -> None:
    history, as_of = case_facts(
        "-90d  ferritin 29 ug/L\n-48h  crp 5 mg/L\nnow  b12 400 pg/mL\nas of 2026-03-03"
    )
    assert as_of == AS_OF
    ages = [as_of - r.effective_at for r in history.results if r.effective_at]
    assert ages == [timedelta(days=90), timedelta(hours=48), timedelta(0)]


def test_without_a_moment_of_judging_some_day_is_it_and_distances_stay() -> None:
    history, as_of = case_facts("-90d  ferritin 29 ug/L")
    assert [r.effective_at for r in history.results] == [as_of - timedelta(days=90)]


def test_dated_facts_alone_are_judged_at_the_newest() -> None:
    _, as_of = case_facts("2026-03-03  ferritin 29 ug/L\n2026-01-01  crp 5 mg/L")
    assert as_of == AS_OF


def test_records_and_pregnancy_count_back_too() -> None:
    history, as_of = case_facts("-10d medication b12_supplement oral until -5d; -2d pregnant 12 wk")
    assert [(r.start, r.end) for r in history.records] == [
        (as_of - timedelta(days=10), as_of - timedelta(days=5))
    ]
    assert [s.effective_at for s in history.pregnancy] == [as_of - timedelta(days=2)]


def test_semicolons_part_facts_as_lines_do() -> None:
    lines = "patient male 50 y\n-1d ferritin 29 ug/L\nnow crp 5 mg/L"
    assert case_facts(lines.replace("\n", "; ")) == case_facts(lines)


@pytest.mark.parametrize(
    "line", ["-90 ferritin 29 ug/L", "-d ferritin 29 ug/L", "as of", "as of soon", "-5d"]
)
def test_a_line_that_says_no_fact_is_refused_by_name(line: str) -> None:
    with pytest.raises(BadCase, match=line):
        case_facts(line)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("patient male 40 y", "no dated result; give one, or 'as of TIME'"),
        ("now feritin 9 ug/L", "unknown analyte 'feritin' in a case; did you mean 'ferritin'?"),
        ("now medication celiac", "'celiac' is a condition concept, not a medication"),
        ("now condition celiak", "'celiak' is neither a concept nor a code .* did you mean 'celiac'?"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_the_nearest(line: str, says: str) -> None:
    with pytest.raises(BadCase, match=says):
        case_facts(line)
