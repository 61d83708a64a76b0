"""The HL7 listener process: MLLP on MLLP_LISTEN until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys

from worker import faultpoints, logs, metrics
from worker.composition import doorbell_of, sources_of
from worker.database import make_engine
from worker.failures import UNREACHABLE
from worker.mllp.address import Address
from worker.mllp.commits import Commits
from worker.mllp.connection import Limits
from worker.mllp.listener import Listener
from worker.mllp.peers import Peers
from worker.mllp.policy import Policy
from worker.mllp.tls import expires_at, server_context
from worker.processes.ending import refuse_if_behind
from worker.processes.ending import run as run_process
from worker.settings import Settings, read_settings

log = logs.logger("worker.mllp")


def main() -> None:
    """Run until told to stop."""
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    if settings.allow_faults:
        faultpoints.arm(settings.faultpoints)
    asyncio.run(_listen(settings))


async def _listen(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tls = server_context(settings)
    _note_certificate(settings)
    listener = listener_of(settings)
    try:
        await listener.start(Address.of(settings.mllp_listen), tls)
    except OSError as error:
        log.error("cannot listen", address=settings.mllp_listen, error=error)
        sys.exit(UNREACHABLE)
    await stop.wait()
    await listener.stop()


def _note_certificate(settings: Settings) -> None:
    """Senders refuse one that is over; whoever watches the metrics hears of it before."""
    path = settings.mllp_tls_certificate
    end = expires_at(path) if path else None
    metrics.MLLP_CERTIFICATE.set(end.timestamp() if end else 0)


def listener_of(settings: Settings) -> Listener:
    """The listener with what it works with; nothing is opened yet but the database's engine."""
    engine = make_engine(settings.database)
    refuse_if_behind(engine)
    policy = Policy(
        sources_of(settings),
        refuse_unknown=settings.mllp_unknown_senders == "refuse",
        keep_tests=settings.mllp_test_messages == "keep",
        zone=settings.default_zone,
    )
    limits = Limits(
        settings.mllp_max_bytes,
        settings.mllp_frame_seconds,
        settings.mllp_idle_seconds,
        settings.mllp_end_block == "lenient",
        settings.mllp_total_bytes,
    )
    peers = Peers(settings.mllp_connections, settings.mllp_connections_of_peer, settings.mllp_known_peers)
    return Listener(Commits(engine, doorbell_of(settings), policy), policy, limits, peers)


if __name__ == "__main__":
    run_process(main)
