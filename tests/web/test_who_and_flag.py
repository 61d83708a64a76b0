"""What an alert page says beside its values: that nobody has confirmed the patient (B45), and a laboratory's
flag that its value does not bear out (B68).
"""

import json
import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import ALERT
from tests.web import clinic
from tests.worker.made_up import deps_on, event, inbound, result
from worker.accepting import accept
from worker.database import reading
from worker.may_be_critical import critical_due
from worker.pipeline import judge
from worker.quarantine import most_urgent

BOTH = [result("R1", "ferritin", "9"), result("R2", "b12", "1450")]
JSON = {"accept": "application/json"}


def tell(store: Engine, *events: dict[str, object]) -> int | None:
    """Judge them one after the other; the newest alert then."""
    for one in events:
        judge(deps_on(store), [receipt.message for receipt in accept(store, [inbound(one)])])
    with reading(store) as connection:
        return connection.execute(select(ALERT.c.id).order_by(ALERT.c.id.desc())).scalars().first()


def addressed(id: str, results: list[dict[str, object]], patient: str = "NEW1") -> dict[str, object]:
    whole = event(id, results, patient)
    whole["data"]["orderer"] = {"system": clinic.EXAMPLE.system, "id": clinic.EXAMPLE.id}
    return whole


def test_b45_an_alert_of_a_patient_nothing_has_confirmed_is_marked_as_provisional(
    browser: TestClient, store: Engine
) -> None:
    alert = tell(store, addressed("M1", BOTH))
    assert "Provisional patient." in browser.get(f"/inbox/{alert}").text
    assert browser.get(f"/api/alerts/{alert}", headers=JSON).json()["provisional_patient"] is True


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_b45_a_second_message_that_agrees_confirms_the_patient(
    browser: TestClient, store: Engine, first: bool
) -> None:
    registered, report = addressed("M0", []), addressed("M1", BOTH)
    alert = tell(store, *((registered, report) if first else (report, registered)))
    assert "Provisional patient." not in browser.get(f"/inbox/{alert}").text
    assert browser.get(f"/api/alerts/{alert}", headers=JSON).json()["provisional_patient"] is False


def test_b45_a_number_without_a_name_or_birth_date_stays_provisional(
    browser: TestClient, store: Engine
) -> None:
    low = result("R9", "ferritin", "61") | {"code": "718-7", "unit": "g/L"}
    bare = [addressed("M1", BOTH), addressed("M2", [low])]
    for one in bare:
        one["data"]["patient"] = {"system": "urn:mrn:north", "id": "NEW2"}
    alert = tell(store, *bare)
    assert browser.get(f"/api/alerts/{alert}", headers=JSON).json()["provisional_patient"] is True


def flagged(flag: str, value: str = "9", low: str = "13", high: str = "150") -> dict[str, object]:
    limits = {"reference_range": {"low": low, "high": high, "text": None}}
    return result("R1", "ferritin", value) | limits | {"interpretation": flag}


def test_b68_a_normal_flag_on_a_value_that_fires_changes_nothing_and_is_said(
    browser: TestClient, store: Engine
) -> None:
    alert = tell(store, addressed("M1", [flagged("N"), BOTH[1]]))
    page = browser.get(f"/inbox/{alert}").text
    row = re.search(r">Ferritin</th>.*?</tr>", page, re.DOTALL)
    assert row
    assert "flagged N by its laboratory" in row[0]
    assert page.count("flag and value disagree") == 1


def test_b68_a_flag_that_agrees_is_not_spoken_of(browser: TestClient, store: Engine) -> None:
    alert = tell(store, addressed("M1", [flagged("L"), BOTH[1]]))
    assert "flag and value disagree" not in browser.get(f"/inbox/{alert}").text


@pytest.mark.parametrize("flag", ["HH", "LL"])
def test_b68_a_critical_flag_on_a_normal_value_fires_nothing_and_goes_to_a_person_at_once(
    store: Engine, seeded: clinic.Clinic, flag: str
) -> None:
    before = tell(store)
    assert tell(store, addressed("M1", [flagged(flag, "75")])) == before, "rules judge the value"
    critical_due(deps_on(store))
    with reading(store) as connection:
        (item,) = most_urgent(connection)
    assert (item["reason"], item["place"]) == ("critical-flag-disagrees", "data.results[0].interpretation")
    assert item["may_be_critical"] is True
    assert "75" not in json.dumps([item["remedy"], item["place"]])


@pytest.mark.parametrize(("flag", "value"), [("HH", "900"), ("LL", "5"), ("H", "75")])
def test_b68_a_flag_that_agrees_or_is_not_critical_is_no_work(
    store: Engine, seeded: clinic.Clinic, flag: str, value: str
) -> None:
    tell(store, addressed("M1", [flagged(flag, value)]))
    with reading(store) as connection:
        assert [item["reason"] for item in most_urgent(connection)] == []
