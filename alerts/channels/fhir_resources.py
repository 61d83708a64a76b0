"""An alert as FHIR R4 has it: the DetectedIssue it is, and the Communication that it was told. Pure.

Patients, people and results are named by their identifiers: where those lie on a server, it knows itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts.channels.record_entry import Answer, Entry
from alerts.people import SELF_SYSTEM, Address
from alerts.states import Step
from alerts.wording import BEFORE_HEADLINE
from rules.findings import Severity

Resource = dict[str, Any]

RULES = "urn:ferrule:rule"
STEPS = "urn:ferrule:step"
SEVERITY = {
    Severity.CRITICAL: "high",
    Severity.HIGH: "high",
    Severity.MODERATE: "moderate",
    Severity.LOW: "low",
}
PRIORITY = {
    Severity.CRITICAL: "stat",
    Severity.HIGH: "urgent",
    Severity.MODERATE: "routine",
    Severity.LOW: "routine",
}


def alert_identifier(page_url: str, alert_id: int) -> Mapping[str, str]:
    """What makes an alert one and the same on every server: this Ferrule's address and the alert's number."""
    return {"system": f"{page_url}/alerts", "value": str(alert_id)}


def detected_issue(entry: Entry, page_url: str) -> Resource:
    """The alert as it stands. Withdrawn is `entered-in-error`; how it was answered is its mitigation."""
    return {
        "resourceType": "DetectedIssue",
        "identifier": [dict(alert_identifier(page_url, entry.alert_id))],
        "status": "entered-in-error" if entry.withdrawn else "corrected" if entry.corrected else "final",
        "code": {"coding": [{"system": RULES, "code": entry.rule}], "text": entry.headline},
        "severity": SEVERITY[entry.severity],
        "patient": _reference("Patient", entry.patient),
        "identifiedDateTime": _time(entry.raised_at),
        "author": {"type": "Device", "display": "Ferrule"},
        "detail": _detail(entry),
        "reference": f"{page_url}/inbox/{entry.alert_id}",
        **_some("evidence", [_evidence(item) for item in entry.evidence if "result_id" in item]),
        **_some("mitigation", [_mitigation(answer) for answer in entry.answers]),
    }


def communication(
    entry: Entry, page_url: str, *, key: str, step: Step, headline: str, sent: datetime | None
) -> Resource:
    """That people were told of one step of the alert; the same for the same delivery."""
    return {
        "resourceType": "Communication",
        "identifier": [{"system": f"{page_url}/deliveries", "value": key}],
        "status": "completed",
        "category": [{"coding": [{"system": STEPS, "code": step.value}], "text": "Laboratory alert"}],
        "priority": PRIORITY[entry.severity],
        "subject": _reference("Patient", entry.patient),
        "about": [{"type": "DetectedIssue", "identifier": dict(alert_identifier(page_url, entry.alert_id))}],
        **({"sent": _time(sent)} if sent else {}),
        **_some("recipient", [_recipient(address) for address in entry.recipients]),
        "sender": {"type": "Device", "display": "Ferrule"},
        "payload": [
            {"contentString": f"{BEFORE_HEADLINE.get(step, '')}{headline}"},
            # What was taken back is not said again.
            *([] if entry.withdrawn else [{"contentString": entry.text}]),
        ],
    }


def _detail(entry: Entry) -> str:
    return "\n".join([entry.text, *(f"- {action}" for action in entry.actions)])


def _evidence(item: Mapping[str, Any]) -> Resource:
    """One result, by the identifier its laboratory gave it."""
    sign = "" if item.get("comparator") in (None, "=") else item["comparator"]
    said = f"{item['analyte']} {sign}{item['value']} {item.get('unit') or ''}".rstrip()
    result = _reference("Observation", Address(item.get("source") or "urn:ferrule:result", item["result_id"]))
    return {"code": [{"text": item["analyte"]}], "detail": [{**result, "display": said}]}


def _mitigation(answer: Answer) -> Resource:
    return {
        "action": {"coding": [{"system": STEPS, "code": answer.step.value}], "text": answer.reason},
        "date": _time(answer.at),
        **({} if answer.by.system == SELF_SYSTEM else {"author": _reference("Practitioner", answer.by)}),
    }


def _recipient(address: Address) -> Resource:
    return _reference("CareTeam" if address.is_pool else "Practitioner", address)


def _reference(kind: str, address: Address) -> Resource:
    return {"type": kind, "identifier": {"system": address.system, "value": address.id}}


def _some(name: str, items: list[Resource]) -> Resource:
    """An empty list is no FHIR."""
    return {name: items} if items else {}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
