"""Rows F53 to F59: the HL7 listener dies, senders hang up, crawl, give up, flood and burst."""

import random
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import psutil
import pytest
from sqlalchemy import Engine, func, select, text

from alerts.tables import ALERT
from tests.faults.late_answers import LateAnswers, late_answers
from tests.faults.listening import Mortal, control_ids, deliver, mortal
from tests.mllp.door import LIMITS, Sender, door, eventually, numbered, said
from tests.worker.intake.examples import obx, report
from tests.worker.made_up import deps_on
from worker import metrics
from worker.database import make_engine, reading
from worker.intake.mllp import framed
from worker.mllp.peers import Peers
from worker.pipeline import judge
from worker.tables import MESSAGE


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def kept(engine: Engine) -> Counter[str]:
    with reading(engine) as connection:
        return Counter(connection.execute(select(MESSAGE.c.message_id)).scalars())


LENGTHS = [5, pytest.param(50, marks=pytest.mark.faults)]


@pytest.mark.parametrize("deaths", LENGTHS)
@pytest.mark.parametrize(
    "point", ["after-commit", "before-commit", "inside-commit"], ids=["f53-after", "f54-before", "f54-inside"]
)
def test_a_listener_that_dies_around_its_commit_loses_and_doubles_nothing(
    engine: Engine, deaths: int, point: str
) -> None:
    answers: list[str] = []
    repeats = 0
    with mortal(url_of(engine), f"{point}=0.4") as listener:
        while listener.deaths < deaths:
            answer, sent = deliver(listener, numbered(f"M{len(answers)}"))
            answers.append(answer)
            repeats += sent - 1
    ids = [f"M{number}" for number in range(len(answers))]
    assert control_ids(answers) == ids
    assert {said(answer)[0] for answer in answers} == {"AA"}
    assert kept(engine) == Counter(ids)
    assert repeats >= deaths


def test_f53_the_answer_after_the_death_is_the_one_that_was_lost(engine: Engine) -> None:
    url, raw = url_of(engine), numbered("A")
    with mortal(url, "after-commit=1") as listener:
        listener.connect().send(raw)
        assert eventually(lambda: not listener.process.is_alive())
    time.sleep(1.1)
    with mortal(url) as listener:
        answer, _ = deliver(listener, raw)
    with reading(engine) as connection:
        stored = connection.execute(select(MESSAGE.c.received_at)).scalar_one()
    assert f"|{stored:%Y%m%d%H%M%S}+0000|" in answer


def test_f55_a_sender_that_hangs_up_in_a_message_leaves_nothing_behind(sqlite_url: str) -> None:
    dice = random.Random(55)
    wire = framed(numbered("PARTIAL"))
    with door(make_engine(sqlite_url)) as here:
        before = metrics.MLLP_FRAMES.labels("truncated")._value.get()
        cuts = [dice.randrange(1, len(wire) - 2) for _ in range(40)]
        for cut in cuts:
            here.connect().send_raw(wire[:cut]).socket.close()
        assert eventually(lambda: metrics.MLLP_FRAMES.labels("truncated")._value.get() == before + 40)
        assert here.rows() == []
        assert said(here.connect().asked(numbered("NEXT"))[0]) == ("AA", "NEXT")


def waits(sender: Sender, name: str, count: int) -> list[float]:
    """How long each of `count` messages, one after the other, waited for its answer."""
    found = []
    for number in range(count):
        began = time.monotonic()
        sender.asked(numbered(f"{name}{number}"))
        found.append(time.monotonic() - began)
    return found


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def assert_unhurt(quiet: list[float], troubled: list[float]) -> None:
    """Half a second, or what this machine takes now anyway."""
    assert p99(troubled) <= max(0.5, 3 * p99(quiet)), (p99(quiet), p99(troubled))


def test_f56_slow_senders_are_given_up_and_hurt_nobody(sqlite_url: str) -> None:
    limits = replace(LIMITS, frame_seconds=4)
    with door(make_engine(sqlite_url), limits=limits, peers=Peers(300, 300)) as here:
        other = here.connect()
        quiet = waits(other, "Q", 100)
        wire = framed(numbered("SLOW"))
        slow = [here.connect().send_raw(wire[:1]) for _ in range(200)]
        before = metrics.MLLP_FRAMES.labels("timeout")._value.get()
        stop = threading.Event()

        def crawl() -> None:
            for at in range(1, 30):
                for sender in slow:
                    try:
                        sender.send_raw(wire[at : at + 1])
                    except OSError:
                        continue
                if stop.wait(1):
                    return

        crawler = threading.Thread(target=crawl)
        crawler.start()
        try:
            assert_unhurt(quiet, waits(other, "T", 100))
            assert eventually(lambda: metrics.MLLP_FRAMES.labels("timeout")._value.get() >= before + 200, 30)
        finally:
            stop.set()
            crawler.join()
        assert all(row.message_id != "SLOW" for row in here.rows())


