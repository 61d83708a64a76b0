"""Who a message is about: a number, and a birth date or a family name that do not speak against it."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select

from alerts.people import Actor
from alerts.tables import ALERT
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading, writing
from worker.demographics import Demographics
from worker.identity import family_names
from worker.pipeline import judge
from worker.quarantine import release
from worker.tables import EVALUATION, MESSAGE, PATIENT, QUARANTINE_ITEM, RESULT

BOTH = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
ADA = {
    "system": "urn:mrn:north",
    "id": "P1",
    "birth_date": "1980-02-03",
    "name": "Ada Example",
    "sex": "female",
}


def tell(engine: Engine, *events: dict[str, Any]) -> None:
    for one in events:
        judge(deps_on(engine), [receipt.message for receipt in accept(engine, [inbound(one)])])


def of(id: str, results: list[dict[str, Any]], patient: dict[str, Any]) -> dict[str, Any]:
    whole = event(id, results)
    return whole | {"data": whole["data"] | {"patient": patient}}


def reasons(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(QUARANTINE_ITEM.c.reason)).scalars())


@pytest.mark.parametrize("who", [{"birth_date": "1981-02-03"}, {"name": "Ada Other"}])
def test_b44_a_known_number_with_another_birth_date_or_family_name_is_set_aside(
    engine: Engine, who: dict[str, Any]
) -> None:
    tell(engine, of("M1", [], ADA), of("M2", BOTH, ADA | who))
    assert reasons(engine) == ["two-identifier-mismatch"]
    with reading(engine) as connection:
        assert connection.execute(select(ALERT.c.id)).all() == []
        assert connection.execute(select(RESULT.c.id)).all() == []
        assert len(connection.execute(select(EVALUATION.c.id)).all()) == 1, "nothing was judged"
        states = connection.execute(select(MESSAGE.c.state).order_by(MESSAGE.c.id)).scalars().all()
    assert states == ["judged", "quarantined"]


def test_b44_a_person_who_releases_it_says_that_they_are_one(engine: Engine) -> None:
    tell(engine, of("M1", [], ADA), of("M2", BOTH, ADA | {"birth_date": "1981-02-03"}))
    with writing(engine) as connection:
        message = release(connection, 1, Actor("urn:local", "somebody"))
    judge(deps_on(engine), [message])
    with reading(engine) as connection:
        assert connection.execute(select(ALERT.c.rule).where(ALERT.c.rule == RULE)).all()
        assert connection.execute(select(PATIENT.c.birth_date)).scalar_one() == date(1981, 2, 3)


@pytest.mark.parametrize(
    "who",
    [
        {"birth_date": None},
        {"name": None},
        {"name": "EXAMPLE, ADA"},
        {"name": "Ada Fox-Example"},
        {"sex": "male"},
    ],
)
def test_b44_what_is_missing_or_written_otherwise_is_no_mismatch(engine: Engine, who: dict[str, Any]) -> None:
    tell(engine, of("M1", [], ADA), of("M2", BOTH, ADA | who))
    assert reasons(engine) == []


def test_a_registration_may_correct_one_of_the_two_but_not_both(engine: Engine) -> None:
    def registration(id: str, **who: Any) -> dict[str, Any]:
        one = of(id, [], ADA | who) | {"type": "org.ferrule.record.v1"}
        return one | {"data": one["data"] | {"registration": True}}

    tell(engine, of("M1", BOTH, ADA), registration("M2", birth_date="1981-02-03"))
    assert reasons(engine) == []
    tell(engine, registration("M3", birth_date="1999-09-09", name="Somebody Else"))
    assert reasons(engine) == ["two-identifier-mismatch"]


def test_b43_identifiers_of_two_known_patients_are_a_conflict(engine: Engine) -> None:
    other = {"system": "urn:mrn:south", "id": "S1", "name": "Ben Other"}
    tell(engine, of("M1", [], ADA), of("M2", [], other), of("M3", BOTH, ADA | {"identifiers": [other]}))
    assert reasons(engine) == ["identity-conflict"]


def test_b45_somebody_unknown_with_a_valid_identifier_is_judged(engine: Engine) -> None:
    tell(engine, of("M1", BOTH, {"system": "urn:mrn:north", "id": "NEW"}))
    with reading(engine) as connection:
        assert connection.execute(select(PATIENT.c.name, PATIENT.c.birth_date)).one() == (None, None)
        assert connection.execute(select(RESULT.c.id)).all()


NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "Mueller"), ("MÜLLER", "Muller"), ("Sørensen", "Sorensen"), ("O'Brien", "OBrien"),
        ("van der Berg", "Berg"), ("García Márquez", "Marquez"), ("Łukasz", "Lukasz"),
    ],
)  # fmt: skip
def test_family_names_are_compared_without_case_accents_and_particles(one: str, other: str) -> None:
    def names(text: str) -> frozenset[str]:
        return family_names(Demographics(NOW, NOW, 1, family=text))

    assert names(one) & names(other)
    assert not names(one) & names("Somebody")
