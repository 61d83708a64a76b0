"""The CDS Hooks service in the running app: the specification's invariants, who may call, and what feedback
does.
"""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import Engine, select

from alerts.answers import DismissReason
from alerts.people import Address
from alerts.tables import ALERT, ALERT_EVENT, AUDIT
from tests.web import clinic
from tests.web.clinic import Clinic
from worker import clock
from worker.settings import SettingsError, read_settings
from worker.tables import CDS_CARD

EHR = "https://ehr.hospital.test"
HERE = "https://ferrule.hospital.test"
SERVICE = "/cds-services/ferrule-open-alerts"
KEY = ECKey.generate_key("P-384", {"kid": "1", "use": "sig", "alg": "ES384"})
OTHER_KEY = ECKey.generate_key("P-384", {"kid": "1", "use": "sig", "alg": "ES384"})
MINA = ("urn:mrn:north", "100456")
SETTINGS = {
    "FERRULE_PUBLIC_URL": HERE,
    "FERRULE_CDS_CLIENTS": json.dumps({EHR: {"jwks": {"keys": [KEY.as_dict(private=False)]}}}),
}


@pytest.fixture
def ehr(seeded: Clinic, open_door: Callable[..., TestClient]) -> TestClient:
    """A door with one listed client."""
    client = open_door(**SETTINGS)
    client.base_url = HERE
    return client


def token(path: str = SERVICE, key: ECKey = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    now = int(clock.now().timestamp())
    said = {"iss": EHR, "aud": HERE + path, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
    kept = {name: value for name, value in (said | claims).items() if value is not None}
    return jwt.encode(
        {"alg": "ES384", "kid": "1", "typ": "JWT", **(header or {})}, kept, key, algorithms=["ES384"]
    )


def opened(patient: tuple[str, str] = MINA, user: Address = clinic.EXAMPLE, **changed: Any) -> dict[str, Any]:
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/d1", "patientId": "p1"},
        "prefetch": {
            "patient": _resource("Patient", "p1", *patient),
            "user": _resource("Practitioner", "d1", user.system, user.id),
        },
    } | changed


def _resource(kind: str, ident: str, system: str, value: str) -> dict[str, Any]:
    return {"resourceType": kind, "id": ident, "identifier": [{"system": system, "value": value}]}


def post(ehr: TestClient, body: Any, path: str = SERVICE, jws: str | None = None) -> Response:
    headers = {"authorization": f"Bearer {jws or token(path)}", "accept": "application/json"}
    return ehr.post(path, json=body, headers=headers)


def cards(ehr: TestClient, **call: Any) -> list[dict[str, Any]]:
    answer = post(ehr, opened(**call))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["cards"])


def say(ehr: TestClient, card: dict[str, Any], outcome: str, **more: Any) -> Response:
    said = {"card": card["uuid"], "outcome": outcome, "outcomeTimestamp": "2026-03-01T09:00:00Z", **more}
    return post(ehr, {"feedback": [said]}, SERVICE + "/feedback")


def because(code: str, system: str = "urn:ferrule:dismiss-reason") -> dict[str, Any]:
    return {"overrideReason": {"reason": {"code": code, "system": system}, "userComment": "seen in clinic"}}


def state(store: Engine, alert: int) -> str:
    with store.connect() as connection:
        return str(connection.execute(select(ALERT.c.state).where(ALERT.c.id == alert)).scalar_one())


def audited(store: Engine, action: str) -> list[Any]:
    with store.connect() as connection:
        return list(connection.execute(select(AUDIT).where(AUDIT.c.action == action)).all())


def test_discovery_names_the_service_and_what_it_needs(ehr: TestClient) -> None:
    (service,) = ehr.get("/cds-services").json()["services"]
    assert (service["hook"], service["id"]) == ("patient-view", "ferrule-open-alerts")
    assert service["description"]
    assert service["prefetch"] == {"patient": "Patient/{{context.patientId}}", "user": "{{context.userId}}"}


