"""The load of the fault tests: made-up messages that raise, join, correct and repeat, and their outcome."""

import random
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, select

from alerts.tables import ALERT
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import Inbound, accept
from worker.database import reading
from worker.pipeline import judge
from worker.tables import PATIENT

OpenAlerts = set[tuple[str, str, str]]


def messages(count: int, patients: int, seed: int) -> list[Inbound]:
    """`count` messages about `patients` patients, one in ten a correction, one in fifty a repeat."""
    dice = random.Random(seed)
    made: list[Inbound] = []
    while len(made) < count:
        if made and dice.random() < 0.02:
            made.append(dice.choice(made))
            continue
        made.append(inbound(_event(f"M{len(made)}", dice, f"P{dice.randrange(patients)}")))
    return made


def _event(id: str, dice: random.Random, patient: str) -> dict[str, Any]:
    analyte = dice.choice(("ferritin", "b12"))
    value = dice.choice(("9", "12", "180")) if analyte == "ferritin" else dice.choice(("1450", "1900", "400"))
    hours = dice.randrange(1, 200)
    if dice.random() < 0.1:
        return event(id, [result(f"{patient}-{analyte}-fixed", analyte, value, "corrected", 3)], patient)
    name = f"{patient}-{analyte}-fixed" if dice.random() < 0.2 else f"{patient}-{analyte}-{id}"
    return event(id, [result(name, analyte, value, "final", 3 if name.endswith("fixed") else hours)], patient)


def open_alerts(engine: Engine) -> OpenAlerts:
    """Which rule stands open for whom, and how severe."""
    with reading(engine) as connection:
        found = (
            select(PATIENT.c.ident, ALERT.c.rule, ALERT.c.severity)
            .join(PATIENT, PATIENT.c.id == ALERT.c.patient_id)
            .where(ALERT.c.closed_at.is_(None))
        )
        return {tuple(row) for row in connection.execute(found)}


def judged_alone(engine: Engine, accepted: Sequence[Inbound]) -> OpenAlerts:
    """What one undisturbed process makes of the same messages, one by one, in the order of acceptance."""
    deps = deps_on(engine)
    for message in accepted:
        judge(deps, [receipt.message for receipt in accept(engine, [message]) if receipt.judge])
    return open_alerts(engine)
