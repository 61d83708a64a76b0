"""Chat, SMS and pager through Apprise, against a real server: headline and link only, and in time."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from alerts.channels.channel import Passing, Refused
from alerts.channels.notification import NotificationChannel, judge
from tests.alerts.http_script import Receiver, receiver, status
from tests.alerts.test_webhook import MESSAGE, PAGES


@pytest.fixture
def service() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def channel(service: Receiver, query: str = "", seconds: float = 60) -> NotificationChannel:
    return NotificationChannel("chat", f"json://127.0.0.1:{service.port}/team{query}", PAGES, seconds)


def test_s28_a_notification_is_a_headline_and_a_link(service: Receiver) -> None:
    channel(service).send(MESSAGE)
    (heard,) = service.heard
    said = json.loads(heard.body)
    assert said["title"] == "High B12 with iron deficiency"
    assert said["message"] == f"High B12 with iron deficiency\n{PAGES}/inbox/7\n({MESSAGE.key[:8]})"


@pytest.mark.parametrize(
    ("code", "problem"),
    [(400, Refused), (422, Refused), (401, Passing), (404, Passing), (429, Passing), (503, Passing)],
)
def test_each_answer_by_its_kind(code: int, problem: type[Exception]) -> None:
    with pytest.raises(problem, match=f"status-{code}"):
        judge({"sent": False, "known": True, "status": code})


def test_s55_a_redirect_is_not_followed(service: Receiver) -> None:
    with receiver() as elsewhere:
        service.says(status(302, f"Location: {elsewhere.url}"))
        with pytest.raises(Passing, match="status-302"):
            channel(service).send(MESSAGE)
        assert elsewhere.connections == 0


def test_f64_an_answer_without_end_is_stopped(service: Receiver) -> None:
    drops = [piece for _ in range(200) for piece in (b"x", 0.3)]
    service.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", *drops)
    started = time.monotonic()
    with pytest.raises(Passing, match="timeout") as passing:
        channel(service, seconds=4).send(MESSAGE)
    assert passing.value.is_down
    assert time.monotonic() - started < 30


def test_a_service_that_is_not_there_and_an_address_that_is_none_are_passing() -> None:
    with receiver() as gone:
        pass
    with pytest.raises(Passing, match="connection"):
        channel(gone).send(MESSAGE)
    with pytest.raises(Passing, match="bad-address"):
        NotificationChannel("chat", "nothing://planted-secret", PAGES).send(MESSAGE)


def test_an_sms_goes_to_the_number_of_the_directory(service: Receiver) -> None:
    sms = NotificationChannel("sms", f"json://127.0.0.1:{service.port}/to/{{phone}}", PAGES, 60)
    sms.send(replace(MESSAGE, phone="+1 (555) 010-0199"))
    assert service.heard[0].first_line == "POST /to/15550100199 HTTP/1.1"
    for nobody in (None, "", "ext."):
        with pytest.raises(Refused, match="no-phone"):
            sms.send(replace(MESSAGE, phone=nobody))


def test_the_address_is_in_no_log_and_no_settings_reach_the_library(
    service: Receiver, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERRULE_DATABASE_URL", "sqlite:///planted")
    service.says(status(500))
    telling = channel(service, "?+x-planted=planted")
    with pytest.raises(Passing, match="status-500") as problem:
        telling.send(MESSAGE)
    said = capfd.readouterr()
    assert "planted" not in f"{said.out}{said.err}{problem.value}{telling!r}"
