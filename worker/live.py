"""What is news since go-live: whether a pattern rests on anything that was first known after it.

History that is loaded is judged like any other and never told (FERRULE_LIVE_SINCE). A result counts from when
its laboratory issued it. One without that time counts from its specimen, if it came later than any laboratory
takes: then it was loaded, not reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from rules.facts import History, Result
from rules.findings import Evidence, RecordEvidence, ResultEvidence

LONGEST_TURN_AROUND = timedelta(days=7)


def is_live(history: History, since: datetime | None) -> Callable[[Sequence[Evidence]], bool]:
    """Tells of evidence from `history` whether any of it is news since then; without a time, all is."""
    if since is None:
        return lambda evidence: True
    results = {result.key for result in history.results if first_known(result) >= since}
    records = {record.key for record in history.records if (record.said_at or record.known_at) >= since}

    def live(evidence: Sequence[Evidence]) -> bool:
        known = [one for one in evidence if isinstance(one, ResultEvidence | RecordEvidence)]
        return not known or any(
            one.key in (results if isinstance(one, ResultEvidence) else records) for one in known
        )

    return live


def first_known(result: Result) -> datetime:
    """When the laboratory knew this version of a result."""
    if result.issued_at is not None:
        return result.issued_at
    taken = result.effective_at
    if taken is not None and result.known_at - taken > LONGEST_TURN_AROUND:
        return taken
    return result.known_at
