"""A CDS Hooks card of an open alert: what the specification asks of one. It decides nothing."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Row

from alerts.answers import DismissReason
from alerts.states import ASKING
from rules.findings import Severity
from worker.web.words import DISMISS_REASONS

SUMMARY_BELOW = 140
REASONS_SYSTEM = "urn:ferrule:dismiss-reason"
RULES_SYSTEM = "urn:ferrule:rule"
INDICATORS = {
    Severity.CRITICAL: "critical",
    Severity.HIGH: "warning",
    Severity.MODERATE: "warning",
    Severity.LOW: "info",
}


def card_of(row: Row[Any], card: uuid.UUID, page: str, source: str) -> dict[str, Any]:
    """The card of one alert; `page` is its own page, `source` the address of Ferrule."""
    document: dict[str, Any] = {
        "uuid": str(card),
        "summary": _shortened(" ".join(row.headline.split())),
        "indicator": INDICATORS[Severity(row.severity)],
        "detail": _detail(row),
        "source": {
            "label": "Ferrule",
            "url": source,
            "topic": {"system": RULES_SYSTEM, "code": row.rule, "display": row.rule},
        },
        "overrideReasons": [_reason(reason) for reason in DismissReason],
        "links": [{"label": "Open the alert in Ferrule", "url": page, "type": "absolute"}],
    }
    if row.state not in ASKING:
        return document
    taken_on = {"label": "Seen, and taken on", "uuid": str(suggestion_of(card))}
    return document | {"suggestions": [taken_on], "selectionBehavior": "at-most-one"}


def suggestion_of(card: uuid.UUID) -> uuid.UUID:
    """The id of a card's one suggestion: to acknowledge."""
    return uuid.uuid5(card, "acknowledge")


def _reason(reason: DismissReason) -> dict[str, str]:
    return {"code": reason.value, "system": REASONS_SYSTEM, "display": DISMISS_REASONS[reason]}


def _detail(row: Row[Any]) -> str:
    return "\n".join([row.text, "", *(f"- {action}" for action in row.actions)]).strip()


def _shortened(text: str) -> str:
    return text if len(text) < SUMMARY_BELOW else text[: SUMMARY_BELOW - 2] + "…"
