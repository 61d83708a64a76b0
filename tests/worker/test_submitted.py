"""A whole event in a task: the numbers as its sender wrote them, and nothing lost that JSON cannot say."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from kombu.serialization import dumps, loads
from sqlalchemy import Engine

from tests.worker.made_up import event, inbound, result
from worker.accepting import Outcome, accept
from worker.celery_app import configured
from worker.submitted import inbound_of

JSON = "application/json"


def through_the_queue(body: bytes | str) -> object:
    configured(None)
    return loads(body, JSON, "utf-8", accept={JSON})


def test_a_number_comes_through_the_queue_as_it_was_written() -> None:
    value = through_the_queue('{"value": 9.10, "big": 12345678901234567890123.5, "n": ' + "1" * 5000 + "}")
    assert inbound_of(value).raw.decode().startswith('{"value":9.10,"big":12345678901234567890123.5,"n":111')


@pytest.mark.parametrize("value", [9.1, 1450, 1e-7, 100.0])
def test_the_same_event_by_http_and_by_the_queue_is_one(engine: Engine, value: float) -> None:
    sent = event("M1", [result("R1", "ferritin", "9") | {"value": value}])
    [first] = accept(engine, [inbound(sent)])
    _, _, body = dumps([[sent], {}, {}], "json")
    arguments = through_the_queue(body)
    assert isinstance(arguments, list)
    [again] = accept(engine, [inbound_of(arguments[0][0])])
    assert (first.outcome, again.outcome) == (Outcome.STORED, Outcome.DUPLICATE)


def test_what_celery_can_say_and_json_cannot_is_kept_as_text() -> None:
    sent = {
        "time": datetime(2026, 3, 1, tzinfo=UTC),
        "id": UUID(int=1),
        "value": Decimal("9.10"),
        "bytes": b"\xff",
        "list": (1, None, True),
    }
    _, _, body = dumps([sent], "json")
    arguments = through_the_queue(body)
    assert isinstance(arguments, list)
    kept = json.loads(inbound_of(arguments[0]).raw, parse_float=str)
    assert kept["value"] == "9.10"
    assert kept["time"] == "2026-03-01T00:00:00+00:00"
    assert kept["list"] == [1, None, True]
