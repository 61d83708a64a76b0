"""Which values of an alert carry a laboratory flag that their number and limits do not bear out, in words.

Rules judged the number; the flag stands beside it, so that a person can ask (trials B68). Nothing is decided
here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from worker.intake.marks import Mark
from worker.records import Stored
from worker.tables import RESULT


def flags_that_disagree(connection: Connection, stored: Stored, keys: Sequence[str]) -> dict[str, str]:
    """Result key → what to say of its flag; of several versions the one that came last says."""
    idents = {result.id for result in stored.history.results if result.key in keys}
    columns = (RESULT.c.source, RESULT.c.result_id, RESULT.c.flag, RESULT.c.marks)
    asked = select(*columns).where(
        RESULT.c.patient_id.in_(stored.filed_under), RESULT.c.result_id.in_(idents)
    )
    rows = connection.execute(asked.order_by(RESULT.c.message_id, RESULT.c.id))
    newest = {f"{row.source}|{row.result_id}": row for row in rows}
    return {
        key: f"flagged {newest[key].flag or 'otherwise'} by its laboratory: flag and value disagree, ask it"
        for key in keys
        if key in newest and Mark.FLAG_DISAGREES.value in newest[key].marks
    }
