"""The end of an exchange with another machine, whatever it does meanwhile."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Deadline:
    """Ends an exchange from outside: a socket's timeout starts anew with every byte that drips in."""

    def __init__(self) -> None:
        self.passed = False
        self._socket: socket.socket | None = None

    def closes(self, one: socket.socket) -> None:
        """Close this one when time is up; at once when it is up already."""
        self._socket = one
        if self.passed:
            self.strike()

    def strike(self) -> None:
        """Time is up."""
        self.passed = True
        if self._socket is not None:
            try:
                # The plain shutdown: that of a TLS socket would wait for the other side.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """What is named to it ends after so many seconds."""
    end = Deadline()
    timer = threading.Timer(seconds, end.strike)
    timer.daemon = True
    timer.start()
    try:
        yield end
    finally:
        timer.cancel()
