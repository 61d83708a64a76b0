"""`ferrule up`: every part on one machine in one process group, started in order and stopped together.

The parts are `worker.programs`; keeping them running is `worker.supervise`. Nothing of their work is here.
"""

from __future__ import annotations

import fcntl
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from worker import broker, programs, runtime
from worker.broker import NoBroker
from worker.clock import machine_zone
from worker.composition import check
from worker.database import make_engine
from worker.failures import UNREACHABLE, Failure
from worker.logs import logger
from worker.mllp.address import Address
from worker.schema import upgrade
from worker.settings import Settings
from worker.supervise import Supervisor

log = logger("worker.up")

WEB_SECONDS = 60.0


class House:
    """The parts of one machine. `start` brings them up; `run` keeps them until a stop; `stop` ends them."""

    def __init__(self, settings: Settings) -> None:
        listens = {name: _with_port(getattr(settings, name)) for name in ("http_listen", "mllp_listen")}
        self._settings = settings.model_copy(update=listens)
        self._broker_url = settings.broker
        self._ready = False
        self.supervisor = Supervisor(on_change=self._changed)

    @property
    def http(self) -> str:
        """Where the pages are."""
        return f"http://{self._settings.http_listen}"

    @property
    def mllp(self) -> str:
        """Where HL7 is taken, HOST:PORT."""
        return self._settings.mllp_listen

    @property
    def broker_url(self) -> str:
        """The broker's URL, ours or the site's."""
        assert self._broker_url is not None
        return self._broker_url

    def start(self) -> None:
        """Everything up, in order: schema, broker, workers, poller, HL7 listener, web.
        Raises Failure, NoBroker, or what is wrong with settings and rule files.
        """
        settings = self._settings
        check(settings)
        upgrade(make_engine(settings.database))
        if self._broker_url is None:
            self._broker_url = self._start_broker()
        given = programs.environment(settings, "up", broker_url=self._broker_url)
        zone = settings.default_zone or machine_zone()
        given = {**given, "FERRULE_DEFAULT_ZONE": str(zone), "FERRULE_DEFAULT_ZONE_FILE": None}
        given |= {"FERRULE_HTTP_LISTEN": settings.http_listen, "FERRULE_HTTP_LISTEN_FILE": None}
        given |= {"FERRULE_MLLP_LISTEN": settings.mllp_listen, "FERRULE_MLLP_LISTEN_FILE": None}
        doors = (programs.listen_program(given), programs.web_program(given))
        for program in (*programs.worker_programs(settings, given), *doors):
            self.supervisor.start(program)
        self._wait_for_web()
        self._wait_for_listener()
        self._ready = True
        self._changed(self.supervisor.pids)

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Keep everything running until SIGTERM, Ctrl-C, or `until` says so."""
        self.supervisor.run(until)

    def stop(self) -> None:
        """End everything, the broker last."""
        self.supervisor.stop()
        runtime.remove(self._settings)

    def _start_broker(self) -> str:
        binary, port, password = broker.find_server(), broker.free_port(), secrets.token_urlsafe(24)
        directory = self._settings.data_dir.absolute() / "broker"
        self.supervisor.start(programs.broker_program(binary, directory, port, password))
        url = broker.url(port, password)
        if not broker.wait_until_it_answers(url):
            raise NoBroker(f"the embedded broker does not start; its files are in {directory}")
        return url

    def _wait_for_web(self) -> None:
        end = time.monotonic() + WEB_SECONDS
        while time.monotonic() < end:
            self.supervisor.turn()
            try:
                with urllib.request.urlopen(f"{self.http}/healthz", timeout=1):  # noqa: S310
                    return
            except OSError:
                time.sleep(0.1)
        raise Failure(f"the pages do not come up at {self.http}: is the address in use?", UNREACHABLE)

    def _wait_for_listener(self) -> None:
        address = Address.of(self.mllp)
        end = time.monotonic() + WEB_SECONDS
        while time.monotonic() < end:
            self.supervisor.turn()
            if self.supervisor.runs("listen") and address.answers():
                return
            time.sleep(0.1)
        raise Failure(
            f"the HL7 listener does not come up at {self.mllp}: is the address in use?", UNREACHABLE
        )

    def _changed(self, pids: Mapping[str, int]) -> None:
        if self._ready:
            runtime.write(
                self._settings, http=self.http, mllp=self.mllp, broker_url=self.broker_url, pids=pids
            )


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Only one `up` works in a DATA_DIR. Raises Failure."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.data_dir / "up.lock").open("w") as lock:
        _lock(lock, settings)
        yield


def _lock(file: IO[str], settings: Settings) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        message = f"another `ferrule up` works in {settings.data_dir}: stop it, or set FERRULE_DATA_DIR"
        raise Failure(message) from None


def _with_port(listen: str) -> str:
    """Port 0 asks for any free one."""
    host, _, port = listen.rpartition(":")
    return f"{host}:{broker.free_port()}" if port == "0" else listen
