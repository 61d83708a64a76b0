"""What the running program has counted, read from its metrics: messages in, and patients judged."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

ARRIVED = "ferrule_messages_received_total"
JUDGED = "ferrule_evaluate_seconds_count"


def arrived(http: str) -> int:
    """Messages that came in by the processes' own doors, repeats counted."""
    with urllib.request.urlopen(f"{http}/metrics", timeout=10) as answer:  # noqa: S310  # our own address
        page = answer.read().decode()
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return round(sum(sample.value for sample in samples if sample.name == ARRIVED))


def judged_by(directory: Path, pids: Mapping[str, int]) -> dict[str, int]:
    """How many patients each of the processes judged, by its id; processes that judged none are left out.

    Each process counts into files of its own in the metrics directory, named by its id.
    """
    counts = {str(pid): _judged(directory / f"histogram_{pid}.db") for pid in sorted(pids.values())}
    return {pid: count for pid, count in counts.items() if count}


def _judged(file: Path) -> int:
    if not file.exists():
        return 0
    values = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
    judged: float = sum(value for key, value, _, _ in values if f'"{JUDGED}"' in key)
    return round(judged)
