"""The listener: lets senders in, serves each, and ends gracefully: what was read is answered first."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from worker import metrics
from worker.logs import logger
from worker.mllp.address import Address
from worker.mllp.commits import Commits
from worker.mllp.connection import Connection, Limits
from worker.mllp.peers import Entry, Peers
from worker.mllp.policy import Policy, certificate_names
from worker.mllp.room import Room
from worker.sources import Sender

log = logger("worker.mllp")

HANDSHAKE_SECONDS = 10.0
GRACE_SECONDS = 15.0
BACKLOG = 1024
ACCEPTS_AT_ONCE = 16
"""Connections let in before anybody else has a turn; asyncio takes as many as its backlog is long."""


class Listener:
    """All connections of one process."""

    def __init__(self, commits: Commits, policy: Policy, limits: Limits, peers: Peers) -> None:
        self._commits, self._policy, self._limits, self._peers = commits, policy, limits, peers
        self._room = Room(limits.total_bytes)
        self._open: dict[Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._committing: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, address: Address, tls: ssl.SSLContext | None) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        self._committing = asyncio.create_task(self._commits.run())
        listening = address.bound()
        self._server = await asyncio.start_server(
            self._enter,
            sock=listening,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None,
            backlog=ACCEPTS_AT_ONCE,
        )
        listening.listen(BACKLOG)
        log.info("listening for HL7", address=f"{address.host}:{self.port}", state="TLS" if tls else "plain")

    async def stop(self) -> None:
        """Let nobody in, answer what was read, close. What is not answered in time its sender sends again."""
        assert self._server is not None
        assert self._committing is not None
        self._server.close()
        for connection in list(self._open):
            connection.end()
        if self._open:
            await asyncio.wait(self._open.values(), timeout=GRACE_SECONDS)
        self._committing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._committing
        await self._commits.close()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = _address(writer)
        entry = self._peers.enter(address)
        metrics.MLLP_CONNECTIONS.labels(entry.value).inc()
        if entry is not Entry.ACCEPTED:
            writer.transport.abort()
            return
        try:
            metrics.MLLP_OPEN.set(self._peers.count)
            await self._serve(reader, writer, address)
        finally:
            self._peers.leave(address)
            metrics.MLLP_OPEN.set(self._peers.count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        try:
            certified = self._certified(writer)
        except PermissionError:
            metrics.MLLP_CONNECTIONS.labels(Entry.UNKNOWN_CERTIFICATE.value).inc()
            log.warning("client certificate of no source refused", address=address)
            writer.close()
            return
        connection = Connection(reader, writer, self._commits, self._limits, self._room, certified)
        task = asyncio.current_task()
        assert task is not None
        self._open[connection] = task
        try:
            await connection.serve()
        finally:
            del self._open[connection]

    def _certified(self, writer: asyncio.StreamWriter) -> Sender | None:
        """The source of the client's certificate; None without one. Raises PermissionError."""
        certificate = writer.get_extra_info("peercert")
        if not certificate:
            return None
        found = self._policy.certified(certificate_names(certificate))
        if found is None and any(sender.certificates for sender in self._policy.sources().senders):
            raise PermissionError
        return found


def _address(writer: asyncio.StreamWriter) -> str:
    peer = writer.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else "?"
