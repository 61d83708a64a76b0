"""A real HTTP server on loopback that says what a test tells it, byte for byte, and keeps what it hears."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Heard:
    """One request."""

    first_line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are those of the next requests, the last one for ever; a number is seconds of silence."""

    port: int
    answers: list[list[bytes | float]] = field(default_factory=lambda: [[OK]])
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def says(self, *pieces: bytes | float) -> None:
        self.answers = [list(pieces)]

    def serve(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        while not self.stop.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection, tls), daemon=True).start()

    def _talk(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        with suppress(OSError), connection:
            talking = tls.wrap_socket(connection, server_side=True) if tls else connection
            with talking:
                self.heard.append(_read(talking))
                for piece in self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]:
                    if isinstance(piece, float):
                        self.stop.wait(piece)
                    else:
                        talking.sendall(piece)


def _read(connection: socket.socket) -> Heard:
    with connection.makefile("rb") as stream:
        first = stream.readline().decode().strip()
        headers: dict[str, str] = {}
        while (line := stream.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Heard(first, headers, stream.read(int(headers.get("content-length", "0"))))


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    """A whole answer."""
    fields = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {code} Said\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that takes everything until it is told otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = Receiver(listener.getsockname()[1])
        listener.settimeout(0.1)
        thread = threading.Thread(target=running.serve, args=(listener, tls), daemon=True)
        thread.start()
        yield running
        running.stop.set()
        thread.join(5)
