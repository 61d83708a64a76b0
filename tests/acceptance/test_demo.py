"""The demo from outside: it ends well, its last line says what happened, its day judged again agrees."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from worker.accepting import Inbound, accept
from worker.database import make_engine, reading
from worker.demo.day import make_day
from worker.demo.stage import MARK
from worker.schema import upgrade
from worker.settings import read_settings
from worker.tables import MESSAGE
from worker.up import alone

DEMO_SECONDS = 280


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ferrule(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "worker.cli", *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
    )


class Played:
    """One demo, played to its summary."""

    def __init__(self, directory, seed):
        self.directory = directory
        self.done = ferrule(
            "demo",
            FERRULE_DATA_DIR=str(directory),
            FERRULE_DEMO_SEED=str(seed),
            FERRULE_DEMO_EXIT="1",
            FERRULE_HTTP_LISTEN=f"127.0.0.1:{free_port()}",
        )
        assert self.done.returncode == 0, self.done.stdout[-2000:] + self.done.stderr[-2000:]
        self.summary = json.loads(self.done.stdout.splitlines()[-1])
        self.day = directory / "demo" / "day.ndjson"


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return Played(tmp_path_factory.mktemp("demo"), seed=1)


def findings(day):
    """What `ferrule evaluate` finds on a day's file: the rules, counted."""
    evaluated = ferrule("evaluate", str(day), "--json")
    assert evaluated.returncode == 0, evaluated.stderr[-1000:]
    judged = map(json.loads, evaluated.stdout.splitlines())
    return Counter(finding["rule"] for patient in judged for finding in patient["findings"])


def test_the_open_alerts_at_the_end_are_what_evaluate_finds_on_the_days_file(played):
    assert played.summary["alerts_open"] == findings(played.day)
    assert len(played.summary["alerts_open"]) >= 9


def test_the_last_line_holds_the_promised_keys_and_no_other(played):
    keys = {"stored", "quarantined", "duplicates", "tasks_by_worker", "alerts_open", "withdrawn", "told"}

    assert set(played.summary) == keys


def test_everything_sent_is_stored_or_a_repeat(played):
    sent = len(played.day.read_text().splitlines())
    unreadable = len((played.directory / "demo" / "unreadable.txt").read_text().splitlines())

    assert played.summary["stored"] + played.summary["duplicates"] == sent + unreadable
    assert played.summary["duplicates"] >= 5
    assert played.summary["quarantined"] == unreadable + 1  # and one id used for two events


def test_more_than_one_process_judged(played):
    judged = played.summary["tasks_by_worker"]

    assert len(judged) >= 2
    assert all(pid.isdigit() and count > 0 for pid, count in judged.items())


def test_corrections_withdraw_alerts_and_people_are_told(played):
    assert played.summary["withdrawn"] >= 4
    assert played.summary["told"]["inbox"] > 0
    assert played.summary["told"]["email"] > 0


def test_alerts_are_shown_while_the_day_is_played(played):
    shown = played.done.stdout

    assert "CRITICAL" in shown
    assert "withdrawn (fact-corrected)" in shown
    assert "closed (resolved-by-evidence)" in shown


def test_no_mail_of_the_demo_names_a_patient(played):
    mails = list((played.directory / "demo" / "mail").glob("*.eml"))
    patients = [json.loads(line)["data"]["patient"] for line in played.day.read_text().splitlines()]
    marks = {mark for patient in patients for mark in (patient["id"], patient["name"])}

    assert mails
    for mail in mails:
        text = mail.read_text()
        assert not [mark for mark in marks if mark in text]


def test_another_seed_gives_other_alerts(played, tmp_path):
    day = tmp_path / "day.ndjson"
    day.write_text("\n".join(make_day(2, datetime.now(UTC)).as_lines()))

    # That what is found on a day's file is what its demo leaves open, the first test shows.
    assert findings(day) != played.summary["alerts_open"]


def test_a_taken_port_is_said_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = ferrule("demo", FERRULE_DATA_DIR=str(tmp_path), FERRULE_HTTP_LISTEN=address)

    assert refused.returncode == 3
    assert refused.stderr.count("\n") == 1
    assert address in refused.stderr


def test_a_demo_does_not_clear_a_place_where_ferrule_runs(tmp_path):
    settings = read_settings({"FERRULE_DATA_DIR": str(tmp_path)})
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / MARK).write_text("an earlier demo was here")
    (tmp_path / "ferrule.sqlite3").write_bytes(b"in use")

    with alone(settings):
        listen = f"127.0.0.1:{free_port()}"
        refused = ferrule("demo", FERRULE_DATA_DIR=str(tmp_path), FERRULE_HTTP_LISTEN=listen)

    assert refused.returncode != 0
    assert "FERRULE_DATA_DIR" in refused.stderr
    assert (tmp_path / "ferrule.sqlite3").exists()


def test_somebody_elses_record_is_never_removed(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'ferrule.sqlite3'}")
    upgrade(engine)
    accept(engine, [Inbound("urn:lab:north", "1", "event", b"{}")])
    listen = f"127.0.0.1:{free_port()}"

    # The second one would find the mark of the first, had it left one.
    for _ in range(2):
        refused = ferrule("demo", FERRULE_DATA_DIR=str(tmp_path), FERRULE_HTTP_LISTEN=listen)
        assert refused.returncode == 2
        assert "FERRULE_DATA_DIR" in refused.stderr

    with reading(engine) as connection:
        assert connection.execute(select(MESSAGE.c.message_id)).scalars().all() == ["1"]
