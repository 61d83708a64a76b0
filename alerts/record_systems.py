"""What follows an alert into the systems that keep the patient's record: its answers and its end.

People are not told of an answer; a record that shows the alert must show it. That an alert is raised,
corrected or withdrawn goes there with everybody else's deliveries (`alerts.routing`). Nothing is sent here.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from alerts.states import Step, Taken
from alerts.tables import ALERT
from alerts.telling import News, carried_by, enqueue
from rules.findings import Severity

FOLLOWED = (Step.ACKNOWLEDGE, Step.DISMISS, Step.RESOLVE, Step.REOPEN, Step.CLOSE)


def follow(connection: Connection, patient_id: int, taken: Taken) -> None:
    """Write the deliveries that bring the record systems which show this alert up to date."""
    if taken.step not in FOLLOWED:
        return
    carried = carried_by(connection, taken.alert_id)
    if lanes := tuple(lane for lane in carried if lane.address.is_record_system):
        row = connection.execute(select(ALERT).where(ALERT.c.id == taken.alert_id)).one()
        enqueue(connection, patient_id, [News(taken, Severity(row.severity), row.headline, lanes)])
