"""Evidence and explanation trees as JSON documents, so that an alert shows what was known when it was raised.

Evidence reads as `ferrule evaluate --json` prints it, plus what finds it again (`key`, `source`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from rules.findings import AbsentEvidence, Evidence, FollowUp, RecordEvidence, ResultEvidence, TreeNode

Document = dict[str, Any]


def time_text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with a Z."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def evidence_documents(evidence: Iterable[Evidence]) -> list[Document]:
    """Each piece of evidence as one document."""
    return [evidence_document(e) for e in evidence]


def evidence_document(evidence: Evidence) -> Document:
    """One piece of evidence; which kind it is, its keys tell."""
    if isinstance(evidence, ResultEvidence):
        return {
            "analyte": evidence.analyte,
            "value": evidence.value,
            "comparator": evidence.comparator,
            "unit": evidence.unit,
            "effective_at": time_text(evidence.effective_at),
            "result_id": evidence.result_id,
            "source": evidence.source,
            "key": evidence.key,
        }
    if isinstance(evidence, AbsentEvidence):
        return {"absent": evidence.absent, "since": time_text(evidence.since)}
    return {
        "record": evidence.kind,
        "concept": evidence.concept,
        "name": evidence.name,
        "start": time_text(evidence.start),
        "key": evidence.key,
    }


def evidence_of(document: Document) -> Evidence:
    """The evidence a document was made from."""
    if "analyte" in document:
        fields = {k: v for k, v in document.items() if k != "effective_at"}
        return ResultEvidence(**fields, effective_at=datetime.fromisoformat(document["effective_at"]))
    if "absent" in document:
        return AbsentEvidence(document["absent"], _time(document["since"]))
    return RecordEvidence(
        document["key"], document["record"], document["concept"], document["name"], _time(document["start"])
    )


def tree_document(node: TreeNode) -> Document:
    """An explanation: text, truth, note, evidence and parts, all the way down."""
    return {
        "text": node.text,
        "truth": node.truth.value,
        "note": node.note,
        "evidence": evidence_documents(node.evidence),
        "parts": [tree_document(part) for part in node.parts],
    }


def follow_up_documents(follow_up: Iterable[FollowUp]) -> list[Document]:
    """What is expected, and by which day."""
    return [{"expect": f.expect, "due": f.due.isoformat()} for f in follow_up]


def follow_ups_of(documents: Iterable[Document]) -> list[FollowUp]:
    """What such documents were made from."""
    return [FollowUp(d["expect"], date.fromisoformat(d["due"])) for d in documents]
