"""One Celery worker process; its argument is its name. Logging goes through `worker.logs` alone."""

from __future__ import annotations

import sys

from worker import logs
from worker.celery_app import INTAKE, JUDGE, configured
from worker.database import make_engine
from worker.processes.ending import refuse_if_behind
from worker.processes.ending import run as run_process
from worker.settings import read_settings


def main() -> None:
    """Run until told to stop."""
    settings = read_settings()
    logs.configure(level=settings.log_level, style=settings.log_format)
    engine = make_engine(settings.database)
    refuse_if_behind(engine)
    engine.dispose()
    from worker.celery_app import app
    from worker.tasks import deps

    deps()  # the rules are read before the first message and before any fork
    app.conf.update(configured(settings.broker).conf.changes)
    tasks_at_once = "1" if settings.pool == "solo" else str(settings.concurrency)
    app.worker_main(
        [
            "worker",
            *("--pool", settings.pool, "--concurrency", tasks_at_once),
            *("--hostname", f"{sys.argv[1] if len(sys.argv) > 1 else 'worker'}@%h"),
            *("--queues", f"{INTAKE},{JUDGE}", "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    )


if __name__ == "__main__":
    run_process(main)
