"""What is kept of what was said, and what has the last word, in any order of arrival."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rules.courses import current_records
from rules.facts import Status
from rules.history import View
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.pipeline import judge
from worker.records import Stored, load
from worker.tables import PATIENT, RECORD, RESULT

NOW = datetime.now(UTC).replace(microsecond=0)


def ferritin(value: str, issued_hours_ago: float | None = None, status: str = "final") -> dict[str, Any]:
    """Versions of one result of one specimen."""
    issued = None if issued_hours_ago is None else (NOW - timedelta(hours=issued_hours_ago)).isoformat()
    taken = (NOW - timedelta(hours=30)).isoformat()
    return {**result("R1", "ferritin", value, status), "effective_at": taken, "issued_at": issued}


def said(id: str, hours_ago: float, results: Sequence[dict[str, Any]] = (), **data: Any) -> dict[str, Any]:
    whole = event(id, list(results)) | {"time": (NOW - timedelta(hours=hours_ago)).isoformat()}
    return whole | {"data": whole["data"] | data}


def tell(engine: Engine, *events: dict[str, Any]) -> Stored:
    """Each event by itself, one after the other; what is then stored of the patient."""
    deps = deps_on(engine)
    for one in events:
        judge(deps, [receipt.message for receipt in accept(engine, [inbound(one)])])
    with reading(engine) as connection:
        return load(connection, [1])[1]


def value(stored: Stored) -> str:
    (current,) = View(stored.history, datetime.now(UTC)).results("ferritin")
    assert current.quantity
    return str(current.quantity.value)


def test_b72_a_value_said_again_after_another_has_the_last_word_without_issue_times(engine: Engine) -> None:
    versions = [said(f"M{n}", 3 - n, [ferritin(v)]) for n, v in enumerate(["9", "90", "9"])]
    assert value(tell(engine, *versions)) == "9"


def test_a_repeat_is_kept_once_and_still_outlasts_one_between_that_is_judged_late(engine: Engine) -> None:
    deps = deps_on(engine)
    events = [said(f"M{n}", 3 - n, [ferritin(v)]) for n, v in enumerate(["9", "90", "9"])]
    ids = [receipt.message for one in events for receipt in accept(engine, [inbound(one)])]
    for one in (ids[0], ids[2], ids[1]):
        judge(deps, [one])
    with reading(engine) as connection:
        assert len(connection.execute(select(RESULT.c.id)).all()) == 2
        assert value(load(connection, [1])[1]) == "9"


SUPPLEMENT = {
    "id": "MED1",
    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "code": "11248",
    "name": "Vitamin B12",
    "start": "2026-01-01",
}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_is_said_of_a_record_last_counts_in_any_order(engine: Engine, order: tuple[int, ...]) -> None:
    """Active at nine, stopped at ten, active again at eleven."""
    statuses = ["active", "stopped", "active"]
    events = [
        said(f"M{n}", 3 - n, medications=[SUPPLEMENT | {"status": status}])
        for n, status in enumerate(statuses)
    ]
    stored = tell(engine, *(events[at] for at in order))
    (now,) = current_records(stored.history.records, datetime.now(UTC))
    assert now.status == "active"


def test_a_list_that_comes_with_every_report_is_kept_once(engine: Engine) -> None:
    events = [said(f"M{n}", 9 - n, medications=[SUPPLEMENT | {"status": "active"}]) for n in range(5)]
    tell(engine, *events)
    with reading(engine) as connection:
        assert connection.execute(select(RECORD.c.last_message_id)).scalars().all() == [5]


BORN = {"system": "urn:mrn:north", "id": "P1", "birth_date": "1980-02-03", "sex": "female"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_each_trait_is_as_it_was_said_last_in_any_order(engine: Engine, order: tuple[int, ...]) -> None:
    """An older message that comes late overwrites nothing newer, and adds what nobody else said."""
    events = [
        said("M0", 3, patient=BORN | {"sex": "male", "name": "Ada Example"}),
        said("M1", 2, patient=BORN | {"deceased_at": "2026-11-01T10:00:00Z"}),
        said("M2", 1, patient=BORN | {"sex": "female", "deceased": False}),
    ]
    stored = tell(engine, *(events[at] for at in order))
    patient = stored.history.patient
    assert (patient.sex.value, patient.deceased_at, stored.name) == ("female", None, "Ada Example")
    assert patient.birth_date == date(1980, 2, 3)
    with reading(engine) as connection:
        assert connection.execute(select(PATIENT.c.sex, PATIENT.c.name)).one() == ("female", "Ada Example")


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_f62_b71_b72_versions_count_by_rank_then_issue_in_any_order(
    engine: Engine, order: tuple[int, ...]
) -> None:
    """A correction without its original, a preliminary after the final, a final with the old value after."""
    events = [
        said("M0", 5, [ferritin("9", 9)]),
        said("M1", 4, [ferritin("60", 8, "corrected")]),
        said("M2", 3, [ferritin("12", 7, "preliminary")]),
        said("M3", 2, [ferritin("9", 6)]),
    ]
    stored = tell(engine, *(events[at] for at in order))
    assert value(stored) == "60"
    assert len({r.issued_at for r in stored.history.results}) == 4
    assert value(tell(engine, said("M9", 1, [ferritin("9", 5, "final")]))) == "60"


def test_b71_a_correction_without_an_original_is_judged(engine: Engine) -> None:
    assert value(tell(engine, said("M1", 1, [ferritin("9", 2, "corrected")]))) == "9"


def test_b74_what_is_deleted_before_it_came_stays_deleted(engine: Engine) -> None:
    stored = tell(
        engine,
        said("M1", 2, [ferritin("", 2, "entered-in-error")]),
        said("M2", 1, [ferritin("9", 9)]),
    )
    assert not View(stored.history, datetime.now(UTC)).results("ferritin")
    assert {r.status for r in stored.history.results} == {Status.ENTERED_IN_ERROR, Status.FINAL}
