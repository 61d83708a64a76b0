"""B73: a result of the wrong patient that alerts rested on is an incident, told to operations once."""

import pytest
from sqlalchemy import Engine, select

from alerts.tables import ALERT, AUDIT
from tests.services.smtp import MailSink
from tests.worker.made_up import deps_on, event, inbound, result
from tests.worker.test_hl7_judged import B12, ferritin, message, send
from tests.worker.test_quarantine import SOMEBODY
from worker.accepting import accept
from worker.database import reading, writing
from worker.incidents import incidents_due
from worker.pipeline import judge
from worker.quarantine import most_urgent, release
from worker.tables import MESSAGE


def incidents(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [row["reason"] for row in most_urgent(connection)]


def audited(engine: Engine) -> list[tuple[str, dict[str, object]]]:
    asked = select(AUDIT.c.object_id, AUDIT.c.data).where(AUDIT.c.action == "incident.wrong-patient")
    with reading(engine) as connection:
        return [(row.object_id, row.data) for row in connection.execute(asked)]


def test_b73_a_fired_result_of_the_wrong_patient_is_an_incident_listed_and_told_to_operations_once(
    engine: Engine, mail_sink: MailSink
) -> None:
    deps = deps_on(engine, smtp_url=mail_sink.url, operator_email="ops@example.org")
    send(deps, message("A", ferritin("9", "F"), B12))
    send(deps, message("B", ferritin("9", "W")))
    assert incidents(engine) == ["wrong-patient"]
    with reading(engine) as connection:
        alerts = sorted(connection.execute(select(ALERT.c.id)).scalars())
        newest = connection.execute(select(MESSAGE.c.id).order_by(MESSAGE.c.id.desc())).scalars().first()
    ((where, data),) = audited(engine)
    assert where == str(newest)
    assert data["alerts"]
    assert set(data["alerts"]) <= set(alerts)
    for _ in range(2):
        incidents_due(deps)
    (letter,) = mail_sink.messages
    assert letter["to"] == "ops@example.org"
    assert "wrong patient" in letter["subject"]
    assert "ferrule quarantine show 1" in letter.get_content()


@pytest.mark.parametrize("letter", ["D", "X", "C"])
def test_b73_a_result_that_was_deleted_cancelled_or_corrected_is_no_incident(
    engine: Engine, letter: str
) -> None:
    deps = deps_on(engine)
    send(deps, message("A", ferritin("9", "F"), B12))
    send(deps, message("B", ferritin("90", letter)))
    assert (incidents(engine), audited(engine)) == ([], [])


def test_b73_a_result_of_the_wrong_patient_on_which_nothing_rested_is_no_incident(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, message("A", ferritin("90", "F")))
    send(deps, message("B", ferritin("90", "W")))
    assert (incidents(engine), audited(engine)) == ([], [])


def test_b73_the_same_for_an_event_and_for_an_alert_that_was_answered(engine: Engine) -> None:
    deps = deps_on(engine)
    both = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
    told = [event("M1", both), event("M2", [result("R1", "ferritin", "9", "entered-in-error")])]
    for at, one in enumerate(told):
        judge(deps, [receipt.message for receipt in accept(engine, [inbound(one)])])
        if at == 0:
            with writing(engine) as connection:
                connection.execute(ALERT.update().values(state="dismissed"))
    assert incidents(engine) == ["wrong-patient"]


def test_b73_read_again_it_stays_one_incident(engine: Engine) -> None:
    deps = deps_on(engine)
    send(deps, message("A", ferritin("9", "F"), B12))
    send(deps, message("B", ferritin("9", "W")))
    with writing(engine) as connection:
        again = release(connection, 1, SOMEBODY)
    judge(deps, [again])
    assert incidents(engine) == []
    assert len(audited(engine)) == 1
