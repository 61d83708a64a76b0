"""Ringing the workers after a commit: ids on the broker, with short time-outs, and never an exception.

A broker that hangs or is gone costs one time-out, then is left alone for a while; the poller finds what was
not rung for. Nothing here is asked before a sender has its answer.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from worker import metrics
from worker.celery_app import JUDGE, SOCKET_SECONDS, configured
from worker.clock import monotonic_seconds

REST_SECONDS = 5.0
"""How long a broker that failed is left alone."""

BATCH = 50
"""Ids in one task."""


class Doorbell:
    """One broker's bell. Safe to share between threads."""

    def __init__(self, broker_url: str) -> None:
        self._app = configured(broker_url)
        self._app.conf.broker_transport_options = {
            **self._app.conf.broker_transport_options,
            **({"socket_timeout": SOCKET_SECONDS} if self._app.conf.broker_transport_options else {}),
        }
        self._app.conf.broker_connection_timeout = SOCKET_SECONDS
        self._resting_until = 0.0
        self._lock = threading.Lock()

    def ring(self, ids: Sequence[int]) -> bool:
        """Publish `ferrule.judge` for `ids`, some at a time. False: not rung."""
        if monotonic_seconds() < self._resting_until:
            metrics.DOORBELL.labels("resting").inc()
            return False
        try:
            for start in range(0, max(len(ids), 1), BATCH):
                self._publish(list(ids[start : start + BATCH]))
        except Exception:
            # Whatever a transport raises: the message is stored, and the poller will come by.
            with self._lock:
                self._resting_until = monotonic_seconds() + REST_SECONDS
            metrics.DOORBELL.labels("failed").inc()
            return False
        metrics.DOORBELL.labels("rung").inc()
        return True

    def _publish(self, ids: list[int]) -> None:
        self._app.send_task("ferrule.judge", args=[ids], queue=JUDGE, ignore_result=True, retry=False)
