"""The app on a real port, by the server that runs it in production."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep

import uvicorn

from worker.composition import Deps
from worker.web.app import create_app

START_SECONDS = 30


@contextmanager
def serving(deps: Deps) -> Iterator[str]:
    """The address of a running server; it is stopped afterwards."""
    config = uvicorn.Config(
        create_app(deps), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    give_up = monotonic() + START_SECONDS
    while not server.started and monotonic() < give_up:
        sleep(0.02)
    try:
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
