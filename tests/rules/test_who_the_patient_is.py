"""What depends on age or sex where these are not known or not to be believed: unknown, and shown as that."""

from datetime import UTC, date, datetime

import pytest

from rules.facts import History, Patient, Sex
from rules.history import View

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
