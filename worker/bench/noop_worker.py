"""One Celery worker process whose task does nothing: the yardstick of `bench pipeline`. Started with -m.

Broker, serializer, acknowledgement and prefetch are those of the real app; its messages lie in another
Redis database.
"""

from __future__ import annotations

import os
import sys

from celery import Celery

from worker import logs
from worker.celery_app import JUDGE, configured

TASK = "ferrule.bench.nothing"


def app_doing_nothing(broker_url: str) -> Celery:
    """The real app's configuration with one task, which returns at once."""
    app = configured(broker_url)
    app.conf.include = ()

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def nothing(number: int) -> None:
        """Takes a number and does nothing with it."""

    return app


def main() -> None:
    """Run until told to stop; the argument is the worker's name."""
    logs.configure(level="error")
    broker_url, name = os.environ["FERRULE_BROKER_URL"], sys.argv[1]
    app_doing_nothing(broker_url).worker_main(
        [
            "worker",
            *("--pool", "solo", "--hostname", f"{name}@%h", "--queues", JUDGE, "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    )


if __name__ == "__main__":
    main()
