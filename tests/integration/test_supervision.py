"""`ferrule up` and `ferrule worker`: children that die come back, and none outlives its parent."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.machine import REPOSITORY, producer, submit
from tests.services.process import wait_until
from tests.worker.made_up import event, result
from worker import broker
from worker.supervise import Program, Supervisor

START_SECONDS = 120.0


def sleeper(seconds: float = 600) -> Program:
    return Program("sleeper", [sys.executable, "-c", f"import time; time.sleep({seconds})"])


def test_a_child_that_dies_is_started_again_later_each_time() -> None:
    supervisor = Supervisor()
    supervisor.start(Program("short", [sys.executable, "-c", "raise SystemExit(3)"]))
    seen: set[int] = set()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        supervisor.turn()
        seen.add(supervisor.pids["short"])
        time.sleep(0.05)
    supervisor.stop()
    assert 2 <= len(seen) <= 4


def test_stopping_ends_every_child() -> None:
    supervisor = Supervisor()
    supervisor.start(sleeper())
    [child] = supervisor.pids.values()
    supervisor.stop()
    assert not psutil.pid_exists(child)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_no_child_outlives_a_supervisor_that_is_killed() -> None:
    code = (
        "import sys, time; from worker.supervise import *;"
        "s = Supervisor(); s.start(Program('x', [sys.executable, '-c', 'import time; time.sleep(600)']));"
        "print(s.pids['x'], flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(10)
    wait_until(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "an orphan is left", 10
    )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FERRULE_")},
        "FERRULE_DATA_DIR": str(tmp_path / "data"),
        "FERRULE_HTTP_LISTEN": "127.0.0.1:0",
        "FERRULE_MLLP_LISTEN": "127.0.0.1:0",
        "FERRULE_CONCURRENCY": "1",
    }
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.cli", "up"],
            env=environment,
            cwd=REPOSITORY,
            stdout=log,
            stderr=log,
        )
        runtime = tmp_path / "data" / "runtime.json"
        wait_until(lambda: runtime.exists() or process.poll() is not None, "up is not up", START_SECONDS)
        yield process, runtime
        if process.poll() is None:
            process.kill()
        process.wait(30)


def running(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if psutil.pid_exists(pid) and _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def metric(http: str, name: str) -> float:
    with urllib.request.urlopen(f"{http}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_up_judges_what_comes_on_its_queue_and_stops_cleanly(
    house: tuple[subprocess.Popen[bytes], Path],
) -> None:
    process, runtime = house
    parts = json.loads(runtime.read_text())
    assert oct(runtime.stat().st_mode & 0o777) == "0o600"
    assert set(running(parts["pids"])) == {"up", "broker", "worker-1", "stream", "poller", "web", "listen"}
    pattern = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
    submit(producer(parts["broker_url"]), event("M1", pattern))
    wait_until(lambda: metric(parts["http"], "ferrule_alerts_raised_total") > 0, "no alert", START_SECONDS)
    wait_until(lambda: metric(parts["http"], "ferrule_received_to_told_seconds_count") > 0, "not told", 30)
    _kill_the_broker(parts, runtime)
    submit(producer(parts["broker_url"]), event("M2", pattern, patient="P2"))
    raised = metric(parts["http"], "ferrule_alerts_raised_total")
    wait_until(
        lambda: metric(parts["http"], "ferrule_alerts_raised_total") > raised,
        "no alert after the broker came back",
        START_SECONDS,
    )
    parts = json.loads(runtime.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0
    assert running({name: pid for name, pid in parts["pids"].items() if name != "up"}) == []
    assert not runtime.exists()


def _kill_the_broker(parts: dict[str, Any], runtime: Path) -> None:
    os.kill(parts["pids"]["broker"], signal.SIGKILL)
    wait_until(
        lambda: json.loads(runtime.read_text())["pids"]["broker"] != parts["pids"]["broker"], "no broker", 30
    )
    assert broker.wait_until_it_answers(parts["broker_url"])


def test_up_that_is_killed_leaves_no_orphan(house: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, runtime = house
    parts = json.loads(runtime.read_text())
    process.kill()
    process.wait(10)
    children = {name: pid for name, pid in parts["pids"].items() if name != "up"}
    wait_until(lambda: running(children) == [], "orphans are left", 15)


def test_without_any_server_the_error_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(broker.NoBroker, match="apt install redis-server"):
        broker.find_server()


def test_a_server_older_than_6_2_on_path_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "redis-server"
    old.write_text('#!/bin/sh\necho "Redis server v=5.0.14 sha=0 malloc=libc bits=64"\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert broker.find_server() != old
