"""E-mail against real SMTP servers: what it says, what it never says, and which failures are for good."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.channel import Line, Message, Passing, Refused
from alerts.channels.email import EmailChannel, SmtpServer, WrongSmtpUrl, compose, smtp_server
from alerts.states import Step
from rules.findings import Severity
from tests.alerts.made_up import ADA, day
from tests.alerts.smtp_script import Relay, relay

SENDER = "Ferrule <ferrule@hospital.test>"
PAGES = "https://ferrule.hospital.test/"
HIGH = Line(7, Step.RAISE, Severity.HIGH, "High B12 with iron deficiency")
CRITICAL = Line(8, Step.RAISE, Severity.CRITICAL, "Hemoglobin is critically low")
MESSAGE = Message("0a1b2c3d" * 8, ADA.address, "ada@hospital.test", day(0), (HIGH,))


@pytest.fixture
def mail() -> Iterator[Relay]:
    with relay() as running:
        yield running


def channel(port: int, **settings: object) -> EmailChannel:
    server = SmtpServer("127.0.0.1", port, tls=False, starttls=str(settings.pop("starttls", "offered")))
    return EmailChannel(server, SENDER, PAGES, timeout_seconds=5.0, **settings)  # type: ignore[arg-type]


def text(letter: EmailMessage, kind: str = "plain") -> str:
    part = letter.get_body((kind,))
    assert part is not None
    return str(part.get_content())


class Links(HTMLParser):
    """The links of a page, and every element that would fetch something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]


def test_a_digest_is_html_and_plain_text_with_the_same_links(mail: Relay) -> None:
    strange = replace(HIGH, headline='<img src=x onerror="x"> & B12')
    channel(mail.port).send(replace(MESSAGE, lines=(CRITICAL, strange)))
    (letter,) = mail.letters
    assert letter.get_content_type() == "multipart/alternative"
    page = Links(text(letter, "html"))
    assert page.links == [f"{PAGES}inbox/8", f"{PAGES}inbox/7"]
    assert page.tags == {"html", "body", "ul", "li", "strong", "a"}
    assert strange.headline in text(letter)


def test_a_repeat_is_the_same_to_the_byte() -> None:
    assert compose(MESSAGE, SENDER, PAGES).as_bytes() == compose(MESSAGE, SENDER, PAGES).as_bytes()


def test_a_mail_is_a_headline_and_a_link(mail: Relay) -> None:
    channel(mail.port).send(MESSAGE)
    (letter,) = mail.letters
    assert letter["Subject"] == "High B12 with iron deficiency"
    assert text(letter).splitlines() == [HIGH.headline, "https://ferrule.hospital.test/inbox/7"]
    assert (letter["To"], letter["From"]) == ("ada@hospital.test", SENDER)
    assert letter["Auto-Submitted"] == "auto-generated"


def test_many_findings_are_one_mail_with_the_worst_first(mail: Relay) -> None:
    channel(mail.port).send(replace(MESSAGE, lines=(CRITICAL, HIGH)))
    (letter,) = mail.letters
    assert letter["Subject"] == "Hemoglobin is critically low (and 1 more)"
    assert [line for line in text(letter).splitlines() if line.startswith("https")] == [
        f"{PAGES}inbox/8",
        f"{PAGES}inbox/7",
    ]


@pytest.mark.parametrize(("step", "begins"), [(Step.WITHDRAW, "Withdrawn: "), (Step.AMEND, "Corrected: ")])
def test_taking_back_is_said_in_the_subject(mail: Relay, step: Step, begins: str) -> None:
    channel(mail.port).send(replace(MESSAGE, lines=(replace(HIGH, step=step),)))
    assert mail.letters[0]["Subject"] == begins + HIGH.headline


def test_each_repeat_carries_the_same_message_id(mail: Relay) -> None:
    for _ in range(2):
        channel(mail.port).send(MESSAGE)
    first, second = mail.letters
    assert first["Message-ID"] == second["Message-ID"] == f"<{MESSAGE.key}@hospital.test>"
    assert first.as_bytes() == second.as_bytes()


@pytest.mark.parametrize("answer", ["550 no such user", "553 mailbox name not allowed"])
def test_a_refused_recipient_is_for_good(mail: Relay, answer: str) -> None:
    mail.on_rcpt = [answer]
    with pytest.raises(Refused) as refused:
        channel(mail.port).send(MESSAGE)
    assert refused.value.reason == "recipient-refused"


@pytest.mark.parametrize("answer", ["450 mailbox busy", "451 greylisted", "452 full"])
def test_a_recipient_put_off_is_tried_again(mail: Relay, answer: str) -> None:
    mail.on_rcpt = [answer]
    with pytest.raises(Passing) as passing:
        channel(mail.port).send(MESSAGE)
    assert (passing.value.reason, passing.value.is_down) == ("recipient-refused", False)


def test_refused_content_is_for_good_and_content_put_off_is_not(mail: Relay) -> None:
    mail.on_data = ["554 no", "451 later"]
    with pytest.raises(Refused):
        channel(mail.port).send(MESSAGE)
    with pytest.raises(Passing):
        channel(mail.port).send(MESSAGE)


def test_a_refused_sender_is_ours_to_mend_and_loses_no_mail(mail: Relay) -> None:
    mail.on_mail = ["550 who are you"]
    with pytest.raises(Passing) as passing:
        channel(mail.port).send(MESSAGE)
    assert (passing.value.reason, passing.value.is_down) == ("sender-refused", True)


