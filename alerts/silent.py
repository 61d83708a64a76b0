"""What rules of status `silent` find: kept, told to nobody, and judged by whoever answers for the rules.

One finding for each patient, rule and version: cases that a proportion may be counted in must be independent.
It stays as it was found first. Nothing here is ever sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts import audit
from alerts.answers import cleaned
from alerts.people import Actor
from alerts.proportion import wilson
from alerts.reconcile import Decision, Reason
from alerts.snapshot import evidence_documents, tree_document
from alerts.tables import SILENT_FINDING
from rules.findings import Judgment


class Verdict(StrEnum):
    """What somebody who looked at a finding thinks of it."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSURE = "unsure"


class NoSuchFinding(Exception):
    """Raised when there is no silent finding of that number."""


@dataclass(frozen=True, slots=True)
class Fared:
    """How one version of a silent rule fared: what it found, and how that was judged."""

    rule: str
    version: int
    found: int
    right: int
    wrong: int
    unsure: int

    @property
    def waiting(self) -> int:
        """How many nobody has judged yet."""
        return self.found - self.right - self.wrong - self.unsure

    @property
    def decided(self) -> int:
        """How many were judged right or wrong; what is unsure counts for neither."""
        return self.right + self.wrong

    @property
    def ppv(self) -> float | None:
        """The share of the decided that was right: the positive predictive value as far as it is known."""
        return self.right / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `ppv` (Wilson)."""
        return wilson(self.right, self.decided) if self.decided else None


def keep(
    connection: Connection, patient_id: int, decisions: Iterable[Decision], judgment: Judgment, now: datetime
) -> None:
    """Keep what silent rules found, in the transaction of the judging; what is there already stays."""
    found = [d.judged for d in decisions if d.reason is Reason.SILENT_RULE and d.judged]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for one in found:
        row = {
            "patient_id": patient_id,
            "rule": one.rule,
            "rule_version": one.version,
            "ruleset": judgment.ruleset,
            "severity": one.severity,
            "headline": one.headline,
            "text": one.text,
            "evidence": evidence_documents(one.evidence),
            "tree": tree_document(one.tree),
            "as_of": judgment.as_of,
            "found_at": now,
        }
        connection.execute(dialect.insert(SILENT_FINDING).values(row).on_conflict_do_nothing())


def findings(connection: Connection, rule: str | None = None, *, most: int = 200) -> list[Row[Any]]:
    """What silent rules found: first what nobody has judged, the oldest first; then the others."""
    query = select(SILENT_FINDING).order_by(SILENT_FINDING.c.verdict.is_not(None), SILENT_FINDING.c.id)
    if rule is not None:
        query = query.where(SILENT_FINDING.c.rule == rule)
    return list(connection.execute(query.limit(most)).all())


def adjudicate(
    connection: Connection, finding: int, verdict: Verdict, reason: str, by: Actor, now: datetime
) -> None:
    """Judge a finding, or judge it anew; both stand in the trail. Raises NoSuchFinding, or ValueError without
    a reason.
    """
    why = cleaned("reason", reason)
    if not why:
        raise ValueError("reason: expected why, in words")
    row = connection.execute(
        select(SILENT_FINDING).where(SILENT_FINDING.c.id == finding).with_for_update()
    ).one_or_none()
    if row is None:
        raise NoSuchFinding
    judged = {"verdict": verdict, "reason": why, "judged_at": now}
    values = {**judged, "judged_by_system": by.system, "judged_by_ident": by.id}
    connection.execute(SILENT_FINDING.update().where(SILENT_FINDING.c.id == finding).values(**values))
    data = {"verdict": verdict, "before": row.verdict, "reason": why}
    entry = audit.Entry(
        "adjudicate", by, "silent-finding", str(finding), now, patient_id=row.patient_id, data=data
    )
    audit.record(connection, [entry])


def fared(connection: Connection) -> list[Fared]:
    """How each version of each silent rule fared."""
    columns = (SILENT_FINDING.c.rule, SILENT_FINDING.c.rule_version, SILENT_FINDING.c.verdict)
    counted: dict[tuple[str, int], Counter[str | None]] = {}
    for rule, version, verdict, count in connection.execute(
        select(*columns, func.count()).group_by(*columns)
    ):
        counted.setdefault((rule, version), Counter())[verdict] = count
    return [
        Fared(rule, version, of.total(), of[Verdict.RIGHT], of[Verdict.WRONG], of[Verdict.UNSURE])
        for (rule, version), of in sorted(counted.items())
    ]
