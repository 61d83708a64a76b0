"""What depends on age or weeks of pregnancy where these are not known or not to be believed: unknown."""

from datetime import UTC, date, datetime

import pytest

from rules.case_facts import case_facts
from rules.evaluate import Evaluator, Vocabulary
from rules.facts import History, Patient, Sex
from rules.history import View
from rules.syntax import parse_leaf
from rules.truth import Truth

MORNING = datetime(2025, 6, 2, 8, tzinfo=UTC)


def age(born: date | None) -> int | None:
    return View(History(Patient("urn:mrn", "1", born, Sex.FEMALE), (), (), ()), MORNING).age


@pytest.mark.parametrize("born", [None, date(1800, 1, 1), date(2025, 6, 3), date(2090, 1, 1)])
def test_b53_an_unknown_or_unbelievable_birth_date_is_no_age(born: date | None) -> None:
    assert age(born) is None


@pytest.mark.parametrize(
    ("born", "years"),
    [(date(2025, 6, 2), 0), (date(2007, 6, 2), 18), (date(2007, 6, 3), 17), (date(2008, 2, 29), 17)],
)
def test_b53_an_age_is_in_completed_years(born: date, years: int) -> None:
    assert age(born) == years


@pytest.mark.parametrize(
    ("said", "truth", "note"),
    [
        ("now pregnant 34 wk", Truth.FALSE, "34 weeks"),
        ("now pregnant 35 wk", Truth.TRUE, "35 weeks"),
        ("now pregnant", Truth.UNKNOWN, "weeks not said"),
        ("now not pregnant", Truth.FALSE, "not pregnant"),
    ],
)
def test_how_far_a_pregnancy_is_is_unknown_until_the_weeks_are_said(
    said: str, truth: Truth, note: str
) -> None:
    view = View(*case_facts(f"now ferritin 9 ug/L; {said}"))
    answer = Evaluator(view, Vocabulary()).answer(parse_leaf("gestation > 34 wk"))
    assert (answer.truth, answer.tree.note) == (truth, note)
