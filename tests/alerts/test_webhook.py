"""The webhook against real servers: what it says, how it is signed, which answers are for good, and where it
never connects to.
"""

import base64
import gzip
import json
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.channel import Line, Message, Passing, Refused
from alerts.channels.guarded_http import GUARDED, GuardedHttp, NotSent, WrongUrl, target_of
from alerts.channels.webhook import WebhookChannel, WrongSecret, keys_of, payload, retry_after, signature
from alerts.states import Step
from rules.findings import Severity
from tests.alerts.http_script import OK, Receiver, receiver, status
from tests.alerts.made_up import ADA, day
from tests.services.certificates import Authority

PAGES = "https://ferrule.hospital.test"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another key of 24 bytes!").decode()
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LINE = Line(7, Step.RAISE, Severity.HIGH, "High B12 with iron deficiency")
MESSAGE = Message("0a1b2c3d" * 8, ADA.address, None, day(0), (LINE,))
PRIVATE = ("127.0.0.1", "localhost", "receiver.hospital.test")


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def channel(url: str, http: GuardedHttp = GUARDED, secrets: str = SECRET) -> WebhookChannel:
    return WebhookChannel(target_of(url, PRIVATE), keys_of(secrets), PAGES, lambda: NOW, http)


def answers(*found: str) -> Callable[[str, int], Sequence[str]]:
    return lambda _host, _port: found


def test_s28_a_webhook_is_a_headline_and_a_link(hook: Receiver) -> None:
    channel(hook.url).send(MESSAGE)
    (heard,) = hook.heard
    assert heard.first_line == "POST /hook HTTP/1.1"
    assert json.loads(heard.body) == {
        "type": "alert.told",
        "timestamp": "2026-03-01T09:00:00+00:00",
        "data": {
            "to": {"system": ADA.system, "id": ADA.id},
            "alerts": [
                {
                    "step": "raise",
                    "severity": "high",
                    "headline": "High B12 with iron deficiency",
                    "link": f"{PAGES}/inbox/7",
                }
            ],
        },
    }


