"""Each channel with a real peer on loopback that takes, refuses, is away for now or never comes to an end.

What all must do is asked of these rigs (`tests/contract/test_channels.py`): a new channel is a rig more.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace

from alerts.channels.channel import Channel
from alerts.channels.email import EmailChannel, SmtpServer
from alerts.channels.fhir import FhirChannel
from alerts.channels.guarded_http import HTTP, MLLP, GuardedHttp, target_of
from alerts.channels.hl7 import Hl7Channel
from alerts.channels.notification import NotificationChannel
from alerts.channels.record_entry import Entry
from alerts.channels.webhook import WebhookChannel
from tests.alerts.fhir_server import fhir_server
from tests.alerts.http_script import OK, receiver, status
from tests.alerts.made_up import day
from tests.alerts.smtp_script import relay
from tests.alerts.test_fhir_channel import ENTRY, PAGES
from tests.alerts.test_hl7_channel import HEAD, framed
from tests.alerts.test_hl7_channel import receiver as hl7_receiver

PLANTED = "planted-4711"
PLANTED_ENTRY = replace(ENTRY, text=PLANTED)


@dataclass
class Rig:
    """A peer and the channel that leads to it. `keys` are those of all it has taken, repeats too."""

    port: int
    make: Callable[[int, float], Channel]
    takes: Callable[[], None]
    refuses: Callable[[], None]
    is_down: Callable[[], None]
    keys: Callable[[], list[str]]
    heard: Callable[[], str]

    def channel(self, seconds: float = 60, port: int | None = None) -> Channel:
        return self.make(port or self.port, seconds)


@contextmanager
def _email() -> Iterator[Rig]:
    with relay() as peer:

        def says(mail: str, recipient: str) -> Callable[[], None]:
            def say() -> None:
                peer.on_mail, peer.on_rcpt = [mail], [recipient]

            return say

        yield Rig(
            peer.port,
            lambda port, seconds: EmailChannel(
                SmtpServer("127.0.0.1", port, tls=False, starttls="never"),
                "ferrule@hospital.test",
                PAGES,
                timeout_seconds=seconds,
            ),
            takes=says("250 ok", "250 ok"),
            refuses=says("250 ok", "550 nobody of that name"),
            is_down=says("450 not now", "250 ok"),
            keys=lambda: [str(letter["Message-ID"]) for letter in peer.letters],
            heard=lambda: "".join(letter.as_string() for letter in peer.letters),
        )


def _by_http(
    make: Callable[[int, float], Channel], key: Callable[[dict[str, str], str], str]
) -> Callable[[], AbstractContextManager[Rig]]:
    @contextmanager
    def rig() -> Iterator[Rig]:
        with receiver() as peer:

            def says(answer: bytes) -> Callable[[], None]:
                return lambda: peer.says(answer)

            yield Rig(
                peer.port,
                make,
                takes=says(OK),
                refuses=says(status(400)),
                is_down=says(status(503)),
                keys=lambda: [key(one.headers, one.body.decode()) for one in peer.heard],
                heard=lambda: "".join(f"{one.headers}{one.body.decode()}" for one in peer.heard),
            )

    return rig


def _webhook(port: int, seconds: float) -> Channel:
    target = target_of(f"http://127.0.0.1:{port}/hook", ["127.0.0.1"], HTTP)
    return WebhookChannel(target, (b"k" * 24,), PAGES, lambda: day(0), GuardedHttp(seconds=seconds))


def _chat(port: int, seconds: float) -> Channel:
    return NotificationChannel("chat", f"json://127.0.0.1:{port}/team", PAGES, seconds)


def planted(alert_ids: Sequence[int]) -> dict[int, Entry]:
    """The one made-up entry under each of the numbers."""
    return {alert_id: replace(PLANTED_ENTRY, alert_id=alert_id) for alert_id in alert_ids}


@contextmanager
def _fhir() -> Iterator[Rig]:
    with fhir_server() as peer:

        def make(port: int, seconds: float) -> Channel:
            target = target_of(f"http://127.0.0.1:{port}/fhir", ["127.0.0.1"])
            return FhirChannel(
                target, lambda: None, planted, PAGES, lambda: day(0), GuardedHttp(seconds=seconds)
            )

        def says(*faults: int) -> Callable[[], None]:
            return lambda: peer.faults.__setitem__(slice(None), list(faults))

        yield Rig(
            peer.port,
            make,
            takes=says(),
            refuses=says(422),
            is_down=says(*[503] * 20),
            keys=lambda: [str(one["identifier"]) for one in peer.of("Communication")],
            heard=lambda: str(peer.resources),
        )


@contextmanager
def _hl7() -> Iterator[Rig]:
    with hl7_receiver() as peer:

        def make(port: int, seconds: float) -> Channel:
            target = target_of(f"mllp://127.0.0.1:{port}", ["127.0.0.1"], MLLP)
            return Hl7Channel(target, planted, PAGES, "ferrule.test", http=GuardedHttp(seconds=seconds))

        def says(code: str) -> Callable[[], None]:
            def say() -> None:
                peer.answer = framed(HEAD, f"MSA|{code}|{{id}}")

            return say

        yield Rig(
            peer.port,
            make,
            takes=says("AA"),
            refuses=says("AE"),
            is_down=says("AR"),
            keys=lambda: [one.split(b"|")[9].decode() for one in peer.heard],
            heard=lambda: b"".join(peer.heard).decode(),
        )


RIGS = {
    "email": _email,
    "webhook": _by_http(_webhook, lambda headers, _: headers["webhook-id"]),
    "chat": _by_http(_chat, lambda _, body: body.rpartition("(")[2][:8]),
    "fhir": _fhir,
    "hl7": _hl7,
}
CLINICAL = ("fhir", "hl7")


@dataclass
class Endless:
    """A peer that never comes to an end, byte after byte."""

    port: int
    called: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        while not self.stop.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        self.called.set()
        with suppress(OSError), connection:
            while not self.stop.wait(0.05):
                connection.sendall(b"2")


@contextmanager
def endless() -> Iterator[Endless]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        peer = Endless(listener.getsockname()[1])
        thread = threading.Thread(target=peer.serve, args=(listener,), daemon=True)
        thread.start()
        yield peer
        peer.stop.set()
        thread.join(5)
