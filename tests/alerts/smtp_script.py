"""A real SMTP server on loopback that does what a test tells it: refuses, puts off, hangs up, offers TLS."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.services.process import free_port


@dataclass
class Relay:
    """`on_rcpt`, `on_data` and `on_mail` are the answers of the next conversations, the last one for ever."""

    port: int
    on_mail: list[str] = field(default_factory=lambda: ["250 ok"])
    on_rcpt: list[str] = field(default_factory=lambda: ["250 ok"])
    on_data: list[str] = field(default_factory=lambda: ["250 kept"])
    letters: list[EmailMessage] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802  (aiosmtpd's name)
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return _next(self.on_mail)

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        answer = _next(self.on_rcpt)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append(message_from_bytes(envelope.original_content, policy=policy.default))
        answer = _next(self.on_data)
        if answer == "hang up":
            server.transport.abort()
            await asyncio.sleep(0)
        return answer


def _next(answers: list[str]) -> str:
    return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def relay(**server_settings: Any) -> Iterator[Relay]:
    """A relay that accepts everything until it is told otherwise."""
    handler = Relay(free_port())
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port, **server_settings)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()