def test_s53_the_signature_is_that_of_the_standard_webhooks_test_vector() -> None:
    signed = signature(keys_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_s53_two_keys_in_rotation_sign_both(hook: Receiver) -> None:
    channel(hook.url, secrets=f"{OTHER} {SECRET}").send(MESSAGE)
    (heard,) = hook.heard
    both = heard.headers["webhook-signature"].split()
    at = int(heard.headers["webhook-timestamp"])
    assert at == int(NOW.timestamp())
    assert both == [
        signature(keys_of(one), heard.headers["webhook-id"], at, heard.body) for one in (OTHER, SECRET)
    ]


@pytest.mark.parametrize(
    ("key", "at", "body"), [("other", 1, b"{}"), ("id", 2, b"{}"), ("id", 1, b"{} ")], ids=str
)
def test_s53_another_id_time_or_body_has_another_signature(key: str, at: int, body: bytes) -> None:
    assert signature(keys_of(SECRET), key, at, body) != signature(keys_of(SECRET), "id", 1, b"{}")


@pytest.mark.parametrize("secrets", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64", f"{SECRET} " * 3])
def test_a_secret_that_is_none_is_refused_without_showing_it(secrets: str) -> None:
    with pytest.raises(WrongSecret) as wrong:
        keys_of(secrets)
    assert "c2hv" not in str(wrong.value)
    assert "MfKQ" not in str(wrong.value)


def test_each_repeat_carries_the_same_id_and_body(hook: Receiver) -> None:
    channel(hook.url).send(MESSAGE)
    replace(channel(hook.url), clock=lambda: NOW + timedelta(hours=1)).send(MESSAGE)
    first, second = hook.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == MESSAGE.key
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_f64_what_begins_with_2_is_taken(hook: Receiver, code: int) -> None:
    hook.says(status(code))
    channel(hook.url).send(MESSAGE)


@pytest.mark.parametrize("code", [400, 413, 422])
def test_f64_a_message_the_receiver_will_never_take_is_refused(hook: Receiver, code: int) -> None:
    hook.says(status(code))
    with pytest.raises(Refused, match=f"status-{code}"):
        channel(hook.url).send(MESSAGE)


@pytest.mark.parametrize("code", [401, 403, 404, 408, 410, 429, 500, 503])
def test_f64_a_receiver_that_is_not_there_loses_nothing(hook: Receiver, code: int) -> None:
    hook.says(status(code))
    with pytest.raises(Passing, match=f"status-{code}") as passing:
        channel(hook.url).send(MESSAGE)
    assert passing.value.is_down


def test_f64_retry_after_is_handed_on(hook: Receiver) -> None:
    hook.says(status(429, "Retry-After: 120"))
    with pytest.raises(Passing) as passing:
        channel(hook.url).send(MESSAGE)
    assert passing.value.retry_after == timedelta(seconds=120)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", timedelta(0)),
        ("99999999999999", timedelta(days=1)),
        ("Sun, 01 Mar 2026 09:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 08:00:00 GMT", None),
        ("-3", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_f64_retry_after_is_seconds_or_a_date(text: str | None, wait: timedelta | None) -> None:
    assert retry_after(text, NOW) == wait


@given(st.text(max_size=40))
def test_no_retry_after_breaks_the_channel(text: str) -> None:
    wait = retry_after(text, NOW)
    assert wait is None or wait >= timedelta(0)


def test_s52_s55_a_redirect_is_not_followed_and_nothing_is_carried_elsewhere(hook: Receiver) -> None:
    with receiver() as elsewhere:
        hook.says(status(302, f"Location: {elsewhere.url}"))
        with pytest.raises(Passing, match="redirect"):
            channel(hook.url).send(MESSAGE)
        assert elsewhere.connections == 0


def test_s54_a_body_without_end_is_not_read_to_its_end(hook: Receiver) -> None:
    hook.says(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"ffff\r\n" + b"x" * 65535 + b"\r\n"] * 50
    )
    started = time.monotonic()
    channel(hook.url).send(MESSAGE)
    assert time.monotonic() - started < 5


def test_s54_what_is_compressed_stays_so(hook: Receiver) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    hook.says(status(200, "Content-Encoding: gzip", body=bomb))
    reply = GuardedHttp().request("POST", target_of(hook.url, PRIVATE), b"{}", {})
    assert reply.body == bomb[:65536]
    assert hook.heard[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "pieces",
    [
        [40.0, OK],
        [piece for letter in OK for piece in (bytes([letter]), 0.3)],
        [piece for _ in range(200) for piece in (b"HTTP/1.1 100 Continue\r\n\r\n", 0.1)],
    ],
    ids=["silent", "letter by letter", "continue"],
)
def test_f64_s54_the_whole_exchange_ends_in_time(hook: Receiver, pieces: list[bytes | float]) -> None:
    hook.says(*pieces)
    started = time.monotonic()
    with pytest.raises(Passing, match="timeout") as passing:
        channel(hook.url, GuardedHttp(seconds=1.0)).send(MESSAGE)
    assert passing.value.is_down
    assert time.monotonic() - started < 4


def test_s54_a_body_that_drips_after_a_good_answer_is_left(hook: Receiver) -> None:
    drops = [piece for _ in range(90) for piece in (b"x", 0.3)]
    hook.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", *drops)
    started = time.monotonic()
    channel(hook.url, GuardedHttp(seconds=1.0)).send(MESSAGE)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    "said", [b"", b"no http\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500, b"HTTP/1.1 abc\r\n\r\n"]
)
def test_f64_what_is_no_answer_is_passing(hook: Receiver, said: bytes) -> None:
    hook.says(said)
    with pytest.raises(Passing, match="connection"):
        channel(hook.url).send(MESSAGE)


def test_a_receiver_that_is_not_there_is_passing() -> None:
    with receiver() as gone:
        url = gone.url
    with pytest.raises(Passing, match="connection"):
        channel(url).send(MESSAGE)


def test_f64_tls_is_checked_against_the_name_in_the_url(authority: Authority) -> None:
    pair = authority.issue("server", "server")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pair.certificate, pair.key)
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    to_loopback = GuardedHttp(answers("127.0.0.1"), trusting)
    with receiver(serving) as hook:
        channel(f"https://localhost:{hook.port}/hook", to_loopback).send(MESSAGE)
        for url, http in [
            (f"https://localhost:{hook.port}/hook", GuardedHttp()),
            (f"https://receiver.hospital.test:{hook.port}/hook", to_loopback),
        ]:
            with pytest.raises(Passing, match="tls"):
                channel(url, http).send(MESSAGE)
        assert len(hook.heard) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://127.0.0.0x1/x",
        "https://0/x",
        "https://[::1]/x",
        "https://[::]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::127.0.0.1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[fc00::1]/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/x",
        "https://172.16.0.1/x",
        "https://192.168.0.1/x",
        "https://100.64.0.1/x",
        "https://224.0.0.1/x",
        "https://255.255.255.255/x",
        "https://user:pass@hooks.test/x",
        "https://hooks.test@127.0.0.1/x",
        "https://hooks.test\\@127.0.0.1/x",
        "https://①②⑦.⓪.⓪.①/x",
        "https://hööks.test/x",
        "https://hooks.test/x\r\nHost: other",
        "https://hooks.test /x",
        "https://hooks.test:99999/x",
        "https://-hooks.test/x",
        "https:///x",
        "http://hooks.test/x",
        "file:///etc/passwd",
        "ftp://hooks.test/x",
        "gopher://hooks.test/x",
        "//hooks.test/x",
        "",
    ],
)
def test_b103_s52_a_url_into_the_house_is_refused_when_it_is_read(url: str) -> None:
    with pytest.raises(WrongUrl) as wrong:
        target_of(url)
    assert "pass" not in str(wrong.value).replace("password", "")


