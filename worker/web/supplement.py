"""The answer “Explained: takes B12”: whether it can be put on record for an alert, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from worker.explaining import EXPLAINED_FOR, PRODUCTS


def can_explain(evidence: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the alert looked for such a product and found none on record."""
    return any(one.get("absent") in PRODUCTS for one in evidence)


def explained_until(answered_at: datetime) -> datetime:
    """The end of the entry that the answer puts on record."""
    return answered_at + EXPLAINED_FOR