def test_a_card_holds_the_specifications_invariants(ehr: TestClient, seeded: Clinic) -> None:
    (card,) = cards(ehr)
    assert uuid.UUID(card["uuid"])
    assert 0 < len(card["summary"]) < 140
    assert card["indicator"] in ("info", "warning", "critical")
    assert card["source"]["label"]
    for reason in card["overrideReasons"]:
        assert all(reason[part] for part in ("code", "system", "display"))
    assert {reason["code"] for reason in card["overrideReasons"]} == set(DismissReason)
    assert card["selectionBehavior"] == "at-most-one"
    assert all(one["label"] and uuid.UUID(one["uuid"]) for one in card["suggestions"])
    (link,) = card["links"]
    assert (link["type"], link["url"]) == ("absolute", f"{HERE}/inbox/{seeded.alerts['high']}")


@pytest.mark.parametrize(
    ("patient", "indicator"), [("100123", "critical"), ("100456", "warning"), ("100333", "info")]
)
def test_severity_is_the_indicator(ehr: TestClient, patient: str, indicator: str) -> None:
    assert [c["indicator"] for c in cards(ehr, patient=("urn:mrn:north", patient))] == [indicator]


def test_a_long_headline_is_cut_below_140(ehr: TestClient, store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(ALERT.update().values(headline="long " * 60))
    (card,) = cards(ehr)
    assert len(card["summary"]) < 140


def test_each_card_is_one_of_its_own(ehr: TestClient) -> None:
    assert cards(ehr)[0]["uuid"] != cards(ehr)[0]["uuid"]


@pytest.mark.parametrize(
    "call",
    [
        {"user": clinic.CHEN},
        {"user": Address(clinic.NPI, "9999999999")},
        {"patient": ("urn:mrn:south", "100456")},
        {"patient": ("urn:mrn:north", "nobody")},
        {"patient": ("", "")},
    ],
    ids=["not theirs", "unknown clinician", "other authority", "unknown patient", "no identifier"],
)
def test_what_the_inbox_would_not_show_is_no_card(ehr: TestClient, call: Any) -> None:
    assert cards(ehr, **call) == []


def test_who_covers_sees_what_they_cover(ehr: TestClient) -> None:
    assert len(cards(ehr, patient=("urn:mrn:north", "100222"), user=clinic.EXAMPLE)) == 1


def test_identifiers_of_two_patients_show_nothing(ehr: TestClient) -> None:
    call = opened()
    call["prefetch"]["patient"]["identifier"].append({"system": "urn:mrn:north", "value": "100123"})
    assert post(ehr, call).json() == {"cards": []}


def test_a_held_or_ended_alert_is_no_card(ehr: TestClient, store: Engine) -> None:
    for hidden in ("held", "closed", "withdrawn", "dismissed"):
        with store.begin() as connection:
            connection.execute(ALERT.update().values(state=hidden))
        assert cards(ehr) == []


def test_each_look_is_audited_by_name(ehr: TestClient, store: Engine, seeded: Clinic) -> None:
    cards(ehr)
    post(ehr, opened(user=Address(clinic.NPI, "9999999999")))
    shown, denied = audited(store, "list")
    assert (shown.actor_ident, shown.outcome) == (clinic.EXAMPLE.id, "done")
    assert shown.data["alerts"] == [seeded.alerts["high"]]
    assert (denied.actor_ident, denied.outcome) == (EHR, "denied")


@pytest.mark.parametrize("reason", list(DismissReason))
def test_an_override_with_a_coded_reason_dismisses(
    ehr: TestClient, store: Engine, seeded: Clinic, reason: str
) -> None:
    (card,) = cards(ehr)
    assert say(ehr, card, "overridden", **because(reason)).status_code == 200
    assert state(store, seeded.alerts["high"]) == "dismissed"
    with store.connect() as connection:
        event = connection.execute(select(ALERT_EVENT).where(ALERT_EVENT.c.step == "dismiss")).one()
    assert (event.actor_ident, event.reason) == (clinic.EXAMPLE.id, reason)
    assert event.data["comment"] == "seen in clinic"


@pytest.mark.parametrize("more", [{}, because("nonsense"), because("lab-error", "urn:other")], ids=str)
def test_an_override_without_one_of_our_reasons_answers_nothing(
    ehr: TestClient, store: Engine, seeded: Clinic, more: Any
) -> None:
    (card,) = cards(ehr)
    assert say(ehr, card, "overridden", **more).status_code == 200
    assert state(store, seeded.alerts["high"]) == "told"
    assert [row.data["outcome"] for row in audited(store, "feedback")] == ["overridden"]


def test_the_accepted_suggestion_acknowledges(ehr: TestClient, store: Engine, seeded: Clinic) -> None:
    (card,) = cards(ehr)
    chosen = [{"id": card["suggestions"][0]["uuid"]}]
    assert say(ehr, card, "accepted", acceptedSuggestions=chosen).status_code == 200
    assert state(store, seeded.alerts["high"]) == "acknowledged"
    assert "suggestions" not in cards(ehr)[0]


def test_feedback_twice_is_once(ehr: TestClient, store: Engine, seeded: Clinic) -> None:
    (card,) = cards(ehr)
    for _ in range(2):
        assert say(ehr, card, "overridden", **because("lab-error")).status_code == 200
    assert len(audited(store, "feedback")) == 1


def test_feedback_on_an_alert_that_changed_since_leaves_it_open(
    ehr: TestClient, store: Engine, seeded: Clinic
) -> None:
    (card,) = cards(ehr)
    with store.begin() as connection:
        connection.execute(ALERT.update().values(version=ALERT.c.version + 1))
    assert say(ehr, card, "overridden", **because("lab-error")).status_code == 200
    assert state(store, seeded.alerts["high"]) == "told"


def test_feedback_about_another_clients_card_does_nothing(
    ehr: TestClient, store: Engine, seeded: Clinic
) -> None:
    (card,) = cards(ehr)
    with store.begin() as connection:
        connection.execute(CDS_CARD.update().values(issuer="https://other.test"))
    assert say(ehr, card, "overridden", **because("lab-error")).status_code == 200
    assert state(store, seeded.alerts["high"]) == "told"


def later(**by: float) -> int:
    return int((clock.now() + timedelta(**by)).timestamp())


@pytest.mark.parametrize(
    "jws",
    [
        lambda: token(key=OTHER_KEY),
        lambda: token(iss="https://other.test"),
        lambda: token(aud=HERE),
        lambda: token(path=SERVICE + "/feedback"),
        lambda: token(exp=later(minutes=-5)),
        lambda: token(exp=later(days=1)),
        lambda: token(iat=later(hours=1)),
        lambda: token(exp="soon"),
        lambda: token(jti=None),
        lambda: token(exp=None),
        lambda: token(iss=None),
        lambda: token(header={"jwk": KEY.as_dict(private=False)}),
        lambda: "a.b.c",
        lambda: "x" * 20_000,
        lambda: "eyJhbGciOiJub25lIn0.e30.",
        lambda: clinic.CLINICIAN_TOKEN,
    ],
)
def test_whoever_is_not_listed_gets_401_and_no_word(ehr: TestClient, jws: Callable[[], str]) -> None:
    answer = post(ehr, opened(), jws=jws())
    assert answer.status_code == 401
    assert "cards" not in answer.text


def test_without_a_token_nothing_is_said(ehr: TestClient) -> None:
    assert ehr.post(SERVICE, json=opened(), headers={"accept": "application/json"}).status_code == 401


def test_a_token_serves_once(ehr: TestClient) -> None:
    jws = token()
    assert [post(ehr, opened(), jws=jws).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (opened(prefetch={}), 412),
        (opened(context={"userId": "Practitioner/other", "patientId": "p1"}), 412),
        (opened(context={"userId": "Practitioner/d1", "patientId": "other"}), 412),
        (opened(hook="order-sign"), 422),
        (opened(hookInstance="1"), 422),
        (opened(context={}), 422),
        ([], 422),
    ],
)
def test_a_call_that_does_not_fit_is_refused_without_its_values(
    ehr: TestClient, call: Any, status: int
) -> None:
    answer = post(ehr, call)
    assert answer.status_code == status
    assert "100456" not in answer.text


def test_it_is_off_until_a_client_is_listed(seeded: Clinic, open_door: Callable[..., TestClient]) -> None:
    assert open_door().get("/cds-services").status_code == 404


@pytest.mark.parametrize(
    "jwks",
    [{}, {"keys": []}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, {"keys": [KEY.as_dict(private=True)]}],
)
def test_keys_that_are_not_public_ones_stop_the_start(jwks: Any) -> None:
    given = {**SETTINGS, "FERRULE_CDS_CLIENTS": json.dumps({EHR: {"jwks": jwks}})}
    with pytest.raises(SettingsError, match="FERRULE_CDS_CLIENTS"):
        read_settings(given)
