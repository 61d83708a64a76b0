"""A mail relay that delivers nowhere: what Ferrule mails during the demo becomes files in a directory.

Enough of SMTP for one well-behaved sender on this machine, no more; its own thread, a port of the loopback.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

END_OF_MAIL = b".\r\n"


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.directory = directory
        self.numbers = count(1)


class _Conversation(socketserver.StreamRequestHandler):
    server: _Relay

    def handle(self) -> None:
        """One connection: whatever is asked is fine, and each mail is kept."""
        self._say("220 demo")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                self._say("221 bye")
                return
            if verb == b"DATA":
                self._take_mail()
            else:
                self._say("250 fine")

    def _take_mail(self) -> None:
        self._say("354 go on")
        lines = list(iter(self.rfile.readline, END_OF_MAIL))
        name = f"{next(self.server.numbers):04d}.eml"
        # A line that begins with a dot was sent with one more.
        (self.server.directory / name).write_bytes(b"".join(x.removeprefix(b".") for x in lines))
        self._say("250 kept")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mailbox(directory: Path) -> Iterator[str]:
    """The URL of a relay whose mails end in `directory`, until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with _Relay(directory) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True, name="mailbox").start()
        try:
            yield f"smtp://127.0.0.1:{relay.server_address[1]}"
        finally:
            relay.shutdown()
