"""A process dies before, inside and after its commit. Each run is a forked child of its own."""

import multiprocessing
import os
import signal
from collections import Counter

import pytest
from sqlalchemy import Engine, func, select, text

from alerts.tables import ALERT, DELIVERY
from tests.faults.load import judged_alone, messages, open_alerts
from tests.worker.made_up import RULE, RULESET, event, inbound, result
from worker import faultpoints
from worker.accepting import Inbound, accept
from worker.composition import Deps, unheard
from worker.database import make_engine, reading, writing
from worker.pipeline import judge_due
from worker.reading import POISON
from worker.schema import upgrade
from worker.settings import read_settings
from worker.tables import EVALUATION, MESSAGE

FORK = multiprocessing.get_context("fork")
MANY = 40


def judge_in_a_child(url: str, points: str, batch: str = "50", attempts: str = "3") -> int:
    """One turn of judging in a process that may die; its exit code."""

    def turn() -> None:
        faultpoints.arm(points)
        engine = make_engine(url)
        judge_due(
            Deps(
                engine,
                RULESET,
                read_settings({"FERRULE_BATCH_SIZE": batch, "FERRULE_ATTEMPTS": attempts}),
                unheard,
            )
        )

    child = FORK.Process(target=turn)
    child.start()
    child.join(60)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode


def make_due(engine: Engine) -> None:
    """As if every lease and pause had ended."""
    with writing(engine) as connection:
        connection.execute(MESSAGE.update().values(due_at=MESSAGE.c.received_at))


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def states(engine: Engine) -> Counter[str]:
    with reading(engine) as connection:
        return Counter(connection.execute(select(MESSAGE.c.state)).scalars())


@pytest.mark.parametrize("point", ["before-commit", "inside-commit", "after-commit"])
def test_a_process_that_dies_at_its_commit_loses_and_doubles_nothing(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, point: str
) -> None:
    load = messages(count=MANY, patients=6, seed=7)
    for message in load:
        accept(engine, [message])
    deaths = 0
    for _ in range(MANY * 6):
        make_due(engine)
        if states(engine)["pending"] == 0:
            break
        # One at a time, with many attempts: here no innocent message may be given up.
        deaths += judge_in_a_child(url_of(engine), f"{point}=0.25", batch="1", attempts="20") != 0
    assert deaths > 0
    assert states(engine) == Counter(judged=len({message.message_id for message in load}))
    alone = make_engine(f"sqlite:///{tmp_path_factory.mktemp('alone')}/alone.sqlite3")
    upgrade(alone)
    assert open_alerts(engine) == judged_alone(alone, load)


def test_work_that_was_committed_before_the_death_is_not_done_again(engine: Engine) -> None:
    accept(engine, [inbound(event("M1", [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]))])
    make_due(engine)
    assert judge_in_a_child(url_of(engine), "after-commit=1") == -signal.SIGKILL
    before = counts(engine)
    make_due(engine)
    assert judge_in_a_child(url_of(engine), "") == 0
    assert counts(engine) == before
    assert before[0] == 1


def counts(engine: Engine) -> tuple[int, ...]:
    with reading(engine) as connection:
        return tuple(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (EVALUATION, ALERT, DELIVERY)
        )


def test_a_message_that_kills_is_set_aside_after_three_runs_and_stops_nobody(engine: Engine) -> None:
    pattern = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
    killer = Inbound("lab", "killer", "event", b'{"x": "' + POISON + b'"}')
    accept(
        engine,
        [inbound(event("M1", pattern, patient="P1")), killer, inbound(event("M2", pattern, patient="P2"))],
    )
    runs = 0
    for _ in range(10):
        make_due(engine)
        runs += judge_in_a_child(url_of(engine), "poison=1") == -signal.SIGKILL
    assert states(engine) == Counter(judged=2, quarantined=1)
    assert runs <= 3
    with reading(engine) as connection:
        raised = select(func.count()).select_from(ALERT).where(ALERT.c.rule == RULE)
        assert connection.execute(raised).scalar_one() == 2


def test_sqlite_is_whole_after_deaths_in_the_middle_of_writing(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    for message in messages(count=20, patients=4, seed=3):
        accept(engine, [message])
    for _ in range(20):
        make_due(engine)
        judge_in_a_child(sqlite_url, "inside-commit=1", batch="1")
    with reading(engine) as connection:
        assert connection.execute(text("pragma integrity_check")).scalar_one() == "ok"
    assert states(engine)["judged"] == 0


def test_four_processes_that_write_at_once_never_meet_a_locked_database(sqlite_url: str) -> None:
    def write(number: int) -> None:
        engine = make_engine(sqlite_url)
        for n in range(100):
            accept(engine, [Inbound("lab", f"{number}-{n}", "event", os.urandom(100))])

    writers = [FORK.Process(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert states(make_engine(sqlite_url)) == Counter(pending=400)