def test_f56_a_connection_that_says_nothing_is_closed(sqlite_url: str) -> None:
    with door(make_engine(sqlite_url), limits=replace(LIMITS, idle_seconds=1)) as here:
        assert here.connect().is_closed(10)


PATTERN = [obx("9"), obx("1450", f3="2132-9^Vitamin B12^LN", f6="pg/mL", f7="180-914")]


def test_f57_a_sender_that_gives_up_waiting_and_sends_again_makes_no_second_alert(engine: Engine) -> None:
    with door(engine) as here:
        before = metrics.MESSAGES_DUPLICATE.labels("other", "hl7")._value.get()
        raw = report(*PATTERN).replace(b"20260301", f"{datetime.now(UTC):%Y%m%d}".encode())
        for _ in range(4):
            here.connect().send(raw).socket.close()  # gone before the answer
            eventually(lambda: len(here.rows()) == 1)
        assert said(here.connect().asked(raw)[0]) == ("AA", "MSG00001")
        assert eventually(
            lambda: metrics.MESSAGES_DUPLICATE.labels("other", "hl7")._value.get() == before + 4
        )
        (row,) = here.rows()
        judge(deps_on(engine), [row.id, row.id])
        with reading(engine) as connection:
            rules = connection.execute(select(ALERT.c.rule, func.count()).group_by(ALERT.c.rule)).all()
        assert rules
        assert {count for _, count in rules} == {1}


PATIENCE = [(0.5, 1.0), pytest.param(30.0, 35.0, marks=pytest.mark.faults)]


@pytest.mark.parametrize(("patience", "delay"), PATIENCE, ids=["scaled", "35 s"])
def test_f57_answers_that_come_too_late_make_resends_and_no_second_alert(
    engine: Engine, patience: float, delay: float
) -> None:
    """The sender waits `patience` seconds, hangs up and sends again; the answer is on its way for longer."""
    raw = report(*PATTERN).replace(b"20260301", f"{datetime.now(UTC):%Y%m%d}".encode())
    with door(engine) as here, late_answers(here.listener.port, delay) as way:
        before = duplicates()
        for _ in range(3):
            sender = through(way)
            with pytest.raises(TimeoutError):
                sender.send(raw).answer(patience)
            sender.socket.close()
        way.delay = 0
        assert said(through(way).asked(raw)[0]) == ("AA", "MSG00001")
        assert eventually(lambda: duplicates() == before + 3)
        (row,) = here.rows()
    judge(deps_on(engine), [row.id])
    judge(deps_on(engine), [row.id])
    with reading(engine) as connection:
        rules = connection.execute(select(ALERT.c.rule, func.count()).group_by(ALERT.c.rule)).all()
    assert rules
    assert {count for _, count in rules} == {1}


def through(way: LateAnswers) -> Sender:
    return Sender(socket.create_connection(("127.0.0.1", way.port), 10))


def duplicates() -> float:
    return float(metrics.MESSAGES_DUPLICATE.labels("other", "hl7")._value.get())


def test_f58_a_flood_of_connections_leaves_known_peers_their_place(sqlite_url: str) -> None:
    with mortal(sqlite_url, peers=(64, 48, "127.0.0.2/32")) as listener:
        known = listener.connect("127.0.0.2")
        quiet = waits(known, "Q", 50)
        process = psutil.Process(listener.process.pid)
        flood: list[Sender] = []
        before = peak = process.num_fds()
        for number in range(1000):
            flood.append(listener.connect(f"127.0.0.{3 + number % 4}"))
            if number % 100 == 0:
                peak = max(peak, process.num_fds())
        assert_unhurt(quiet, waits(known, "T", 100))
        fresh = listener.connect("127.0.0.2")
        assert said(fresh.asked(numbered("FRESH"))[0]) == ("AA", "FRESH")
        assert max(peak, process.num_fds()) <= before + 64 + 100
        for sender in flood:
            sender.socket.close()
        assert eventually(lambda: accepts(listener))


def accepts(listener: Mortal) -> bool:
    """Whether strangers are let in again."""
    try:
        return bool(listener.connect().asked(numbered("AGAIN")))
    except OSError:
        return False


