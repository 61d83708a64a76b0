"""The audit chain on both databases (S22): whatever is touched is found, at every position.

And whoever touches it must first take off the database's own guard (S23).
"""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, func, select, text
from sqlalchemy.exc import IntegrityError

from alerts import audit
from alerts.audit import Entry, Head
from alerts.leases import writing
from alerts.people import Actor
from alerts.tables import ALERT_EVENT, AUDIT, AUDIT_SEAL, DELIVERY, NOTICE
from rules.findings import Ended
from rules.truth import Truth
from tests.alerts.made_up import ADA, Ward, day, judged
from tests.services.schema import take_off_guards

READER = Actor(ADA.system, ADA.id, "192.0.2.1")
RECORDS = 12


def note(connection: Connection, number: int, *, first: int = 0) -> None:
    audit.record(
        connection,
        [
            Entry(
                "alert.read",
                READER,
                "alert",
                str(i),
                day(i / 1_000),
                patient_id=1,
                data={"n": i, "text": "µg/L"},
            )
            for i in range(first, first + number)
        ],
    )


@pytest.fixture
def sealed(engine: Engine) -> Head:
    """A chain of RECORDS links, sealed in two runs."""
    with writing(engine) as connection:
        note(connection, RECORDS // 2)
        audit.seal(connection)
        note(connection, RECORDS - RECORDS // 2, first=RECORDS // 2)
        audit.seal(connection)
        return audit.head(connection)


def found_after(engine: Engine, tamper: Callable[[Connection], Any], head: Head | None = None) -> bool:
    """Whether the verifier notices what `tamper` did; it is undone again."""
    with engine.connect() as connection, connection.begin() as transaction:
        take_off_guards(connection)
        tamper(connection)
        broken = audit.verify(connection, kept_head=head)
        transaction.rollback()
    return bool(broken)


def test_an_untouched_chain_has_no_break(engine: Engine, sealed: Head) -> None:
    assert sealed.seq == RECORDS
    assert not found_after(engine, lambda _connection: None, sealed)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", "alert.dismiss"),
        ("actor_ident", "somebody else"),
        ("at", day(99)),
        ("patient_id", None),
        ("object_id", "4711"),
        ("outcome", "denied"),
        ("origin", ""),
        ("data", {"n": -1}),
    ],
)
def test_s22_a_changed_record_is_found_at_every_position(
    engine: Engine, sealed: Head, column: str, value: Any
) -> None:
    for position in range(1, RECORDS + 1):
        this = AUDIT.c.id == at(engine, position)
        assert found_after(
            engine, lambda c, this=this: c.execute(AUDIT.update().where(this).values({column: value}))
        )


@pytest.mark.parametrize(
    ("column", "value"), [("previous", "f" * 64), ("hash", "f" * 64), ("audit_id", 4711)]
)
def test_s22_a_changed_link_is_found_at_every_position(
    engine: Engine, sealed: Head, column: str, value: Any
) -> None:
    for position in range(1, RECORDS + 1):
        this = AUDIT_SEAL.c.seq == position
        assert found_after(
            engine, lambda c, this=this: c.execute(AUDIT_SEAL.update().where(this).values({column: value}))
        )


def test_s22_a_removed_record_is_found_at_every_position(engine: Engine, sealed: Head) -> None:
    for position in range(1, RECORDS + 1):
        this = AUDIT.c.id == at(engine, position)
        assert found_after(engine, lambda c, this=this: c.execute(AUDIT.delete().where(this)))


def test_s22_a_record_removed_with_its_link_is_found_at_every_position(engine: Engine, sealed: Head) -> None:
    for position in range(1, RECORDS + 1):

        def tamper(connection: Connection, position: int = position) -> None:
            connection.execute(AUDIT.delete().where(AUDIT.c.id == at(engine, position)))
            connection.execute(AUDIT_SEAL.delete().where(AUDIT_SEAL.c.seq == position))

        assert found_after(engine, tamper, sealed)


def test_s22_two_records_that_change_places_are_found_at_every_position(engine: Engine, sealed: Head) -> None:
    for position in range(1, RECORDS):

        def tamper(connection: Connection, position: int = position) -> None:
            a, b = at(engine, position), at(engine, position + 1)
            for number, audit_id in ((position, -1), (position + 1, a), (position, b)):
                link = AUDIT_SEAL.c.seq == number
                connection.execute(AUDIT_SEAL.update().where(link).values(audit_id=audit_id))

        assert found_after(engine, tamper)


def test_s22_an_inserted_record_is_found_with_and_without_a_link_at_every_position(
    engine: Engine, sealed: Head
) -> None:
    assert found_after(engine, lambda connection: note(connection, 1, first=99))
    for position in range(1, RECORDS + 1):

        def tamper(connection: Connection, position: int = position) -> None:
            note(connection, 1, first=99)
            forged = connection.execute(select(AUDIT).order_by(AUDIT.c.id.desc()).limit(1)).one()
            links = select(AUDIT_SEAL).where(AUDIT_SEAL.c.seq >= position).order_by(AUDIT_SEAL.c.seq.desc())
            later = connection.execute(links).all()
            for link in later:
                moved = AUDIT_SEAL.update().where(AUDIT_SEAL.c.seq == link.seq).values(seq=link.seq + 1)
                connection.execute(moved)
            previous = later[-1].previous
            made = {"seq": position, "audit_id": forged.id, "previous": previous}
            connection.execute(AUDIT_SEAL.insert().values(**made, hash=audit.link_hash(previous, forged)))

        assert found_after(engine, tamper)


