"""The intake task: whatever fails, the event is in quarantine or still on the queue."""

from typing import Any

import pytest
from celery.exceptions import Reject
from kombu.serialization import loads
from sqlalchemy import Engine, select

from tests.worker.made_up import deps_on, event, result
from worker import tasks
from worker.database import reading
from worker.tables import MESSAGE

JSON = "application/json"
SENT = event("M1", [result("R1", "ferritin", "9")], patient="MARKER-ID")


@pytest.fixture(autouse=True)
def on_this_database(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "deps", lambda: deps_on(engine))
    monkeypatch.setattr(tasks, "PUT_BACK_SECONDS", 0.0)


def stored(engine: Engine) -> list[tuple[str, bytes]]:
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(select(MESSAGE.c.state, MESSAGE.c.raw))]


@pytest.mark.parametrize("planted", [RuntimeError, KeyError, MemoryError, OSError, ZeroDivisionError])
@pytest.mark.parametrize("where", ["inbound_of_task", "accept"])
def test_any_failure_before_the_commit_puts_the_event_back(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    planted: type[Exception],
    where: str,
) -> None:
    def fails(*_: Any) -> Any:
        raise planted("MARKER-ID")

    with monkeypatch.context() as once:
        once.setattr(tasks, where, fails)
        with pytest.raises(Reject) as rejected:
            tasks.submit(SENT)
    assert rejected.value.requeue
    assert stored(engine) == []
    tasks.submit(SENT)
    assert [state for state, _ in stored(engine)] == ["pending"]


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("depth", [500, 900, 1500, 100_000])
def test_an_event_too_deep_to_read_is_kept_in_quarantine(engine: Engine, depth: int) -> None:
    [given, named, _] = loads(f"[[{nested(depth)}], {{}}, {{}}]", JSON, "utf-8", accept={JSON})
    tasks.submit(*given, **named)
    [(state, raw)] = stored(engine)
    assert state == "quarantined"
    assert raw.count(b"{") >= depth


def test_a_task_body_that_is_no_json_is_kept_in_quarantine(engine: Engine) -> None:
    [given, named, _] = loads(b'[[{"id": "M1", \xff', JSON, "utf-8", accept={JSON})
    tasks.submit(*given, **named)
    [(state, raw)] = stored(engine)
    assert state == "quarantined"
    assert b"M1" in raw
    tasks.judge_messages(*given, **named)


def test_an_event_by_its_argument_name_is_an_event(engine: Engine) -> None:
    tasks.submit(event=SENT)
    assert [state for state, _ in stored(engine)] == ["pending"]


@pytest.mark.parametrize(("given", "named"), [((), {}), ((SENT, SENT), {}), ((), {"evnt": SENT})])
def test_a_task_called_with_other_arguments_is_kept_in_quarantine(
    engine: Engine, given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    tasks.submit(*given, **named)
    [(state, raw)] = stored(engine)
    assert state == "quarantined"
    assert raw.count(b"MARKER-ID") == len(given) + len(named)
