"""One of two processes that judge a message each about the same patient, at the same instant."""

from collections.abc import Mapping, Sequence
from multiprocessing.synchronize import Barrier

from sqlalchemy import Connection

from tests.worker.made_up import deps_on
from worker import committing
from worker.database import make_engine
from worker.pipeline import judge

PATIENCE_SECONDS = 60


def race(database_url: str, messages: Sequence[int], barrier: Barrier, fence: bool) -> None:
    """Judge the messages one after the other, each only when the other process is ready for its own."""
    if not fence:
        committing._fence = _no_fence
    deps = deps_on(make_engine(database_url))
    for message in messages:
        barrier.wait(PATIENCE_SECONDS)
        judge(deps, [message])
    deps.engine.dispose()


def _no_fence(_connection: Connection, seen: Mapping[int, int]) -> set[int]:
    """What the commit would be without asking whether somebody else has written meanwhile."""
    return set(seen)
