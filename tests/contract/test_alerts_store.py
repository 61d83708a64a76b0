"""Alerts as they are kept, on both databases: one judging is one transaction and one delivery a recipient."""

import threading
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Row, Table, func, select
from sqlalchemy.exc import IntegrityError

from alerts import directory, store
from alerts.follow_up import Arrival
from alerts.leases import writing
from alerts.people import UNADDRESSED
from alerts.reconcile import Decision, reconcile
from alerts.steps import Conflict
from alerts.tables import ADDRESSEE, ALERT, ALERT_EVENT, AUDIT, DELIVERY, FOLLOW_UP, NOTICE
from rules.findings import Ended, Severity
from rules.truth import Truth
from tests.alerts.made_up import (
    ADA,
    BEN,
    HEMOGLOBIN,
    IRON,
    PATIENT,
    Ward,
    day,
    expected,
    ferritin,
    judged,
    judgment,
    no_supplement,
    not_ended,
)

ORDERERS = {"lab|F1": ADA, "lab|F2": BEN}
FALSE = judged(pattern=Truth.FALSE)


@pytest.fixture
def ward(engine: Engine) -> Ward:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, name=ADA.name, email="ada@hospital.test")
        directory.register(connection, BEN.address, name=BEN.name)
    return Ward(engine, ORDERERS, push=("email",))


def rows(engine: Engine, table: Table) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)).all())


def only(engine: Engine, table: Table) -> Row[Any]:
    (row,) = rows(engine, table)
    return row


def steps(engine: Engine) -> list[tuple[str, str]]:
    return [(e.step, e.reason) for e in rows(engine, ALERT_EVENT)]


def test_a_raised_alert_keeps_what_was_known(engine: Engine, ward: Ward) -> None:
    applied = ward.judge(judged(evidence=[ferritin(), no_supplement()]))
    alert = only(engine, ALERT)
    assert applied.alert_ids == (alert.id,)
    assert applied.raised == {(IRON, "high"): 1}
    assert (alert.state, alert.reason, alert.severity, alert.episode) == ("raised", "new-pattern", "high", 1)
    assert alert.evidence[0]["value"] == "9"
    assert alert.evidence[1] == {"absent": "b12_supplement", "since": "2025-12-01T09:00:00Z"}
    assert alert.tree["text"] == "ferritin < 30 ug/L"
    assert (alert.raised_at, alert.received_at, alert.closed_at) == (day(0), day(0), None)
    assert (alert.recipient_system, alert.recipient_ident) == (ADA.system, ADA.id)


def test_what_is_kept_of_an_episode_is_what_was_judged(engine: Engine, ward: Ward) -> None:
    evidence = (ferritin(), no_supplement())
    ward.judge(judged(evidence=evidence))
    with engine.connect() as connection:
        (episode,) = store.open_episodes(connection, PATIENT)
    assert episode.evidence == evidence
    assert episode.addressees == (ADA.address,)
    assert episode.as_of == day(0)


def test_episodes_of_many_patients_are_the_newest_of_each_rule(engine: Engine, ward: Ward) -> None:
    ward.judge(judged(), judged(HEMOGLOBIN))
    ward.judge(FALSE, judged(HEMOGLOBIN), at=1, why=Ended.NEWER_FACT)
    ward.judge(judged(), judged(HEMOGLOBIN), at=2)
    Ward(engine, patient_id=2).judge(judged())
    with engine.connect() as connection:
        found = store.episodes_of(connection, [PATIENT, 2, 3])
    assert {(p, e.rule, e.number) for p, episodes in found.items() for e in episodes} == {
        (PATIENT, IRON, 2),
        (PATIENT, HEMOGLOBIN, 1),
        (2, IRON, 1),
    }
    assert found[3] == []