def test_a_relay_that_hangs_up_after_the_data_is_tried_again_under_the_same_id(mail: Relay) -> None:
    mail.on_data = ["hang up", "250 kept"]
    with pytest.raises(Passing) as passing:
        channel(mail.port).send(MESSAGE)
    assert passing.value.reason == "connection"
    channel(mail.port).send(MESSAGE)
    assert len({letter["Message-ID"] for letter in mail.letters}) == 1


def test_a_relay_that_is_not_there_is_passing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Passing) as passing:
            channel(taken.getsockname()[1]).send(MESSAGE)
    assert (passing.value.reason, passing.value.is_down) == ("connection", True)


def test_a_relay_that_does_not_answer_is_passing_after_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Passing) as passing:
        replace(channel(silent.getsockname()[1]), timeout_seconds=0.2).send(MESSAGE)
    assert passing.value.is_down


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        "nobody",
        "a@b@c",
        "ada@hospital.test\r\nBcc: eve@evil.test",
        "ada@hospital.test, eve@evil.test",
    ],
)
def test_an_address_that_is_none_is_refused_and_nothing_is_sent(mail: Relay, email: str | None) -> None:
    with pytest.raises(Refused):
        channel(mail.port).send(replace(MESSAGE, email=email))
    assert mail.letters == []


@given(headline=st.text(), key=st.integers(0, 2**256 - 1))
def test_s43_no_headline_adds_a_header_or_a_recipient(headline: str, key: int) -> None:
    message = replace(MESSAGE, key=f"{key:064x}", lines=(replace(HIGH, headline=headline),))
    mail = compose(message, SENDER, PAGES)
    head = mail.as_bytes().partition(b"\r\n\r\n")[0]
    assert head.replace(b"\r\n ", b"").count(b"\r\n") == len(mail.keys()) - 1
    assert mail.keys() == compose(MESSAGE, SENDER, PAGES).keys()
    assert mail["To"].addresses[0].addr_spec == "ada@hospital.test"
    assert len(mail["To"].addresses) == 1


def test_tls_that_is_required_and_not_offered_sends_nothing(mail: Relay) -> None:
    with pytest.raises(Passing) as passing:
        channel(mail.port, starttls="required").send(MESSAGE)
    assert passing.value.reason == "tls-not-offered"
    assert mail.letters == []


@contextmanager
def breaks_tls() -> Iterator[tuple[int, list[bytes]]]:
    """Offers STARTTLS, agrees, then speaks rubbish; the list is all it heard."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 hello\r\n")
            heard.append(connection.recv(1024))
            connection.sendall(b"250-here\r\n250 STARTTLS\r\n")
            heard.append(connection.recv(1024))
            connection.sendall(b"220 go on\r\n")
            heard.append(connection.recv(4096))
            connection.sendall(b"this is no handshake\r\n")
            with contextlib.suppress(ConnectionResetError):
                heard.append(connection.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join(timeout=5)


def test_tls_that_fails_is_never_replaced_by_plain_text() -> None:
    with breaks_tls() as (port, heard), pytest.raises(Passing) as passing:
        channel(port).send(MESSAGE)
    assert passing.value.reason == "tls"
    assert b"MAIL" not in b"".join(heard)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl (a certificate to test with): not on this machine; Debian package openssl")
    return certificate, key


@pytest.fixture
def tls_mail(certificate: tuple[Path, Path]) -> Iterator[Relay]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with relay(tls_context=context, require_starttls=True) as running:
        yield running


def test_starttls_is_used_when_it_is_offered(tls_mail: Relay, certificate: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    channel(tls_mail.port, tls_context=trusting).send(MESSAGE)
    assert len(tls_mail.letters) == 1


def test_a_certificate_that_nobody_vouches_for_stops_the_mail(tls_mail: Relay) -> None:
    with pytest.raises(Passing) as passing:
        channel(tls_mail.port).send(MESSAGE)
    assert passing.value.reason == "tls"
    assert tls_mail.letters == []


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://localhost", SmtpServer("localhost", 25, False, "offered")),
        ("smtp://mail.test", SmtpServer("mail.test", 25, False, "required")),
        ("smtp://mail.test?starttls=offered", SmtpServer("mail.test", 25, False, "offered")),
        ("smtp://mail.test:2525", SmtpServer("mail.test", 2525, False, "required")),
        ("smtps://mail.test", SmtpServer("mail.test", 465, True, "offered")),
        ("smtp://mail.test?starttls=required", SmtpServer("mail.test", 25, False, "required")),
        ("smtp://a%40b:p%3Aw@mail.test:587", SmtpServer("mail.test", 587, False, "required", "a@b", "p:w")),
    ],
)
def test_a_url_names_the_server_and_a_password_asks_for_tls(url: str, server: SmtpServer) -> None:
    assert smtp_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.test:25",
        "http://mail.test",
        "smtp://",
        "smtp://u:secret@m:port",
        "smtp://u:secret@m?starttls=maybe",
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(WrongSmtpUrl) as refused:
        smtp_server(url)
    assert "secret" not in str(refused.value)


def test_a_password_is_not_printed() -> None:
    assert "secret" not in repr(smtp_server("smtp://user:secret@mail.test"))
