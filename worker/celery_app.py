"""The Celery application: which queues, how messages look, and what a worker refuses. It holds no task's
work.

JSON alone is read; results are never stored; a task is acknowledged after its work (the database makes that
safe, see `worker.pipeline`). Celery's own built-in tasks are taken out: a producer outside may name two
tasks, no more.
"""

from __future__ import annotations

import json
import logging
import os
from functools import partial
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu import Exchange, Queue, serialization
from kombu.utils import json as kombu_json

from worker.intake.json_text import NumberText

INTAKE = "ferrule.intake"
JUDGE = "ferrule.judge"

SOCKET_SECONDS = 2.0
"""Publishing to a hung Redis blocks for ever without it."""


LONGEST_INTEGER = 18
"""Digits of a number that is read as an integer; Python refuses one of thousands, and the task with it."""


def _integer(text: str) -> int | NumberText:
    return int(text) if len(text) <= LONGEST_INTEGER else NumberText(text)


_read_json = partial(json.loads, parse_float=NumberText, parse_int=_integer)


def read_body(body: str | bytes) -> Any:
    """A task's JSON with its numbers as they were written: through a float, 9.10 would become 9.1.

    What is no JSON, or too deep, is the task's one argument as text: Celery would drop it, and log it whole.
    """
    try:
        return kombu_json.loads(body, _loads=_read_json)
    except (ValueError, RecursionError):
        text = body if isinstance(body, str) else bytes(body).decode("utf-8", "backslashreplace")
        return [[text], {}, {}]


serialization.register("json", kombu_json.dumps, read_body, "application/json", "utf-8")


def configured(broker_url: str | None) -> Celery:
    """A Celery app for `broker_url`, with every setting that safety asks for."""
    app = Celery("ferrule", broker=broker_url, include=["worker.tasks"], set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_send_sent_event=False,
        task_default_queue=JUDGE,
        task_create_missing_queues=False,
        task_queues=[
            Queue(name, Exchange(name, type="direct"), routing_key=name) for name in (INTAKE, JUDGE)
        ],
        task_routes={"ferrule.submit": {"queue": INTAKE}, "ferrule.judge": {"queue": JUDGE}},
        worker_prefetch_multiplier=2,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=30,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=transport_options(broker_url),
        enable_utc=True,
        timezone="UTC",
    )
    app.on_after_finalize.connect(_forget_built_in_tasks)
    return app


def transport_options(broker_url: str | None) -> dict[str, Any]:
    """Redis needs short socket time-outs and a quick sweep of abandoned messages; RabbitMQ needs neither."""
    if broker_url is None or not broker_url.startswith(("redis", "valkey", "unix", "socket", "sentinel")):
        return {}
    return {
        "socket_timeout": 30,  # longer than the longest BRPOP
        "socket_connect_timeout": SOCKET_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "visibility_timeout": 120,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    }


def _forget_built_in_tasks(sender: Celery, **_signal: object) -> None:
    for name in [name for name in sender.tasks if name.startswith("celery.")]:
        sender.tasks.pop(name, None)


@setup_logging.connect  # type: ignore[untyped-decorator]
def _keep_our_logging(**_signal: object) -> None:
    """Celery leaves logging alone when this signal has a receiver; `worker.logs` has set it up."""
    logging.getLogger("celery").propagate = True


app = configured(os.environ.get("FERRULE_BROKER_URL"))
