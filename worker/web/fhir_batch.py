"""A FHIR batch: each entry taken or refused by itself, stored as a message of its own, numbers as written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Response

from worker.fhir_door import BadCondition, Taken, Wish
from worker.fhir_memory import Kept
from worker.intake.fhir import address_in, fallback_of, faults_of
from worker.intake.fhir_issues import FhirInvalid, Issue
from worker.intake.fhir_package import SINGLE, Entry, Package
from worker.intake.fhir_scope import Known, Part
from worker.intake.json_text import dumps
from worker.web.fhir_answers import FhirRefusal, answer, outcome, refusal
from worker.web.fhir_wishes import wish_of

MOST_ENTRIES = 500  # each is a commit

Take = Callable[[Wish, bytes], Taken]

_TITLES = {400: "Bad Request", 404: "Not Found", 412: "Precondition Failed", 422: "Unprocessable Entity"}


def batch_answer(package: Package, take: Take, known: Known) -> Response:
    """The answers to all entries, in order."""
    if len(package.entries) > MOST_ENTRIES:
        remedy = f"send at most {MOST_ENTRIES} entries in a batch, or a transaction"
        raise refusal(413, remedy, expression="Bundle.entry")
    entries = [{"response": _taken(entry, take, known)} for entry in package.entries]
    return answer({"resourceType": "Bundle", "type": "batch-response", "entry": entries})


def _taken(entry: Entry, take: Take, known: Known) -> dict[str, Any]:
    try:
        return response_of(_take(entry, take, known))
    except FhirRefusal as refused:
        return _refused(refused.status, *refused.issues)
    except FhirInvalid as fault:
        return _refused(422, *fault.issues)
    except BadCondition as bad:
        return _refused(400, bad.issue)


def _take(entry: Entry, take: Take, known: Known) -> Kept:
    if entry.fault is not None:
        raise entry.fault
    wish = wish_of(entry, "")
    # The entries of a batch know nothing of each other: one is read as if it had come alone.
    raw = dumps(wish.part.json).encode()
    alone = Part("", wish.part.type, wish.part.json, wish.part.resource)
    for fault in faults_of(Package(SINGLE, (Entry("", alone),)), known).values():
        raise fault.within(f"{entry.place}.resource")
    identity = wish.id if wish.part.json.get("id") else address_in(alone, fallback_of(raw))
    return take(Wish(alone, identity, wish.if_match, wish.unless, wish.instead_of), raw).kept[0]


def response_of(kept: Kept) -> dict[str, Any]:
    """What a transaction or batch answers for one entry."""
    return {
        "status": "201 Created" if kept.created else "200 OK",
        "location": f"{kept.type}/{kept.id}/_history/{kept.version}",
        "etag": f'W/"{kept.version}"',
    }


def _refused(status: int, *issues: Issue) -> dict[str, Any]:
    return {"status": f"{status} {_TITLES.get(status, '')}".strip(), "outcome": outcome(issues)}
