"""A real SMTP server on loopback that keeps what it is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.services.process import free_port


@dataclass
class MailSink:
    """The letters in the order they came, as bytes; `messages` reads them."""

    port: int
    letters: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(letter, policy=policy.default) for letter in self.letters]

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        self.letters.append(envelope.original_content)
        return "250 kept"


@contextmanager
def mail_relay() -> Iterator[MailSink]:
    """A mail relay that accepts everything and sends nothing."""
    sink = MailSink(free_port())
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    yield sink
    controller.stop()


@pytest.fixture
def mail_sink() -> Iterator[MailSink]:
    """A mail relay of the test's own."""
    with mail_relay() as sink:
        yield sink
