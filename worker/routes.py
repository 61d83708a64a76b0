"""Whom an alert would reach: the directory asked about made-up alerts, and cases that say whom it should.

A case file is YAML. Nothing is written, nobody is told; `alerts.routing` decides as it does for a real alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from alerts import directory
from alerts.people import Address, Orderer, pool
from alerts.routing import Addressee, Lane
from rules.findings import ResultEvidence, Severity
from rules.shaping import shaped
from rules.yaml_source import read_yaml

KEY = "made-up|result"

Whom = Annotated[str, Field(pattern=r"^(.+\|.+|pool:.+)$", description="SYSTEM|ID, or pool:NAME.")]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Shape):
    """Somebody who must be addressed; `by` names the channels, where they matter."""

    to: Whom
    by: list[str] | None = None


class RouteCase(_Shape):
    """An alert, and everybody it must be addressed to, its owner first. `at` is now where it is left out."""

    name: str
    orderer: Whom | None = None
    severity: Severity = Severity.HIGH
    at: AwareDatetime | None = None
    expect: list[Expected]


class RouteFile(_Shape):
    """A file of cases."""

    cases: Annotated[list[RouteCase], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Route:
    """Whom an alert is addressed to, and by which lanes they are told."""

    addressees: tuple[Addressee, ...]
    lanes: tuple[Lane, ...]

    def said(self) -> list[str]:
        """One line for each addressee: who, why, by what, and until when it is held."""
        return [f"{whom(a.address)}  ({a.why}) by {', '.join(self._by(a.address))}" for a in self.addressees]

    def _by(self, address: Address) -> list[str]:
        lanes = [lane for lane in self.lanes if lane.address == address]
        return [f"{x.channel} at {x.held_until:%H:%M %Z}" if x.held_until else x.channel for x in lanes]


def read_cases(path: Path) -> RouteFile:
    """The cases of a file. Raises BadFile."""
    return shaped(read_yaml(path), RouteFile)


def route(
    connection: Connection,
    orderer: Address | None,
    severity: Severity,
    now: datetime,
    *,
    push: Sequence[str],
    fallback: Address,
) -> Route:
    """Where an alert would go that rests on one result of this orderer."""
    orderers = {KEY: Orderer(orderer.system, orderer.id)} if orderer else {}
    router = directory.router(connection, orderers, [], now=now, push=push, fallback=fallback)
    evidence = ResultEvidence(KEY, "ferritin", "9", "=", "ug/L", now, "result", "made-up")
    addressees = router.of_pattern([evidence])
    return Route(addressees, router.lanes([a.address for a in addressees], severity))


def differs(case: RouteCase, found: Route) -> str | None:
    """What is not as the case says; None: it holds."""
    addressed = [whom(a.address) for a in found.addressees]
    wanted = [e.to for e in case.expect]
    if addressed != wanted:
        return f"expected {', '.join(wanted) or 'nobody'}; would reach {', '.join(addressed)}"
    for expected in case.expect:
        by = sorted(lane.channel for lane in found.lanes if whom(lane.address) == expected.to)
        if expected.by is not None and sorted(expected.by) != by:
            return f"{expected.to}: expected by {', '.join(expected.by)}; would be told by {', '.join(by)}"
    return None


def address_of(text: str) -> Address:
    """The address that a case or an option names."""
    if text.startswith("pool:"):
        return pool(text.removeprefix("pool:"))
    system, _, ident = text.rpartition("|")
    return Address(system, ident)


def whom(address: Address) -> str:
    """An address as cases write it."""
    return f"pool:{address.id}" if address.is_pool else f"{address.system}|{address.id}"
