"""E-mail over SMTP: a headline and a link, nothing of the patient.

STARTTLS is insisted on unless the relay is on this machine or the URL says `?starttls=offered`; a failing TLS
is never replaced by plain text. Sends once; `alerts.outbox` retries with the same key.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from alerts.channels.channel import Message, Passing, Refused
from alerts.channels.deadline import Deadline, deadline
from alerts.wording import body, html_body, subject

TIMEOUT_SECONDS = 10.0
PORTS = {"smtp": 25, "smtps": 465}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
STARTTLS = ("offered", "required", "never")


class WrongSmtpUrl(ValueError):
    """Raised when SMTP_URL cannot be understood. It may hold a password and is never shown."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in. `starttls` is offered, required or never; `tls` means from the first byte."""

    host: str
    port: int
    tls: bool
    starttls: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def smtp_server(url: str) -> SmtpServer:
    """Reads `smtp://[user:password@]host[:port][?starttls=required|offered|never]` or `smtps://…`."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise WrongSmtpUrl("SMTP_URL: expected a port number") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise WrongSmtpUrl("SMTP_URL: expected smtp://host:port or smtps://host:port")
    return SmtpServer(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        starttls=_starttls(parts),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _starttls(parts: SplitResult) -> str:
    here = parts.hostname in LOOPBACK and not parts.password
    usual = "offered" if here or parts.scheme == "smtps" else "required"
    asked = parse_qs(parts.query).get("starttls", [usual])[-1]
    if asked not in STARTTLS:
        raise WrongSmtpUrl(f"SMTP_URL: expected starttls to be one of {', '.join(STARTTLS)}")
    return asked


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """Sends to the address the directory has for the recipient at that moment."""

    server: SmtpServer
    sender: str
    page_url: str
    tls_context: ssl.SSLContext | None = None
    timeout_seconds: float = TIMEOUT_SECONDS
    name: str = "email"
    instant: bool = False

    def send(self, message: Message) -> None:
        """One attempt. Raises Refused (the recipient or the content, for good) or Passing (all else)."""
        mail = compose(message, self.sender, self.page_url)
        with _translated(), deadline(self.timeout_seconds) as end, self._connected(end) as smtp:
            self._hand_in(smtp, mail, message)

    def send_note(self, to: str, subject: str, text: str) -> None:
        """A word to operations, in one attempt. Raises Refused or Passing."""
        mail = EmailMessage(policy=SMTP)
        mail["To"], mail["From"], mail["Subject"] = to, self.sender, subject
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        with _translated(), deadline(self.timeout_seconds) as end, self._connected(end) as smtp:
            smtp.send_message(mail, from_addr=self.sender, to_addrs=[to])

    @contextmanager
    def _connected(self, end: Deadline) -> Iterator[smtplib.SMTP]:
        server, seconds = self.server, self.timeout_seconds
        if server.tls:
            context = self._trusted()
            smtp: smtplib.SMTP = _SmtpTls(end, server.host, server.port, timeout=seconds, context=context)
        else:
            smtp = _Smtp(end, server.host, server.port, timeout=seconds)
        try:
            self._secure(smtp)
            if smtp.sock is not None:
                end.closes(smtp.sock)
            if server.user is not None:
                smtp.login(server.user, server.password or "")
            yield smtp
            _leave(smtp)
        finally:
            smtp.close()

    def _trusted(self) -> ssl.SSLContext:
        """The authorities of this machine, read when a mail is sent: a channel is made every second."""
        return self.tls_context or ssl.create_default_context()

    def _secure(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        if self.server.tls or self.server.starttls == "never":
            return
        if smtp.has_extn("starttls"):
            smtp.starttls(context=self._trusted())
            smtp.ehlo()
        elif self.server.starttls == "required":
            raise Passing("tls-not-offered", is_down=True)

    def _hand_in(self, smtp: smtplib.SMTP, mail: EmailMessage, message: Message) -> None:
        try:
            smtp.send_message(mail, from_addr=self.sender, to_addrs=[message.email or ""])
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise _by_code(code, "recipient-refused") from None
        except smtplib.SMTPSenderRefused:
            # Ours to mend, and then all that waited is sent.
            raise Passing("sender-refused", is_down=True) from None
        except smtplib.SMTPDataError as error:
            raise _by_code(error.smtp_code, "content-refused") from None
        except smtplib.SMTPNotSupportedError:
            raise Refused("address-not-supported") from None


class _Ending(smtplib.SMTP):
    """Its socket is closed when time is up: smtplib's timeout starts anew with every byte that drips in."""

    def __init__(self, end: Deadline, host: str, port: int, **named: Any) -> None:
        self._end = end
        super().__init__(host, port, **named)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # smtplib's own place to make the connection, which its type stubs leave out.
        connected: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._end.closes(connected)
        return connected


class _Smtp(_Ending):
    """In the clear, or until STARTTLS."""


class _SmtpTls(_Ending, smtplib.SMTP_SSL):
    """TLS from the first byte."""


def compose(message: Message, sender: str, page_url: str) -> EmailMessage:
    """The mail of a message, the same on each repeat. Raises Refused when there is no usable address."""
    mail = EmailMessage(policy=SMTP)
    if not message.email:
        raise Refused("no-address")
    try:
        mail["To"] = MailAddress(addr_spec=message.email)
    except (ValueError, IndexError, MessageError):
        raise Refused("bad-address") from None
    mail["From"] = sender
    mail["Subject"] = subject(message.lines)
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2].strip('> ') or 'ferrule.invalid'}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body(message.lines, page_url))
    mail.add_alternative(html_body(message.lines, page_url), subtype="html")
    # The same on each repeat, to the byte.
    mail.set_boundary(f"ferrule-{message.key[:32]}")
    return mail


@contextmanager
def _translated() -> Iterator[None]:
    """What goes wrong on the way to the server is passing, whatever it is."""
    try:
        yield
    except smtplib.SMTPAuthenticationError:
        raise Passing("sign-in-refused", is_down=True) from None
    except smtplib.SMTPResponseException:
        raise Passing("server-refused", is_down=True) from None
    except ssl.SSLError:
        raise Passing("tls", is_down=True) from None
    except (smtplib.SMTPException, OSError):
        raise Passing("connection", is_down=True) from None


def _by_code(code: int, reason: str) -> Refused | Passing:
    """RFC 5321: 5yz is for good, all else may be taken later."""
    return Refused(reason) if 500 <= code <= 599 else Passing(reason)


def _leave(smtp: smtplib.SMTP) -> None:
    """The mail was taken: a poor farewell changes nothing."""
    try:
        smtp.quit()
    except (smtplib.SMTPException, OSError):
        return
