"""`ferrule demo` from start to end: set the stage, play the day, sum it up, stay open for looking."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from worker import clock
from worker.database import make_engine, reading, writing
from worker.demo import tally
from worker.demo.child import Running, refuse_a_taken_port, running
from worker.demo.day import Day, make_day
from worker.demo.doors import Doors
from worker.demo.laboratories import sources_file
from worker.demo.mailbox import mailbox
from worker.demo.sending import Sender
from worker.demo.stage import LogIn, clear_old_demo, set_stage
from worker.demo.summary import Summary, as_table, count
from worker.demo.watching import Watcher
from worker.mllp.address import Address
from worker.schema import upgrade
from worker.settings import Settings
from worker.tokens import Role, create
from worker.up import alone


def play(settings: Settings, console: Console) -> None:
    """The whole demo; returns when it has ended. Raises Failure."""
    refuse_a_taken_port(settings.http_listen)
    with alone(settings):
        directory = clear_old_demo(settings)
    engine = make_engine(settings.database)
    upgrade(engine)
    log_in = set_stage(engine, directory)
    day = make_day(settings.demo_seed, clock.now().replace(microsecond=0))
    _write(day, directory)
    console.print(f"A made-up day of {len(day.sendings)} messages (seed {day.seed}); Ferrule starts …")
    mail = directory / "mail"
    with (
        mailbox(mail) as smtp_url,
        running(settings, directory, _environment(settings, smtp_url, directory)) as child,
    ):
        _say(_played(day, engine, child, settings, console), console)
        if not settings.demo_exit:
            _stay_open(child, log_in, mail, console)


def _environment(settings: Settings, smtp_url: str, directory: Path) -> dict[str, str | None]:
    """What differs from a site's own settings: local accounts, named laboratories, mail that goes nowhere."""
    return {
        "FERRULE_LOCAL_ACCOUNTS": "on",
        "FERRULE_SOURCES_FILE": str(sources_file(directory)),
        "FERRULE_MLLP_LISTEN": _free(settings.mllp_listen),
        "FERRULE_MLLP_LISTEN_FILE": None,
        "FERRULE_SMTP_URL": smtp_url,
        "FERRULE_SMTP_FROM": "ferrule@clinic.example",
        "FERRULE_SMTP_URL_FILE": None,
        "FERRULE_LOG_FORMAT": "json",
    }


def _free(listen: str) -> str:
    """Where HL7 is taken: another port when somebody has this one; no door of the demo waits for it."""
    return "127.0.0.1:0" if Address.of(listen).answers(0.5) else listen


def _write(day: Day, directory: Path) -> None:
    """What is sent, for whoever wants to judge it again; what no reader can use lies in a file of its own."""
    (directory / "day.ndjson").write_text("".join(f"{line}\n" for line in day.as_lines()), encoding="utf-8")
    (directory / "unreadable.txt").write_text("".join(f"{x}\n" for x in day.unreadable), encoding="utf-8")


def _played(day: Day, engine: Engine, child: Running, settings: Settings, console: Console) -> Summary:
    with writing(engine) as connection:
        token = create(connection, Role.INTAKE, clock.now(), label="demo")
    doors = Doors(child.broker_url, child.http, token, engine)
    with _progress(console) as progress:
        bar = progress.add_task("messages judged", total=len(day.sendings) + len(day.unreadable))
        arrived = Sender(engine, doors, Watcher(progress.console), progress, bar).send(day)
    judged = tally.judged_by(settings.data_dir.absolute() / "metrics" / "up", child.pids)
    with reading(engine) as connection:
        return count(connection, arrived=arrived, tasks_by_worker=judged)


def _progress(console: Console) -> Progress:
    looks = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*looks, console=console)


def _say(summary: Summary, console: Console) -> None:
    console.print(as_table(summary))
    sys.stdout.write(f"{summary.as_line()}\n")
    sys.stdout.flush()


def _stay_open(child: Running, log_in: LogIn, mail: Path, console: Console) -> None:
    """The pages stay up until Ctrl-C."""
    console.print(f"\nInbox:    {child.http}/inbox")
    console.print(f"Log in:   user [bold]{log_in.username}[/]  password [bold]{log_in.password}[/]")
    console.print(f"E-mails:  {mail}")
    console.print(f"Metrics:  {child.http}/metrics\nCtrl-C ends it.", highlight=False)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    over.wait()
