"""Logs hold what is on the allow-list, one line an event, whoever logs."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from worker import logs

MARKER = "MARKER-FAMILYNAME"


class Written:
    """What has been written to standard error since."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure(level="debug", style="json")
    yield Written(capsys)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(written: Written) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_field_that_is_not_on_the_list_is_dropped(written: Written) -> None:
    logs.logger("x").info("judged", message=12, patient=MARKER, value="9")
    [line] = lines(written)
    assert line["message"] == 12
    assert MARKER not in written.getvalue()


EARLY = logs.logger("early")


def test_a_logger_made_before_the_set_up_keeps_to_it_too(written: Written) -> None:
    EARLY.warning("judged", patient=MARKER)
    [line] = lines(written)
    assert line["part"] == "early"
    assert MARKER not in written.getvalue()


def test_an_exception_is_named_by_class_and_place_never_by_its_text(written: Written) -> None:
    try:
        raise ValueError(MARKER)
    except ValueError as error:
        logs.logger("x").error("failed", error=error)
    [line] = lines(written)
    assert str(line["error"]).startswith("ValueError at test_logs.py:")
    assert MARKER not in written.getvalue()


@pytest.mark.parametrize("text", ["a\r\nb", "a\x1b[31mb", 'a", "level": "fake', "a\u2028b", "a\x00b"])
def test_whatever_is_in_a_field_stays_one_record(written: Written, text: str) -> None:
    logs.logger("x").info("judged", reason=text)
    [line] = lines(written)
    assert line["level"] == "info"
    assert not set("\r\n\x1b\u2028\x00") & set(str(line["reason"]))


def test_another_library_s_arguments_and_traceback_are_not_written(written: Written) -> None:
    try:
        raise KeyError(MARKER)
    except KeyError:
        logging.getLogger("celery.worker").exception("Received unregistered task: %r", MARKER)
    [line] = lines(written)
    assert line["event"] == "Received unregistered task: %r"
    assert line["error"] == "KeyError"
    assert MARKER not in written.getvalue()


def test_another_library_s_ready_made_text_is_not_written(written: Written) -> None:
    logging.getLogger("sqlalchemy").warning(f"Statement failed with {MARKER}")
    assert MARKER not in written.getvalue()
    assert len(lines(written)) == 1
