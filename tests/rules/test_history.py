"""What counts at a moment where the rule cases cannot say it: records dated by day, results still waiting."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rules.facts import History, Patient, PregnancyStatement, Record, RecordKind, Sex
from rules.history import View

ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
MORNING = datetime(2025, 6, 2, 8, tzinfo=UTC)


def view(*records):
    return View(History(Patient("urn:mrn", "1", None, Sex.FEMALE), (), records, ()), MORNING)


def pregnancy_coded_on(day):
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end_of_day = start + timedelta(days=1, microseconds=-1)
    return Record(
        "p", RecordKind.CONDITION, ICD10, "Z33.1", "", "active", start, None, start, 1, start_last=end_of_day
    )


@pytest.mark.parametrize(("days_ago", "counts"), [(0, True), (280, True), (281, False)])
def test_a_pregnancy_code_dated_by_day_counts_to_the_end_of_its_day(days_ago, counts):
    seen = view(pregnancy_coded_on(MORNING - timedelta(days=days_ago)))
    assert seen.gravidity().pregnant is counts


def test_a_pregnancy_code_that_a_later_code_ended_counts_no_more():
    coded = pregnancy_coded_on(MORNING - timedelta(days=100))
    ended = replace(coded, key="e", code="O80", start=MORNING - timedelta(days=9), start_last=None)
    assert view(coded).gravidity().pregnant
    assert not view(coded, ended).gravidity().pregnant


def test_a_statement_without_weeks_holds_for_280_days():
    said = PregnancyStatement(True, None, MORNING - timedelta(days=281), MORNING, 1)
    history = History(Patient("urn:mrn", "1", None, Sex.FEMALE), (), (), (said,))
    assert not View(history, MORNING).gravidity().pregnant
    recent = replace(said, effective_at=MORNING - timedelta(days=280))
    assert View(replace(history, pregnancy=(recent,)), MORNING).gravidity().pregnant
