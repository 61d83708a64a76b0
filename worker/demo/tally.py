"""What the running program has counted, read from its metrics: messages in, and patients judged."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

from worker import clock
from worker.failures import UNREACHABLE, Failure

ARRIVED = "ferrule_messages_received_total"
CANARY = "ferrule_canary_last_success_timestamp_seconds"
JUDGED = "ferrule_evaluate_seconds_bucket"

PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.5


def arrived(http: str) -> int:
    """Messages that came in by the processes' own doors, repeats counted."""
    return round(_total(http, ARRIVED))


def has_worked(http: str) -> bool:
    """Whether a task has gone through the broker and a worker since the start."""
    return _total(http, CANARY) > 0


def _total(http: str, name: str) -> float:
    families = text_string_to_metric_families(_page(f"{http}/metrics"))
    samples = (sample for family in families for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name)


def _page(url: str) -> str:
    """The metrics page; asked again for a while, since a supervised process may be on its way up again."""
    end = clock.monotonic_seconds() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310  # our own address
                return str(answer.read(), "utf-8")
        except OSError:
            if clock.monotonic_seconds() > end:
                raise Failure(f"{url} does not answer", UNREACHABLE) from None
            time.sleep(PAUSE_SECONDS)


def judged_by(directory: Path, pids: Mapping[str, int]) -> dict[str, int]:
    """How many patients each of the processes judged, by its id; processes that judged none are left out.

    Each process counts into files of its own in the metrics directory, named by its id. A histogram's
    buckets are not yet summed up there: together they hold each observation once.
    """
    counts = {str(pid): _judged(directory / f"histogram_{pid}.db") for pid in sorted(pids.values())}
    return {pid: count for pid, count in counts.items() if count}


def _judged(file: Path) -> int:
    if not file.exists():
        return 0
    values = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
    judged: float = sum(value for key, value, _, _ in values if f'"{JUDGED}"' in key)
    return round(judged)