@pytest.mark.parametrize("url", ["https://169.254.169.254/x", "https://[fe80::1]/x", "https://0.0.0.0/x"])
def test_s52_no_site_can_name_link_local_or_no_address_as_its_own(url: str) -> None:
    with pytest.raises(WrongUrl):
        target_of(url, ["169.254.169.254", "fe80::1", "0.0.0.0"])


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["100.100.0.1"],
        ["::1"],
        ["fe80::1%eth0"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["2002:a00:1::1"],
        ["93.184.215.14", "127.0.0.1"],
    ],
    ids=str,
)
def test_f67_b103_s52_a_name_with_a_private_address_is_refused_when_it_is_sent(
    found: list[str], hook: Receiver
) -> None:
    target = target_of(f"https://hooks.test:{hook.port}/x")
    with pytest.raises(NotSent, match="private-address"):
        GuardedHttp(answers(*found)).request("POST", target, b"{}", {})
    assert hook.connections == 0


def test_s52_a_name_is_asked_for_once_so_that_a_second_answer_changes_nothing(hook: Receiver) -> None:
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    channel(f"http://receiver.hospital.test:{hook.port}/x", GuardedHttp(rebinding)).send(MESSAGE)
    assert asked == ["receiver.hospital.test"]
    assert hook.heard[0].headers["host"] == f"receiver.hospital.test:{hook.port}"


def test_f67_a_resolver_that_fails_or_hangs_is_passing() -> None:
    def fails(_host: str, _port: int) -> list[str]:
        raise OSError

    def hangs(_host: str, _port: int) -> list[str]:
        time.sleep(3)
        return ["127.0.0.1"]

    for lookup in (fails, hangs):
        with pytest.raises(Passing, match=r"dns|timeout"):
            channel("https://receiver.hospital.test/x", GuardedHttp(lookup, seconds=0.5)).send(MESSAGE)


def test_the_channel_does_not_print_its_keys() -> None:
    assert "keys" not in repr(channel("https://localhost/x"))


def test_no_headline_leaves_its_field() -> None:
    strange = replace(LINE, headline='a"},\r\n{"b\x00\ud800')
    assert len(json.loads(payload(replace(MESSAGE, lines=(strange,)), PAGES))["data"]["alerts"]) == 1
