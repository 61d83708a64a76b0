"""Who is let in: so many connections of one peer, so many of all, and a place kept for those we know.

Counts only; opens and closes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

RESERVED = 4
"""Connections kept free for each known peer."""


class Entry(StrEnum):
    """Whether a connection was let in, and how it ended if not by its sender."""

    ACCEPTED = "accepted"
    TOO_MANY = "too-many"
    TOO_MANY_OF_PEER = "too-many-of-peer"
    UNKNOWN_CERTIFICATE = "unknown-certificate"


@dataclass
class Peers:
    """Open connections by address. Known peers have places that nobody else can take."""

    most: int
    most_of_peer: int
    known: tuple[Network, ...] = ()
    _open: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many connections are open."""
        return self._open.total()

    def enter(self, address: str) -> Entry:
        """Let one more of `address` in, or say why not."""
        if self._open[address] >= self.most_of_peer:
            return Entry.TOO_MANY_OF_PEER
        if self._is_known(address):
            taken, limit = self.count, self.most
        else:
            taken, limit = self._strangers(), self.most - self._reserved()
        if taken >= limit:
            return Entry.TOO_MANY
        self._open[address] += 1
        return Entry.ACCEPTED

    def leave(self, address: str) -> None:
        """One of `address` is gone."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def _reserved(self) -> int:
        return min(self.most // 2, RESERVED * len(self.known))

    def _strangers(self) -> int:
        return sum(count for address, count in self._open.items() if not self._is_known(address))

    def _is_known(self, address: str) -> bool:
        return _within(address, self.known)


def _within(address: str, known: Iterable[Network]) -> bool:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return any(mapped in network for network in known)
