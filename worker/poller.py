"""What must happen even with the broker gone: judging what is due, telling, timers, sealing. Needs the
database only.

Any number of pollers do no harm: work is claimed. `turn` does everything once; `run` gives each duty a thread
of its own, so that a slow mail relay holds up no judging.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alerts import answers, audit
from worker import audit_heads
from worker.channels import MAKERS, push_channels
from worker.composition import Deps
from worker.database import writing
from worker.destinations import destinations_due
from worker.explaining import explain_due
from worker.fhir_fetching import gaps_due
from worker.incidents import incidents_due
from worker.logs import logger
from worker.may_be_critical import critical_due
from worker.pipeline import judge_due
from worker.storms import storms_due
from worker.telling import has_died, inbox_due, push_due, timers_due

log = logger("worker.poller")

CANARY_SECONDS = 10.0
BATCHES_A_TURN = 20
LONGEST_PAUSE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Duty:
    """Something done every so often. `work` says whether there is more to do at once."""

    work: Callable[[Deps], bool]
    every_seconds: float


def _judge(deps: Deps) -> bool:
    return judge_due(deps).claimed > 0


def _show(deps: Deps) -> bool:
    return inbox_due(deps) > 0


def _push(name: str) -> Duty:
    return Duty(lambda deps: push_due(deps, name) > 0, 1.0)


def _wake(deps: Deps) -> bool:
    push = push_channels(deps.settings)
    with writing(deps.engine) as connection:
        woken = answers.wake_due(connection, deps.clock(connection), push=push, has_died=has_died)
    return bool(woken)


def _timers(deps: Deps) -> bool:
    return timers_due(deps) > 0


def _explain(deps: Deps) -> bool:
    return explain_due(deps) > 0


def _storms(deps: Deps) -> bool:
    return storms_due(deps) > 0


def _seal(deps: Deps) -> bool:
    with writing(deps.engine) as connection:
        audit.seal(connection)
    return False


def _ring_canary(deps: Deps) -> bool:
    deps.publish([])
    return False


DUTIES: Mapping[str, Duty] = {
    "judge": Duty(_judge, 1.0),
    "show": Duty(_show, 0.5),
    **{name: _push(name) for name in MAKERS},
    "wake": Duty(_wake, 5.0),
    "timers": Duty(_timers, 1.0),
    "explain": Duty(_explain, 1.0),
    "critical": Duty(critical_due, 1.0),
    "incidents": Duty(incidents_due, 2.0),
    "storms": Duty(_storms, 2.0),
    "destinations": Duty(lambda deps: destinations_due(deps) > 0, 5.0),
    "gaps": Duty(gaps_due, 2.0),
    "seal": Duty(_seal, 1.0),
    "keep-head": Duty(audit_heads.keep_due, audit_heads.EVERY.total_seconds()),
    "canary": Duty(_ring_canary, CANARY_SECONDS),
}


def turn(deps: Deps) -> None:
    """Do every duty until it has nothing more to do."""
    for duty in DUTIES.values():
        _do(deps, duty)


def run(deps: Deps, stop: threading.Event) -> None:
    """Do every duty in its own thread until `stop` is set."""
    threads = [
        threading.Thread(target=_keep_doing, args=(deps, name, duty, stop), name=f"poller-{name}")
        for name, duty in DUTIES.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _keep_doing(deps: Deps, name: str, duty: Duty, stop: threading.Event) -> None:
    pause = duty.every_seconds
    while not stop.is_set():
        try:
            _do(deps, duty)
            pause = duty.every_seconds
        except Exception as error:
            # A poller must outlive whatever its work meets: the next turn tries again, later each time.
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            log.error("duty failed", duty=name, error=error, seconds=pause)
        stop.wait(pause)


def _do(deps: Deps, duty: Duty) -> None:
    for _ in range(BATCHES_A_TURN):
        if not duty.work(deps):
            return
