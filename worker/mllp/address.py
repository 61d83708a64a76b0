"""The address of the HL7 listener, and whether anybody answers there."""

from __future__ import annotations

import socket
from dataclasses import dataclass

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""What listens on every address is asked on this machine's own."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or to ask."""

    host: str
    port: int

    @classmethod
    def of(cls, listen: str) -> Address:
        """From HOST:PORT."""
        host, _, port = listen.rpartition(":")
        return cls(host.strip("[]"), int(port))

    def bound(self) -> socket.socket:
        """A listening socket there. Raises OSError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return socket.create_server((self.host, self.port), family=family)

    def answers(self, within_seconds: float = 2.0) -> bool:
        """Whether somebody lets us in."""
        try:
            where = (ANYWHERE.get(self.host, self.host), self.port)
            with socket.create_connection(where, timeout=within_seconds):
                return True
        except OSError:
            return False
