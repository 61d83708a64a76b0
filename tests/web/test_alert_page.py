"""One alert's page: values as reported, what was not on record, the limits, the explanation, the trail."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from alerts.states import State, Step
from alerts.steps import Cause, Standing, take
from alerts.tables import ALERT, AUDIT
from rules.findings import Severity
from tests.web import clinic
from tests.web.clinic import BAKER, CHEN, Clinic
from tests.web.forms import answer
from worker.database import writing
from worker.tables import PATIENT, RESULT


@pytest.fixture
def page(browser: TestClient, seeded: Clinic) -> str:
    return browser.get(f"/inbox/{seeded.alerts['high']}").text


def test_values_stand_as_the_laboratory_reported_them_with_the_limit_they_crossed(page: str) -> None:
    values = page[page.index("What was found") : page.index("What to do")]

    assert "1,450 pg/mL" in values
    assert "above 914 pg/mL (laboratory)" in values
    assert "below 30 ng/mL" in values
    assert "below 120 g/L" in values


def test_a_censored_value_keeps_its_sign(page: str) -> None:
    assert "&lt; 2 mg/L" in page


def test_a_limit_that_was_not_crossed_is_said_so(page: str) -> None:
    assert "below 5 mg/L" in page[: page.index("What to do")]


def test_a_corrected_value_is_struck_through_before_the_new_one(page: str) -> None:
    assert '<del><span class="sr">corrected from </span>19 ng/mL</del>' in page


def test_what_was_not_on_record_is_said_with_how_far_back_was_looked(page: str) -> None:
    assert "Not on record in the last 90 days: product with vitamin B12" in page
    assert "Not on record at any time: liver disease; kidney disease; myeloid or mast-cell neoplasm" in page


def test_the_table_says_all_the_chart_draws(page: str) -> None:
    table = page[page.index("The values as a table") :]

    assert table.count("<tr>") == 1 + 11
    assert "corrected to 9 ng/mL" in table
    assert "Ferrous sulfate 325 mg (oral)" in table


def test_the_explanation_shows_sign_value_time_and_limit(page: str) -> None:
    why = page[page.index("Why this fired") : page.index("<summary>Sources")]

    assert "ferritin &lt; 30 ng/mL" in why
    assert "Ferritin 9 ng/mL, " in why
    assert "limit &lt; 30 ng/mL" in why
    for sign in ("✓", "✗", "?"):
        assert f'aria-hidden="true">{sign}</span>' in why


def test_other_alerts_of_the_patient_are_named_only_when_the_reader_may_see_them(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    with writing(store) as connection:
        patient, now = seeded.patients["Mina Fjord"], seeded.now
        for to, headline in ((clinic.EXAMPLE, "Mine as well"), (clinic.CHEN, "Not for your eyes")):
            value = clinic.Value(len(headline), "crp", "80", "mg/L")
            clinic.simple(connection, patient, now, value, headline, Severity.LOW, headline, to=to)

    page = browser.get(f"/inbox/{seeded.alerts['high']}").text

    assert "Mine as well" in page
    assert "Not for your eyes" not in page


def test_each_look_is_one_record_of_who_saw_which_patient(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    browser.get(f"/inbox/{seeded.alerts['high']}")

    with store.connect() as connection:
        row = connection.execute(select(AUDIT).where(AUDIT.c.action == "read")).one()
    assert row.patient_id == seeded.patients["Mina Fjord"]
    assert (row.actor_ident, row.object_id) == (clinic.EXAMPLE.id, str(seeded.alerts["high"]))
    assert row.at - seeded.now < timedelta(minutes=5)


XSS = [
    "<script>document.title='x'</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "{{ 1234 * 4321 }}",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", XSS)
def test_s41_text_from_outside_stays_text(
    browser: TestClient, seeded: Clinic, store: Engine, text: str
) -> None:
    alert = seeded.alerts["high"]
    with writing(store) as connection:
        connection.execute(update(PATIENT).values(name=text))
        connection.execute(update(RESULT).values(reported_unit=text))
        connection.execute(update(ALERT).values(headline=text, text=text, actions=[text], sources=[text]))

    for path in ("/inbox", f"/inbox/{alert}"):
        page = browser.get(path).text
        for piece in ("<script>document", "<script>alert", "<img", str(1234 * 4321)):
            assert piece not in page, f"{piece} on {path}"


def test_a_patient_nobody_named_is_shown_by_the_end_of_the_identifier(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    with writing(store) as connection:
        connection.execute(update(PATIENT).values(name=None, birth_date=None, sex="unknown"))

    assert "Patient …0456" in browser.get("/inbox").text
    assert browser.get(f"/inbox/{seeded.alerts['high']}").status_code == 200


def test_the_page_says_what_happens_if_nobody_answers(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    alert = seeded.alerts["high"]
    with writing(store) as connection:
        until = seeded.now + timedelta(days=3)
        clinic.cover(connection, clinic.EXAMPLE, clinic.CHEN, seeded.now - timedelta(days=1), until)
    page = browser.get(f"/inbox/{alert}").text
    assert "· then Dr. Chun Chen" in page
    plan = page[page.index("If nobody answers") :]
    steps = ("a reminder is sent", "Dr. Chun Chen is asked, who covers", "the pool ", "somebody calls")
    assert [plan.index(step) for step in steps] == sorted(plan.index(step) for step in steps)

    answer(browser, alert, "acknowledge")
    assert "If nobody answers" not in browser.get(f"/inbox/{alert}").text


def test_where_nobody_covers_the_plan_says_that_the_pool_is_asked(
    browser: TestClient, seeded: Clinic
) -> None:
    page = browser.get(f"/inbox/{seeded.alerts['critical']}").text
    assert "the pool unaddressed is asked, as nobody covers" in page


def test_a_withdrawal_names_who_had_read_the_alert(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    alert = seeded.alerts["high"]
    seen = [
        {"system": who.system, "id": who.id, "at": "2026-03-01T09:00:00Z"} for who in (BAKER, BAKER, CHEN)
    ]
    with writing(store) as connection:
        row = connection.execute(select(ALERT).where(ALERT.c.id == alert)).one()
        standing = Standing(alert, row.patient_id, State(row.state), row.version)
        cause = Cause(clinic.RECONCILER, seeded.now, "fact-corrected", {"read_by": seen})
        take(connection, standing, Step.WITHDRAW, cause)
    page = browser.get(f"/inbox/{alert}").text
    assert "corrected or taken back · it had been read by Dr. Ben Baker and Dr. Chun Chen" in page


def test_a_low_alert_has_no_plan(browser: TestClient, seeded: Clinic) -> None:
    assert "If nobody answers" not in browser.get(f"/inbox/{seeded.alerts['low']}").text
