"""Fetching the events of a subscription that were not told, from the server a site has configured.

The address comes from the settings alone: a notification names events, never a place to go to, and no answer
leads elsewhere. What is fetched is stored and judged like what is sent; FHIR that we do not read is kept.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from alerts.channels.guarded_http import GuardedHttp, NotSent, Target
from worker.accepting import Inbound, accept
from worker.composition import Deps
from worker.database import writing
from worker.fhir_door import PreconditionFailed, Wish, take
from worker.fhir_servers import base_of, below
from worker.fhir_subscriptions import Missing, address_in, claim_missing, close, note, told_by
from worker.intake.fhir import address_in as id_of
from worker.intake.fhir import fallback_of
from worker.intake.fhir_issues import FhirInvalid
from worker.intake.fhir_package import MAX_BYTES, NOTIFICATION, Package, read_package
from worker.intake.json_text import loads
from worker.intake.unreadable import Reason, Unreadable
from worker.logs import logger
from worker.settings import FhirServer

log = logger("worker.fhir_fetching")

FETCH_SECONDS = 20.0
FETCHING = GuardedHttp(seconds=FETCH_SECONDS, most_bytes=MAX_BYTES + 1)
_SAFE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class _Server:
    """Where to ask, and with what."""

    base: Target
    configured: FhirServer
    http: GuardedHttp


def gaps_due(deps: Deps, http: GuardedHttp = FETCHING) -> bool:
    """Fetch the missing events of one subscription; whether there was one."""
    servers = deps.settings.fhir_servers
    if not servers:
        return False
    with writing(deps.engine) as connection:
        missing = claim_missing(connection, list(servers))
    if missing is None:
        return False
    server = _Server(base_of(deps.settings, missing.source), servers[missing.source], http)
    if not _by_query(deps, server, missing):
        _one_by_one(deps, server, missing)
    return True


def _by_query(deps: Deps, server: _Server, missing: Missing) -> bool:
    """`$events` of the Backport guide; False when the server does not answer it so."""
    address = address_in(missing.subscription)
    if not _SAFE.fullmatch(address):
        return False
    numbers = [gap.number for gap in missing.gaps]
    asked = {"eventsSinceNumber": min(numbers), "eventsUntilNumber": max(numbers), "content": "full-resource"}
    raw = _get(server, f"{address}/$events?{urlencode(asked)}")
    package = _package(raw) if raw is not None else None
    if raw is not None and isinstance(package, Unreadable) and package.reason is Reason.UNSUPPORTED_VERSION:
        _set_aside(deps, missing.source, raw, package, [gap.id for gap in missing.gaps])
        return True
    if raw is None or not isinstance(package, Package) or package.notification is None:
        return False
    if package.kind != NOTIFICATION:
        return False
    told = told_by(package)
    _take(deps, missing.source, raw, package)
    with writing(deps.engine) as connection:
        note(connection, missing.source, package.notification, told)
        close(connection, [gap.id for gap in missing.gaps if gap.number in told], "fetched")
    return told >= set(numbers)


def _one_by_one(deps: Deps, server: _Server, missing: Missing) -> None:
    """Each event whose resource is known by id."""
    for gap in missing.gaps:
        address = address_in(gap.focus or "")
        raw = _get(server, address) if _SAFE.fullmatch(address) else None
        if raw is None or not _is_that(raw, address):
            continue
        package = _package(raw)
        if package is None:
            continue
        if isinstance(package, Unreadable):
            _set_aside(deps, missing.source, raw, package, [gap.id])
        elif _take(deps, missing.source, raw, package):
            with writing(deps.engine) as connection:
                close(connection, [gap.id], "fetched")


def _is_that(raw: bytes, address: str) -> bool:
    """Whether an answer is the resource that was asked for: an OperationOutcome may come with 200 too."""
    try:
        value = loads(raw, MAX_BYTES)
    except Unreadable:
        return False
    return isinstance(value, dict) and f"{value.get('resourceType')}/{value.get('id')}" == address


def _take(deps: Deps, source: str, raw: bytes, package: Package) -> bool:
    wishes = [Wish(part, id_of(part, fallback_of(raw))) for part in package.parts]
    try:
        taken = take(deps.engine, source, raw, wishes)
    except PreconditionFailed:
        return False
    if taken.receipt is not None and taken.receipt.judge:
        deps.publish([taken.receipt.message])
    return bool(wishes)


def _set_aside(deps: Deps, source: str, raw: bytes, why: Unreadable, gaps: list[int]) -> None:
    """FHIR that we do not read is a person's from here on: asked again, it would come again."""
    identity = hashlib.sha256(raw).hexdigest()
    reason = (why.reason.value, why.place, why.remedy)
    accept(deps.engine, [Inbound(source, identity, "fhir", raw, reason)])
    with writing(deps.engine) as connection:
        close(connection, gaps, "quarantined")


def _package(raw: bytes) -> Package | Unreadable | None:
    """What was answered, or why it is FHIR that we do not read; None for what is no FHIR at all."""
    try:
        package = read_package(raw)
    except FhirInvalid as why:
        return why.unreadable()
    except Unreadable as why:
        log.error("a fetched answer cannot be read", error=type(why).__name__)
        return None
    faults = [entry.fault for entry in package.entries if entry.fault]
    return faults[0].unreadable() if faults and not package.parts else package


def _get(server: _Server, path: str) -> bytes | None:
    """What the configured server answers; None for anything but 200 in time."""
    headers = {"Accept": "application/fhir+json; fhirVersion=4.0"}
    if server.configured.token is not None:
        headers["Authorization"] = f"Bearer {server.configured.token.get_secret_value()}"
    try:
        reply = server.http.request("GET", below(server.base, path), b"", headers)
    except NotSent as why:
        log.warning("a FHIR server did not give what is missing", reason=why.reason)
        return None
    if reply.status != 200 or len(reply.body) > MAX_BYTES:
        log.warning("a FHIR server did not give what is missing", reason=f"status-{reply.status}")
        return None
    return reply.body
