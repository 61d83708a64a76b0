"""A loop of its own in a thread of its own: a browser test of the same process leaves its loop running."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run_alone(story: Coroutine[Any, Any, Any]) -> Any:
    """What the story returns, or raises."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, story).result()
