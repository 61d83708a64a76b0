"""The tree of one judgment as lines of text and as JSON: ✓ ✗ ?, the value, its time, its limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rules.findings import AbsentEvidence, Evidence, RecordEvidence, ResultEvidence, TreeNode
from rules.truth import Truth

MARKS: Mapping[Truth, str] = {Truth.TRUE: "✓", Truth.FALSE: "✗", Truth.UNKNOWN: "?"}


def tree_lines(node: TreeNode, depth: int = 0) -> Iterator[str]:
    """The tree, one condition a line, indented by two."""
    seen = "; ".join(evidence_text(e) for e in node.evidence)
    tail = " — ".join(part for part in (seen, node.note) if part)
    yield f"{'  ' * depth}{MARKS[node.truth]} {node.text}" + (f"   {tail}" if tail else "")
    for part in node.parts:
        yield from tree_lines(part, depth + 1)


def evidence_text(evidence: Evidence) -> str:
    """One piece of evidence in words, in the unit reported."""
    match evidence:
        case ResultEvidence(analyte=analyte, value=value, comparator=comparator, unit=unit, effective_at=at):
            sign = "" if comparator == "=" else comparator
            return f"{analyte} {sign}{value} {unit}".rstrip() + f", {at.date().isoformat()}"
        case RecordEvidence(name=name, start=start):
            return f"{name} on record" + (f" since {start.date().isoformat()}" if start else "")
        case AbsentEvidence(absent=absent, since=since):  # pragma: no branch
            return f"no {absent} on record" + (f" since {since.date().isoformat()}" if since else "")


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """One piece of evidence as `ferrule evaluate --json` prints it."""
    match evidence:
        case ResultEvidence():
            return {
                "analyte": evidence.analyte,
                "value": evidence.value,
                "comparator": evidence.comparator,
                "unit": evidence.unit,
                "effective_at": time_text(evidence.effective_at),
                "result_id": evidence.result_id,
            }
        case RecordEvidence():
            start = time_text(evidence.start)
            return {"kind": evidence.kind, "concept": evidence.concept, "name": evidence.name, "start": start}
        case AbsentEvidence():  # pragma: no branch
            return {"absent": evidence.absent, "since": time_text(evidence.since)}


def time_text(time: datetime | None) -> str | None:
    """A time as outputs carry it: UTC, with Z; None stays None."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def tree_json(node: TreeNode) -> dict[str, Any]:
    """The tree as plain data."""
    return {
        "text": node.text,
        "truth": node.truth.value,
        "note": node.note,
        "evidence": [evidence_json(e) for e in node.evidence],
        "parts": [tree_json(part) for part in node.parts],
    }
