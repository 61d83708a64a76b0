"""Judging stored messages: what is raised, taken back, refused and set aside, on both databases."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, func, select

from alerts.tables import ALERT, DELIVERY
from rules.findings import Judgment
from tests.worker.made_up import RULE, deps_on, event, inbound, result
from worker.accepting import Inbound, accept
from worker.claiming import Terms, claim_due
from worker.composition import Deps
from worker.database import make_engine, reading, writing
from worker.judging import groups_of, judge_groups
from worker.pipeline import judge, judge_due
from worker.reading import read
from worker.schema import upgrade
from worker.tables import EVALUATION, MESSAGE, PATIENT, QUARANTINE_ITEM, RESULT

LOW_FERRITIN = result("R1", "ferritin", "9")
HIGH_B12 = result("R2", "b12", "1450")


def send(deps: Deps, *events: Mapping[str, Any]) -> None:
    """Accept and judge, each event for itself."""
    for one in events:
        judge(deps, [receipt.message for receipt in accept(deps.engine, [inbound(one)])])


def alerts_of(engine: Engine, rule: str = RULE) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        found = select(ALERT.c.state, ALERT.c.reason).where(ALERT.c.rule == rule).order_by(ALERT.c.id)
        return [tuple(row) for row in connection.execute(found)]


def count(engine: Engine, table: Table) -> int:
    with reading(engine) as connection:
        counted: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
        return counted


def states(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(MESSAGE.c.state).order_by(MESSAGE.c.id)).scalars())


def make_due(engine: Engine) -> None:
    """As if the time until the next try had passed."""
    with writing(engine) as connection:
        connection.execute(MESSAGE.update().values(due_at=MESSAGE.c.received_at))


def test_two_results_that_make_the_pattern_raise_one_alert(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, event("M1", [LOW_FERRITIN]))
    assert alerts_of(engine) == []
    send(deps, event("M2", [HIGH_B12]))
    assert alerts_of(engine) == [("raised", "new-pattern")]
    assert states(engine) == ["judged", "judged"]


def test_an_alert_rests_on_an_evaluation_that_says_as_of_when(engine: Engine) -> None:
    send(deps_on(engine), event("M1", [LOW_FERRITIN, HIGH_B12]))
    with reading(engine) as connection:
        of_alert = select(EVALUATION).join(ALERT, ALERT.c.evaluation_id == EVALUATION.c.id)
        evaluation = connection.execute(of_alert.where(ALERT.c.rule == RULE)).one()
        received_at = connection.execute(select(MESSAGE.c.received_at)).scalar_one()
    assert evaluation.as_of == received_at
    assert {"rule": RULE, "truth": "true", "action": "raise", "reason": "new-pattern"}.items() <= next(
        outcome for outcome in evaluation.outcomes if outcome["rule"] == RULE
    ).items()


def test_a_correction_that_removes_the_pattern_withdraws_the_alert(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, event("M1", [LOW_FERRITIN, HIGH_B12]))
    send(deps, event("M2", [{**LOW_FERRITIN, "value": "190", "status": "corrected"}]))
    assert alerts_of(engine) == [("withdrawn", "fact-corrected")]


def test_a_newer_normal_value_closes_the_alert_as_resolved_by_evidence(engine: Engine) -> None:
    deps = deps_on(engine)
    send(
        deps,
        event("M1", [result("R1", "ferritin", "9", hours_ago=48), result("R2", "b12", "1450", hours_ago=48)]),
    )
    send(deps, event("M2", [result("R3", "ferritin", "190")]))
    assert alerts_of(engine) == [("closed", "resolved-by-evidence")]


def test_an_older_message_judged_late_closes_the_alert_as_it_would_have_in_order(engine: Engine) -> None:
    deps = deps_on(engine)
    normal = event("M1", [result("R3", "ferritin", "190", hours_ago=1)])
    pattern = event("M2", [LOW_FERRITIN, HIGH_B12])
    [late], [early] = (accept(engine, [inbound(one)]) for one in (normal, pattern))
    judge(deps, [early.message])
    judge(deps, [late.message])
    assert alerts_of(engine) == [("closed", "resolved-by-evidence")]


def test_a_preliminary_value_after_the_final_one_changes_nothing(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, event("M1", [LOW_FERRITIN, HIGH_B12]))
    send(deps, event("M2", [{**LOW_FERRITIN, "value": "190", "status": "preliminary"}]))
    assert alerts_of(engine) == [("raised", "new-pattern")]


def test_a_result_repeated_in_another_message_is_kept_once(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, event("M1", [LOW_FERRITIN, HIGH_B12]), event("M2", [LOW_FERRITIN, HIGH_B12]))
    assert count(engine, RESULT) == 2
    assert alerts_of(engine) == [("raised", "new-pattern")]


FACTS = [
    event("M1", [LOW_FERRITIN]),
    event("M2", [HIGH_B12]),
    event("M3", [{**LOW_FERRITIN, "value": "11", "status": "corrected"}]),
]


def open_alerts(engine: Engine) -> set[tuple[str, str]]:
    with reading(engine) as connection:
        found = select(ALERT.c.rule, ALERT.c.severity).where(ALERT.c.closed_at.is_(None))
        return {tuple(row) for row in connection.execute(found)}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:])
def test_any_order_of_arrival_ends_in_the_same_open_alerts(
    engine: Engine, tmp_path: Path, order: tuple[int, ...]
) -> None:
    in_order = make_engine(f"sqlite:///{tmp_path}/in-order.sqlite3")
    upgrade(in_order)
    send(deps_on(in_order), *FACTS)
    send(deps_on(engine), *(FACTS[at] for at in order))
    assert (RULE, "high") in open_alerts(in_order)
    assert open_alerts(engine) == open_alerts(in_order)


def test_a_batch_is_judged_as_one_by_one(engine: Engine) -> None:
    deps = deps_on(engine)
    batch = [inbound(event(f"M{n}", [LOW_FERRITIN, HIGH_B12], patient=f"P{n}")) for n in range(30)]
    judge(deps, [receipt.message for receipt in accept(engine, batch)])
    assert len(alerts_of(engine)) == 30
    assert set(states(engine)) == {"judged"}


def test_what_cannot_be_read_is_set_aside_and_the_rest_goes_on(engine: Engine) -> None:
    deps = deps_on(engine)
    batch = [
        Inbound("lab", "bad", "event", b'{"no": "event"}'),
        inbound(event("M1", [LOW_FERRITIN, HIGH_B12])),
    ]
    judge(deps, [receipt.message for receipt in accept(engine, batch)])
    assert states(engine) == ["quarantined", "judged"]
    assert len(alerts_of(engine)) == 1
    with reading(engine) as connection:
        item = connection.execute(select(QUARANTINE_ITEM)).one()
    assert item.reason == "not-an-event"
    assert item.remedy


def test_a_time_without_zone_is_set_aside_with_the_setting_that_would_read_it(engine: Engine) -> None:
    nowhere = {**LOW_FERRITIN, "effective_at": "2026-03-01T07:30:00", "issued_at": None}
    send(deps_on(engine), event("M1", [nowhere]))
    with reading(engine) as connection:
        item = connection.execute(select(QUARANTINE_ITEM)).one()
    assert item.reason == "zone-unknown"
    assert "FERRULE_DEFAULT_ZONE" in item.remedy


def test_unknown_and_finished_ids_do_no_harm(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, event("M1", [LOW_FERRITIN]))
    turn = judge(deps, [1, 1, 99_999, -1])
    assert turn.claimed == 0


class FailsOn:
    """The real rules, but for one patient of whom they always fail: a fault of ours."""

    def __init__(self, deps: Deps, patient: str) -> None:
        self._ruleset, self._patient = deps.ruleset, patient

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ruleset, name)

    def judge(self, history: Any, as_of: Any) -> Judgment:
        if history.patient.id == self._patient:
            raise RuntimeError("a fault of ours")
        return self._ruleset.judge(history, as_of)


def test_a_message_that_always_fails_is_set_aside_at_the_limit_and_its_batch_goes_on(engine: Engine) -> None:
    deps = deps_on(engine)
    failing = Deps(engine, FailsOn(deps, "BAD"), deps.settings, deps.publish)  # type: ignore[arg-type]
    batch = [inbound(event(name, [LOW_FERRITIN, HIGH_B12], patient=name)) for name in ("P1", "BAD", "P2")]
    judge(failing, [receipt.message for receipt in accept(engine, batch)])
    assert states(engine) == ["judged", "pending", "judged"]
    for _ in range(5):
        make_due(engine)
        judge_due(failing)
    assert states(engine) == ["judged", "quarantined", "judged"]
    with reading(engine) as connection:
        row = connection.execute(select(MESSAGE.c.attempts, MESSAGE.c.reason).where(MESSAGE.c.id == 2)).one()
    assert tuple(row) == (3, "failed-repeatedly")


@contextmanager
def claimed_by_a_worker_that_sleeps(deps: Deps) -> Iterator[Any]:
    """Claim all that is due, and read it: then let others do what they like."""
    make_due(deps.engine)
    with writing(deps.engine) as connection:
        claimed = claim_due(connection, Terms(50, timedelta(seconds=30), 3))
    yield groups_of(read(message, deps.settings) for message in claimed)


def test_a_worker_whose_lease_was_taken_over_writes_nothing(engine: Engine) -> None:
    deps = deps_on(engine)
    accept(engine, [inbound(event("M1", [LOW_FERRITIN, HIGH_B12]))])
    with claimed_by_a_worker_that_sleeps(deps) as groups:
        make_due(engine)
        judge_due(deps)
        before = (count(engine, EVALUATION), count(engine, ALERT), count(engine, DELIVERY))
        assert judge_groups(deps, groups) == groups
    assert (count(engine, EVALUATION), count(engine, ALERT), count(engine, DELIVERY)) == before


def test_a_judging_based_on_an_old_history_is_refused(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, event("M1", [HIGH_B12]))
    accept(engine, [inbound(event("M2", [LOW_FERRITIN]))])
    with claimed_by_a_worker_that_sleeps(deps) as groups:
        with_meanwhile = Deps(engine, Meanwhile(deps), deps.settings, deps.publish)  # type: ignore[arg-type]
        assert judge_groups(with_meanwhile, groups) == groups
        assert alerts_of(engine) == []
        assert judge_groups(deps, groups) == []
    assert alerts_of(engine) == [("raised", "new-pattern")]


class Meanwhile:
    """The real rules; while they think, somebody else commits something about the same patient."""

    def __init__(self, deps: Deps) -> None:
        self._ruleset, self._engine = deps.ruleset, deps.engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ruleset, name)

    def judge(self, history: Any, as_of: Any) -> Judgment:
        judgment = self._ruleset.judge(history, as_of)
        with writing(self._engine) as connection:
            connection.execute(PATIENT.update().values(version=PATIENT.c.version + 1))
        return judgment


def test_a_specimen_time_a_little_ahead_of_our_clock_is_still_judged(engine: Engine) -> None:
    ahead = [result("R1", "ferritin", "9", hours_ago=-0.03), result("R2", "b12", "1450", hours_ago=-0.03)]
    send(deps_on(engine), event("M1", ahead))
    assert alerts_of(engine) == [("raised", "new-pattern")]


def test_decimals_come_back_as_they_were_sent(engine: Engine) -> None:
    send(deps_on(engine), event("M1", [{**LOW_FERRITIN, "value": "9.10"}]))
    with reading(engine) as connection:
        assert connection.execute(select(RESULT.c.value, RESULT.c.unit)).one() == ("9.10", "ng/mL")
