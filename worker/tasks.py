"""The two Celery tasks: `ferrule.submit` takes a whole event from outside, `ferrule.judge` ids from inside.

They do what `worker.pipeline` does and nothing else. A forged or repeated `ferrule.judge` causes a look-up.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from celery.exceptions import Reject
from celery.signals import worker_process_init

from worker import metrics
from worker.celery_app import app
from worker.composition import Deps, build
from worker.logs import logger
from worker.pipeline import accept, judge
from worker.settings import read_settings
from worker.submitted import inbound_of_task

log = logger("worker.tasks")

MOST_IDS = 1000
"""More ids than this are no task of ours."""

PUT_BACK_SECONDS = 1.0
"""How long a worker waits before an event it could not store is offered again."""


@lru_cache(maxsize=1)
def deps() -> Deps:
    """What the tasks of this process work with; built before any fork, so that all children have the same."""
    return build(read_settings())


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _warm_up(**_signal: object) -> None:
    """A child of the prefork pool judges by its parent's rules, whatever lies on the disk by now (F81).

    Connections are not shared with the parent; the pool forgets those it inherited and opens its own.
    """
    deps().engine.dispose(close=False)


@app.task(name="ferrule.submit")  # type: ignore[untyped-decorator]
def submit(*given: Any, **named: Any) -> None:
    """Store one event; the task is acknowledged after that commit. Judging comes by the doorbell.

    Whatever fails before that commit, the event stays on the queue: it is nowhere else. Any arguments are
    taken, because Celery drops a task that is called with wrong ones.
    """
    try:
        receipts = accept(deps().engine, [inbound_of_task(given, named)])
    except Exception as error:
        log.warning("event not stored, put back on the queue", error=error)
        time.sleep(PUT_BACK_SECONDS)
        raise Reject("not stored", requeue=True) from None
    deps().publish([receipt.message for receipt in receipts if receipt.judge])


@app.task(name="ferrule.judge")  # type: ignore[untyped-decorator]
def judge_messages(ids: Any) -> None:
    """Judge stored messages by id. No ids: the canary, which proves that a worker works."""
    if ids == []:
        metrics.CANARY.set(time.time())
        return
    if isinstance(ids, list) and len(ids) <= MOST_IDS:
        judge(deps(), [one for one in ids if isinstance(one, int) and not isinstance(one, bool)])