@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.faults)])
def test_f59_a_burst_is_answered_by_commits_and_takes_no_memory(engine: Engine, seconds: int) -> None:
    with mortal(url_of(engine)) as listener:
        warm = listener.connect()
        waits(warm, "W", 50)
        process = psutil.Process(listener.process.pid)
        before = process.memory_info().rss
        accepted: list[str] = []
        end = time.monotonic() + seconds

        def burst(name: str) -> None:
            sender, number = listener.connect(), 0
            while time.monotonic() < end:
                batch = [numbered(f"{name}-{number + n}") for n in range(20)]
                accepted.extend(said(answer)[1] for answer in sender.asked(*batch) if "MSA|AA|" in answer)
                number += 20

        threads = [threading.Thread(target=burst, args=(f"B{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 120)
        grown = process.memory_info().rss - before
    stored = kept(engine)
    assert all(stored[id] == 1 for id in accepted)
    assert len(accepted) == len(set(accepted)) >= 200
    assert grown <= 100 * 1024 * 1024


def test_f36_backends_that_are_killed_at_any_moment_make_no_false_answer(postgres_url: str) -> None:
    """The outcome of such a commit is unknown: it is looked up by trying again under the same key.

    A message is killed at most three times: a slow machine would else never get one through.
    """
    engine, killer = make_engine(postgres_url), make_engine(postgres_url)
    ids = [f"M{n}" for n in range(60)]
    answers: dict[str, str] = {}
    kills: Counter[int] = Counter()
    others = text(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where pid <> pg_backend_pid() and datname = current_database()"
    )

    def kill() -> None:
        while len(answers) < len(ids):
            time.sleep(random.uniform(0.005, 0.05))
            if kills[len(answers)] < 3:
                with killer.connect() as connection:
                    connection.execute(others)
                kills[len(answers)] += 1

    with door(engine) as here:
        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        sender = here.connect()
        for id in ids:
            answers[id] = sender.asked(numbered(id))[0]
        thread.join()
        assert {id: said(answer) for id, answer in answers.items()} == {id: ("AA", id) for id in ids}
        assert kept(engine) == Counter(ids)
    assert kills.total() >= 5


@pytest.fixture
def closable(postgres_url: str) -> Callable[[bool], None]:
    """Takes the database away from everyone, and gives it back."""
    name = make_engine(postgres_url).url.database
    admin = make_engine(postgres_url.replace(f"/{name}", "/postgres", 1))

    def allow(yes: bool) -> None:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f'alter database "{name}" with allow_connections {str(yes).lower()}'))
            if not yes:
                connection.execute(
                    text("select pg_terminate_backend(pid) from pg_stat_activity where datname = :name"),
                    {"name": name},
                )

    return allow


def test_while_the_database_is_away_nobody_hears_yes_and_all_is_there_afterwards(
    postgres_url: str, closable: Callable[[bool], None]
) -> None:
    with door(make_engine(postgres_url)) as here:
        plain, enhanced, late = here.connect(), here.connect(), here.connect()
        assert said(plain.asked(numbered("BEFORE"))[0]) == ("AA", "BEFORE")
        closable(False)
        try:
            plain.send(numbered("PLAIN"))
            assert said(enhanced.asked(numbered("E", f15="AL"))[0]) == ("CE", "E")
            enhanced.send(numbered("E2", f15="AL"))
            late.send(numbered("LATE"))
            gone = here.connect().send(numbered("GONE"))
            assert plain.is_silent(1)
            assert late.is_silent(0.2)
            assert enhanced.is_silent(0.2)  # refused once, and then not read from
            gone.socket.close()
            time.sleep(0.5)
        finally:
            closable(True)
        assert said(plain.answer()) == ("AA", "PLAIN")
        assert said(late.answer()) == ("AA", "LATE")
        assert said(enhanced.answer()) == ("CA", "E2")
        assert said(enhanced.asked(numbered("E", f15="AL"))[0]) == ("CA", "E")
        stored = kept(here.engine)
        assert max(stored.values()) == 1
        assert {"BEFORE", "PLAIN", "LATE", "E"} <= stored.keys()


def test_a_stop_answers_what_was_read_and_closes(engine: Engine) -> None:
    with door(engine) as here:
        senders = [here.connect() for _ in range(10)]
        for number, sender in enumerate(senders):
            sender.send(*(numbered(f"{number}-{n}") for n in range(20)))
        time.sleep(0.05)
        here.stop()
        answered = []
        for sender in senders:
            try:
                while True:
                    answered.append(said(sender.answer(5)))
            except OSError:
                continue
        stored = kept(engine)
        assert {code for code, _ in answered} <= {"AA"}
        assert {id for _, id in answered} == set(stored)