def test_s22_a_cut_tail_is_found_against_a_head_that_was_kept(engine: Engine, sealed: Head) -> None:
    for position in range(1, RECORDS + 1):

        def tamper(connection: Connection, position: int = position) -> None:
            connection.execute(AUDIT.delete().where(AUDIT.c.id >= at(engine, position)))
            connection.execute(AUDIT_SEAL.delete().where(AUDIT_SEAL.c.seq >= position))

        assert found_after(engine, tamper, sealed)
        assert not found_after(engine, tamper)


def test_s22_a_chain_written_anew_is_found_against_a_head_that_was_kept(engine: Engine, sealed: Head) -> None:
    def tamper(connection: Connection) -> None:
        connection.execute(AUDIT.update().where(AUDIT.c.id == at(engine, 1)).values(outcome="denied"))
        connection.execute(AUDIT_SEAL.delete())
        audit.seal(connection)

    assert found_after(engine, tamper, sealed)
    assert not found_after(engine, tamper)


def test_only_what_is_older_is_looked_at_when_asked(engine: Engine, sealed: Head) -> None:
    with engine.connect() as connection, connection.begin():
        take_off_guards(connection)
        connection.execute(AUDIT.update().where(AUDIT.c.id == at(engine, RECORDS)).values(outcome="denied"))
        assert audit.verify(connection, until=day(0.001)) == []
        assert [b.kind for b in audit.verify(connection)] == ["changed"]


def test_sealing_again_seals_only_what_is_new(engine: Engine, sealed: Head) -> None:
    with writing(engine) as connection:
        assert audit.seal(connection) == 0
        note(connection, 3, first=50)
        assert audit.seal(connection, limit=2) == 2
        assert audit.seal(connection, limit=2) == 1
        assert audit.verify(connection, kept_head=sealed) == []


def test_a_record_that_was_committed_late_is_sealed_late(engine: Engine) -> None:
    with writing(engine) as connection:
        note(connection, 1)
        early = connection.execute(select(AUDIT)).one()
        take_off_guards(connection)
        connection.execute(AUDIT.delete())
        note(connection, 1, first=1)
        audit.seal(connection)
        connection.execute(AUDIT.insert().values(**early._mapping))
        assert audit.seal(connection) == 1
        assert audit.verify(connection) == []


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_second_sealer_does_nothing_while_one_is_at_work(engine: Engine) -> None:
    with writing(engine) as connection:
        note(connection, 2)
    with writing(engine) as one, writing(engine) as other:
        assert audit.seal(one) == 2
        assert audit.seal(other) == 0


@pytest.mark.parametrize(
    "tamper",
    [
        lambda c: c.execute(ALERT_EVENT.update().values(reason="lab-error")),
        lambda c: c.execute(ALERT_EVENT.update().where(ALERT_EVENT.c.seq == 2).values(data={})),
        lambda c: c.execute(ALERT_EVENT.delete().where(ALERT_EVENT.c.seq == 2)),
        lambda c: c.execute(
            ALERT_EVENT.insert().from_select(
                [
                    "alert_id",
                    "seq",
                    "step",
                    "to_state",
                    "reason",
                    "actor_system",
                    "actor_ident",
                    "at",
                    "data",
                ],
                select(
                    ALERT_EVENT.c.alert_id,
                    ALERT_EVENT.c.seq + 10,
                    ALERT_EVENT.c.step,
                    ALERT_EVENT.c.to_state,
                    ALERT_EVENT.c.reason,
                    ALERT_EVENT.c.actor_system,
                    ALERT_EVENT.c.actor_ident,
                    ALERT_EVENT.c.at,
                    ALERT_EVENT.c.data,
                ),
            )
        ),
    ],
    ids=["changed", "emptied", "removed", "inserted"],
)
def test_s22_a_step_of_an_alert_is_sealed_with_its_record(
    engine: Engine, tamper: Callable[[Connection], Any]
) -> None:
    ward = Ward(engine, {"lab|F1": ADA})
    ward.judge(judged())
    ward.judge(judged(pattern=Truth.FALSE), at=1, why=Ended.NEWER_FACT)
    with writing(engine) as connection:
        assert (
            audit.seal(connection) == connection.execute(select(func.count()).select_from(AUDIT)).scalar_one()
        )
    assert not found_after(engine, lambda _connection: None)
    assert found_after(engine, tamper_after_notices(tamper))


def tamper_after_notices(tamper: Callable[[Connection], Any]) -> Callable[[Connection], Any]:
    """Whoever removes a step removes first what points at it."""

    def both(connection: Connection) -> None:
        connection.execute(NOTICE.delete())
        connection.execute(DELIVERY.delete())
        tamper(connection)

    return both


def at(engine: Engine, position: int) -> int:
    with engine.connect() as connection:
        link = select(AUDIT_SEAL.c.audit_id).where(AUDIT_SEAL.c.seq == position)
        return int(connection.execute(link).scalar_one())


@pytest.mark.parametrize("table", [AUDIT, AUDIT_SEAL, ALERT_EVENT], ids=lambda table: table.name)
@pytest.mark.parametrize("what", ["update {} set {} = {}", "delete from {}", "truncate {} cascade"])
def test_s23_not_even_the_owner_changes_or_removes_a_row_by_mistake(
    engine: Engine, table: Table, what: str
) -> None:
    Ward(engine, {"lab|F1": ADA}).judge(judged())
    with writing(engine) as connection:
        audit.seal(connection)
        before = connection.execute(select(table)).all()
    if what.startswith("truncate") and engine.dialect.name == "sqlite":
        what = "delete from {} where true"
    column = "seq" if table is AUDIT_SEAL else "id"

    with pytest.raises(IntegrityError, match="are only added"), writing(engine) as connection:
        connection.execute(text(what.format(table.name, column, column)))

    with writing(engine) as connection:
        assert connection.execute(select(table)).all() == before != []
