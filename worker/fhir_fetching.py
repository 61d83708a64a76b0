"""Fetching the events of a subscription that were not told, from the server a site has configured.

The address comes from the settings alone: a notification names events, never a place to go to. What is
fetched is stored and judged like what is sent.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from worker.composition import Deps
from worker.database import writing
from worker.fhir_door import PreconditionFailed, Wish, take
from worker.fhir_subscriptions import Missing, address_in, claim_missing, close, note, told_by
from worker.intake.fhir import address_in as id_of
from worker.intake.fhir import fallback_of
from worker.intake.fhir_issues import FhirInvalid
from worker.intake.fhir_package import MAX_BYTES, NOTIFICATION, Package, read_package
from worker.intake.unreadable import Unreadable
from worker.logs import logger
from worker.settings import FhirServer

log = logger("worker.fhir_fetching")

FETCH_SECONDS = 20
_SAFE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A configured server that points elsewhere is not followed."""

    def redirect_request(self, *_: Any) -> None:
        return None


def gaps_due(deps: Deps) -> bool:
    """Fetch the missing events of one subscription; whether there was one."""
    servers = deps.settings.fhir_servers
    if not servers:
        return False
    with writing(deps.engine) as connection:
        missing = claim_missing(connection, list(servers))
    if missing is None:
        return False
    server = servers[missing.source]
    if not _by_query(deps, server, missing):
        _one_by_one(deps, server, missing)
    return True


def _by_query(deps: Deps, server: FhirServer, missing: Missing) -> bool:
    """`$events` of the Backport guide; False when the server does not answer it so."""
    address = address_in(missing.subscription)
    if not _SAFE.fullmatch(address):
        return False
    numbers = [gap.number for gap in missing.gaps]
    asked = {"eventsSinceNumber": min(numbers), "eventsUntilNumber": max(numbers), "content": "full-resource"}
    raw = _get(server, f"{address}/$events?{urlencode(asked)}")
    package = _package(raw) if raw is not None else None
    if raw is None or package is None or package.kind != NOTIFICATION or package.notification is None:
        return False
    told = told_by(package)
    _take(deps, missing.source, raw, package)
    with writing(deps.engine) as connection:
        note(connection, missing.source, package.notification, told)
        close(connection, [gap.id for gap in missing.gaps if gap.number in told], "fetched")
    return told >= set(numbers)


def _one_by_one(deps: Deps, server: FhirServer, missing: Missing) -> None:
    """Each event whose resource is known by id."""
    for gap in missing.gaps:
        address = address_in(gap.focus or "")
        raw = _get(server, address) if _SAFE.fullmatch(address) else None
        package = _package(raw) if raw is not None else None
        if raw is not None and package is not None and _take(deps, missing.source, raw, package):
            with writing(deps.engine) as connection:
                close(connection, [gap.id], "fetched")


def _take(deps: Deps, source: str, raw: bytes, package: Package) -> bool:
    wishes = [Wish(part, id_of(part, fallback_of(raw))) for part in package.parts]
    try:
        taken = take(deps.engine, source, raw, wishes)
    except PreconditionFailed:
        return False
    if taken.receipt is not None and taken.receipt.judge:
        deps.publish([taken.receipt.message])
    return bool(wishes)


def _package(raw: bytes) -> Package | None:
    try:
        return read_package(raw)
    except (FhirInvalid, Unreadable) as why:
        log.error("a fetched answer cannot be read", error=type(why).__name__)
        return None


def _get(server: FhirServer, path: str) -> bytes | None:
    """What the configured server answers; None for anything but 200 in time."""
    headers = {"Accept": "application/fhir+json; fhirVersion=4.0"}
    if server.token is not None:
        headers["Authorization"] = f"Bearer {server.token.get_secret_value()}"
    request = urllib.request.Request(f"{server.base.rstrip('/')}/{path}", headers=headers)  # noqa: S310
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=FETCH_SECONDS) as answer:
            raw: bytes = answer.read(MAX_BYTES + 1)
            return raw if len(raw) <= MAX_BYTES else None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as why:
        log.warning("a FHIR server did not give what is missing", error=type(why).__name__)
        return None