def test_the_same_finding_again_writes_nothing(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    applied = ward.judge(judged(), at=1)
    assert applied.decisions == {("leave", "unchanged"): 1}
    assert applied.alert_ids == ()
    assert steps(engine) == [("raise", "new-pattern")]
    assert len(rows(engine, DELIVERY)) == 2


def test_every_step_has_one_event_and_one_audit_record(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    ward.judge(judged(severity=Severity.CRITICAL), at=1)
    ward.judge(FALSE, at=2, why=Ended.CORRECTED)
    assert steps(engine) == [
        ("raise", "new-pattern"),
        ("worsen", "severity-rose"),
        ("withdraw", "fact-corrected"),
    ]
    events = rows(engine, ALERT_EVENT)
    assert [e.seq for e in events] == [1, 2, 3]
    assert [a.event_id for a in rows(engine, AUDIT)] == [e.id for e in events]
    assert only(engine, ALERT).version == 3


def test_all_findings_of_one_judging_are_one_delivery_a_recipient_and_channel(
    engine: Engine, ward: Ward
) -> None:
    critical = judged(HEMOGLOBIN, severity=Severity.CRITICAL, headline="Hemoglobin is critically low")
    ward.judge(judged(), critical)
    deliveries = rows(engine, DELIVERY)
    assert [(d.channel, d.severity) for d in deliveries] == [("inbox", "critical"), ("email", "critical")]
    for delivery in deliveries:
        lines = [n.headline for n in rows(engine, NOTICE) if n.delivery_id == delivery.id]
        assert lines == ["Hemoglobin is critically low", "Iron deficiency, and nothing on record explains it"]


def test_what_is_low_is_not_on_the_mail_that_the_same_judging_sends(engine: Engine, ward: Ward) -> None:
    low = judged("companion-test-missing", severity=Severity.LOW, headline="B12 was not measured")
    ward.judge(judged(), low)
    by_id = {d.id: d.channel for d in rows(engine, DELIVERY)}
    told = [(by_id[n.delivery_id], n.severity) for n in rows(engine, NOTICE)]
    assert sorted(told) == [("email", "high"), ("inbox", "high"), ("inbox", "low")]


def test_a_joining_clinician_is_told_and_the_owner_stays(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    ward.judge(judged(evidence=[ferritin("8", on=1, key="lab|F2")]), at=1)
    alert = only(engine, ALERT)
    assert alert.recipient_ident == ADA.id
    assert [(a.ident, a.why) for a in rows(engine, ADDRESSEE)] == [(ADA.id, "orderer"), (BEN.id, "joined")]
    last = rows(engine, DELIVERY)[-1]
    assert (last.recipient_ident, last.channel) == (BEN.id, "inbox")
    assert rows(engine, ALERT_EVENT)[-1].data["joined"][0]["value"] == "8"


def test_a_value_that_joins_quietly_is_kept_with_its_time_and_told_to_nobody(
    engine: Engine, ward: Ward
) -> None:
    ward.judge(judged())
    before = len(rows(engine, DELIVERY))
    ward.judge(judged(evidence=[ferritin("8", on=1, key="lab|F3")]), at=1)
    event = rows(engine, ALERT_EVENT)[-1]
    assert event.data["joined"][0]["effective_at"] == "2026-03-02T09:00:00Z"
    assert event.data["before"][0]["value"] == "9"
    assert only(engine, ALERT).evidence[0]["value"] == "8"
    assert len(rows(engine, DELIVERY)) == before


def test_a_withdrawal_follows_on_every_channel_that_carried_the_alert(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    applied = ward.judge(FALSE, at=1, why=Ended.CORRECTED)
    assert applied.withdrawn == {(IRON, "fact-corrected"): 1}
    alert = only(engine, ALERT)
    assert (alert.state, alert.closed_at) == ("withdrawn", day(1))
    notices = [(n.step, n.delivery_id) for n in rows(engine, NOTICE)]
    deliveries = {d.id: (d.recipient_ident, d.channel) for d in rows(engine, DELIVERY)}
    carried = sorted(deliveries[i] for step, i in notices if step == "raise")
    taken_back = sorted(deliveries[i] for step, i in notices if step == "withdraw")
    assert taken_back == carried == [(ADA.id, "email"), (ADA.id, "inbox")]


def test_what_newer_facts_end_is_closed_and_told_to_nobody(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    applied = ward.judge(FALSE, at=1, why=Ended.NEWER_FACT)
    alert = only(engine, ALERT)
    assert (alert.state, alert.reason, alert.closed_at) == ("closed", "resolved-by-evidence", day(1))
    assert applied.delivery_ids == ()


def test_a_superseded_alert_names_the_rule_that_covers_it(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    ward.judge(judged(covered_by=HEMOGLOBIN), judged(HEMOGLOBIN), at=1)
    first, second = rows(engine, ALERT)
    assert (first.state, first.reason, first.superseded_by) == ("closed", "superseded-by", HEMOGLOBIN)
    assert (second.rule, second.state) == (HEMOGLOBIN, "raised")


def test_a_pattern_that_returns_is_a_new_episode(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    ward.judge(FALSE, at=1, why=Ended.NEWER_FACT)
    ward.judge(judged(), at=2)
    assert [(a.episode, a.state) for a in rows(engine, ALERT)] == [(1, "closed"), (2, "raised")]


def test_a_flag_is_written_once(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    ward.judge(FALSE, at=1, why=Ended.RULES_CHANGED)
    ward.judge(FALSE, at=2, why=Ended.RULES_CHANGED)
    assert only(engine, ALERT).rules_changed
    assert [step for step, _ in steps(engine)] == ["raise", "flag"]


def test_an_alert_without_orderer_is_addressed_to_the_fallback_pool(engine: Engine) -> None:
    Ward(engine).judge(judged())
    alert = only(engine, ALERT)
    assert (alert.recipient_system, alert.recipient_ident) == (UNADDRESSED.system, UNADDRESSED.id)
    assert only(engine, DELIVERY).channel == "inbox"


def test_a_second_open_episode_of_a_rule_is_refused_by_the_database(engine: Engine, ward: Ward) -> None:
    decisions = decided_alone(ward)
    write(ward, decisions)
    with pytest.raises(IntegrityError):
        write(ward, decisions)
    assert len(rows(engine, ALERT)) == 1


def test_two_judgings_at_once_raise_one_alert(engine: Engine, ward: Ward) -> None:
    decisions, barrier, refused = decided_alone(ward), threading.Barrier(2), []

    def race() -> None:
        barrier.wait()
        try:
            write(ward, decisions)
        except IntegrityError as error:
            refused.append(error)

    threads = [threading.Thread(target=race) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert len(rows(engine, ALERT)) == 1
    assert len(rows(engine, DELIVERY)) == 2


def test_an_alert_that_moved_since_it_was_read_is_noticed(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    with engine.connect() as connection:
        episodes = store.open_episodes(connection, PATIENT)
    ward.judge(judged(evidence=[ferritin("8", on=1, key="lab|F3")]), at=1)
    with writing(engine) as connection:
        decisions = decide(connection, ward, judged(severity=Severity.CRITICAL), episodes)
        assert store.moved(connection, decisions) == {episodes[0].alert_id}


def test_a_decision_on_an_alert_that_moved_is_not_written(engine: Engine, ward: Ward) -> None:
    ward.judge(judged())
    with engine.connect() as connection:
        stale = decide(
            connection, ward, judged(severity=Severity.CRITICAL), store.open_episodes(connection, PATIENT)
        )
    ward.judge(judged(evidence=[ferritin("8", on=1, key="lab|F3")]), at=1)
    with pytest.raises(Conflict):
        write(ward, stale)
    assert only(engine, ALERT).severity == "high"


def test_what_is_expected_is_closed_by_a_newer_result_of_that_analyte(engine: Engine, ward: Ward) -> None:
    ward.judge(judged(follow_up=[expected("b12", within_days=42), expected("ferritin", within_days=90)]))
    ward.judge(judged(), at=1, arrivals=[Arrival("b12", "lab|B0", day(-1))])
    assert {f.state for f in rows(engine, FOLLOW_UP)} == {"expected"}
    ward.judge(judged(), at=30, arrivals=[Arrival("b12", "lab|B1", day(30))])
    b12, iron = rows(engine, FOLLOW_UP)
    assert (b12.state, b12.satisfied_by, b12.closed_at) == ("satisfied", "lab|B1", day(30))
    assert iron.state == "expected"


@pytest.mark.parametrize("why", [Ended.CORRECTED, Ended.NEWER_FACT])
def test_an_alert_that_ends_expects_nothing_more(engine: Engine, ward: Ward, why: Ended) -> None:
    ward.judge(judged(follow_up=[expected("b12", within_days=42)]))
    ward.judge(FALSE, at=1, why=why)
    assert only(engine, FOLLOW_UP).state == "cancelled"


def test_somebody_sees_what_is_theirs_their_pools_and_whom_they_cover_now(engine: Engine) -> None:
    from alerts.people import pool
    from alerts.routing import Covering

    with writing(engine) as connection:
        directory.register_pool(connection, "hematology", [BEN.address])
        directory.cover(connection, Covering(ADA.address, BEN.address, day(0), day(1)))
    with engine.connect() as connection:
        assert directory.audience(connection, BEN.address, day(0)) == {
            BEN.address,
            ADA.address,
            pool("hematology"),
        }
        assert directory.audience(connection, BEN.address, day(1)) == {BEN.address, pool("hematology")}


def test_registering_somebody_again_brings_the_entry_up_to_date(engine: Engine, ward: Ward) -> None:
    with writing(engine) as connection:
        directory.register(connection, ADA.address, name="Dr. Ada New", active=False)
        found = directory.person(connection, ADA.address)
        count = connection.execute(select(func.count()).select_from(directory.RECIPIENT)).scalar_one()
    assert found
    assert not found.active
    assert count == 2


def decided_alone(ward: Ward) -> tuple[Decision, ...]:
    with ward.engine.connect() as connection:
        return decide(connection, ward, judged(), [])


def decide(connection: Connection, ward: Ward, rule: Any, episodes: Any) -> tuple[Decision, ...]:
    router = directory.router(connection, ward.orderers, [], now=day(1), push=ward.push)
    return reconcile(judgment(rule, at=1), episodes, not_ended, {}, router=router)


def write(ward: Ward, decisions: tuple[Decision, ...]) -> None:
    with writing(ward.engine) as connection:
        store.apply(
            connection,
            patient_id=PATIENT,
            evaluation_id=None,
            decisions=decisions,
            judgment=judgment(judged()),
            now=day(0),
        )
