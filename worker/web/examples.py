"""Examples of what programs are answered, for the OpenAPI document. No person in them exists."""

from __future__ import annotations

from typing import Any

from worker.quarantine_reasons import QuarantineReason

JSON = "application/json"

Example = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]


def answered_with(example: Any, status: int = 200, media: str = JSON) -> Responses:
    """What a route declares as `responses`: its answer, shown by an example."""
    return {status: {"content": {media: {"example": example}}}}


_OWNER = {"system": "urn:npi", "id": "1000000001"}

AN_ALERT: Example = {
    "id": 12,
    "patient": {"system": "urn:mrn:north", "id": "123"},
    "rule": "iron-deficiency-not-otherwise-covered",
    "version": 1,
    "episode": 1,
    "severity": "moderate",
    "state": "told",
    "reason": "delivered",
    "held_for": None,
    "recipient": _OWNER,
    "headline": "Iron deficiency",
    "text": "Ferritin 9 ng/mL, and no oral iron is on record.",
    "evidence": [
        {
            "analyte": "ferritin",
            "value": "9",
            "comparator": "=",
            "unit": "ng/mL",
            "effective_at": "2026-03-01T07:30:00Z",
            "result_id": "R1",
            "source": "urn:lab:north",
            "key": "result:7",
        },
        {"absent": "oral_iron", "since": "2025-12-01T07:30:00Z"},
    ],
    "actions": ["Look for the iron loss; start oral iron"],
    "follow_up": [{"expect": "ferritin", "due": "2026-05-24"}],
    "sources": ["iron-thresholds-review"],
    "annotates": [],
    "history": [
        {
            "step": "raise",
            "at": "2026-03-01T08:10:02Z",
            "by": {"system": "urn:ferrule", "id": "reconciler"},
            "from": None,
            "to": "raised",
            "reason": "new-pattern",
            "data": {},
        },
    ],
    "raised_at": "2026-03-01T08:10:02Z",
    "updated_at": "2026-03-01T08:10:04Z",
    "snoozed_until": None,
    "etag": '"2"',
    "provisional_patient": False,
}
ALERTS: Example = {"items": [AN_ALERT], "next": 12}
STREAM = (
    "event: listening\r\ndata: now\r\n\r\n"
    'id: 31\r\nevent: alert\r\ndata: {"step": 31, "what": "tell", "id": 12, "state": "told", '
    '"rule": "iron-deficiency-not-otherwise-covered", "severity": "moderate", '
    '"headline": "Iron deficiency"}\r\n\r\n'
)

OVERDUE: Example = {
    "items": [
        {
            "alert": 12,
            "severity": "moderate",
            "rule": "iron-deficiency-not-otherwise-covered",
            "expect": "ferritin",
            "due": "2026-05-24",
            "days_late": 3,
            "recipient": _OWNER,
        }
    ]
}
UNADDRESSED: Example = {
    "items": [
        {
            "alert": 12,
            "severity": "moderate",
            "rule": "iron-deficiency-not-otherwise-covered",
            "recipient": _OWNER,
            "raised_at": "2026-03-01T08:10:02Z",
        }
    ]
}
_SILENT = {"rule": "folate-low", "version": 1, "found": 4, "waiting": 1, "right": 2, "wrong": 1, "unsure": 0}
_SILENT |= {"ppv": 0.667, "ppv_95": [0.208, 0.939]}
GOVERNANCE: Example = {
    "days": 30,
    "rules": [
        {
            "rule": "iron-deficiency-not-otherwise-covered",
            "raised": 9,
            "answered": 6,
            "dismissed": {"known-diagnosis": 2},
            "half_answered_seconds": 5400,
            "overdue": 1,
            "comments": ["Seen at the clinic last week."],
        }
    ],
    "silent": [_SILENT],
}
SILENT_FINDINGS: Example = {
    "rules": [_SILENT],
    "items": [
        {
            "id": 7,
            "rule": "folate-low",
            "rule_version": 1,
            "severity": "low",
            "headline": "Folate low",
            "text": "Serum folate is low, and no folic acid is on record.",
            "verdict": None,
            "reason": None,
            "as_of": "2026-03-01T08:10:00Z",
            "found_at": "2026-03-01T08:10:02Z",
            "judged_at": None,
            "evidence": [{"absent": "folic_acid", "since": "2025-12-01T07:30:00Z"}],
        }
    ],
}
VERDICT: Example = {"verdict": "wrong", "reason": "measured after an infusion"}

QUARANTINE: Example = {
    "heaps": [
        {
            "reason": QuarantineReason.UNIT_MISSING,
            "source": "Lab North",
            "count": 3,
            "critical": 1,
            "age": "2 h",
        },
    ],
    "items": [
        {
            "item": 5,
            "message": "M-1001",
            "source": "Lab North",
            "format": "hl7v2",
            "reason": QuarantineReason.UNIT_MISSING,
            "place": "OBX[1]-6",
            "remedy": QuarantineReason.UNIT_MISSING.remedy,
            "may_be_critical": True,
            "age": "2 h",
            "whole": False,
            "at": "2026-03-01 08:10",
        }
    ],
    "apart": [{"reason": "control-sample", "source": "Lab North", "count": 12, "age": "5 min"}],
}

STORMS: Example = {
    "items": [
        {
            "id": 3,
            "kind": "rule",
            "key": "iron-deficiency-not-otherwise-covered",
            "held": 60,
            "raised": 260,
            "limit": 200,
            "outcome": None,
            "reason": None,
            "started_at": "2026-03-01T08:10:02Z",
            "subsided_at": None,
            "answered_at": None,
        }
    ]
}
DECISION: Example = {"reason": "The laboratory sent its archive; every value is real."}
