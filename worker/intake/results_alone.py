"""The results of a message whose patient or structure could not be read: for what they may hold, never to be
judged of anybody.

Whatever can still be read, is; what cannot gives nothing, and nothing is ever raised. Whose they are is not
asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from worker.intake.event import ResultItem
from worker.intake.fhir_issues import FhirInvalid
from worker.intake.fhir_observation import Around
from worker.intake.fhir_observation import result_parts as of_observation
from worker.intake.fhir_package import read_package
from worker.intake.fhir_resources import Observation
from worker.intake.hl7_groups import Group, grouped
from worker.intake.hl7_observation import OrderContext
from worker.intake.hl7_observation import result_parts as of_obx
from worker.intake.hl7_specimen import order_remarks
from worker.intake.hl7_split import split_message
from worker.intake.hl7_times import offset_of
from worker.intake.json_text import loads
from worker.intake.unreadable import Unreadable

_FLAGGED_OBX = re.compile(rb"(?:^|[\r\n])OBX\|(?:[^|\r\n]*\|){7}(HH|LL|AA)\b")


def results_alone(format: str, raw: bytes) -> list[ResultItem]:
    """Every result that `raw` seems to hold, each with its place."""
    read = {"hl7": _of_hl7, "fhir": _of_fhir, "event": _of_event}
    try:
        parts = list(read[format](raw)) if format in read else []
    except (Unreadable, FhirInvalid):
        parts = list(_flags_alone(raw)) if format == "hl7" else []
    return [item for part in parts if (item := _item(part)) is not None]


def _item(part: object) -> ResultItem | None:
    try:
        return ResultItem.model_validate(part)
    except ValidationError:
        return None


def _of_event(raw: bytes) -> Iterator[object]:
    event = loads(raw)
    data = event.get("data") if isinstance(event, dict) else None
    results = data.get("results") if isinstance(data, dict) else None
    for at, one in enumerate(results if isinstance(results, list) else ()):
        if isinstance(one, dict):
            yield one | {"place": f"data.results[{at}]"}


def _of_hl7(raw: bytes) -> Iterator[object]:
    message = split_message(raw)
    sent_at = message.header.text(7)
    for group in grouped(message):
        yield from _of_group(group, sent_at)


def _of_group(group: Group, sent_at: str) -> Iterator[object]:
    for seen in group.orphans:
        yield from of_obx(seen.obx, tuple(seen.notes), _context("", sent_at, ()))
    for order in group.orders:
        context = _context(order.obr.text(7), sent_at, (*order_remarks(order.obr), *order.notes))
        for seen in order.observations:
            yield from of_obx(seen.obx, tuple(seen.notes), context)


def _context(effective: str, sent_at: str, notes: tuple[str, ...]) -> OrderContext:
    return OrderContext(
        place="",
        effective=effective,
        changed_at=None,
        sent_at=sent_at,
        offset=offset_of(sent_at),
        notes=notes,
    )


def _flags_alone(raw: bytes) -> Iterator[object]:
    """What OBX-8 says where the message as a whole cannot be taken apart."""
    for flag in _FLAGGED_OBX.findall(raw):
        yield {"interpretation": flag.decode()}


def _of_fhir(raw: bytes) -> Iterator[dict[str, Any]]:
    for part in read_package(raw).parts:
        if isinstance(part.resource, Observation):
            for one in of_observation(part.resource, Around(fallback_id=part.root)):
                yield one | {"place": part.root}
