"""Who may do what: every route for every role, and every alert for every way a clinician may stand to it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Engine, insert, select, update
from sqlmodel import SQLModel

from alerts.people import UNADDRESSED, Address, pool
from alerts.tables import ALERT
from rules.findings import Severity
from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import hidden
from tests.web.test_doors import routes_of
from worker.composition import Deps
from worker.database import writing
from worker.settings import read_settings
from worker.tables import ACCOUNT, PATIENT
from worker.web.app import create_app
from worker.web.headers import ALWAYS

PROGRAM = {"accept": "application/json"}
EVERYONE = {"/healthz", "/readyz", "/login", "/oidc/login", "/oidc/callback", "/oidc/backchannel-logout"}
HERE_ALONE = {"/metrics"}
SIGNED_IN = {"/", "/logout", "/fhir/metadata"}
"""For every role: the way to one's own first page, the way out, and what the FHIR door can do."""
DOORS = {
    "clinician": (
        *("/inbox", "/api/alerts", "/api/stream", "/break-glass", "/cover", "/preferences"),
        *("/fhir/DetectedIssue", "/fhir/Communication"),
    ),
    "operator": (
        "/quarantine",
        "/api/quarantine",
        "/storms",
        "/api/storms",
        *("/unaddressed", "/api/unaddressed"),
        "/calls",
        *("/overdue", "/api/overdue"),
        "/queues",
    ),
    "rule-owner": ("/governance", "/api/governance", "/api/silent-findings"),
    "privacy-officer": ("/privacy",),
    "intake": ("/fhir", "/events"),
}
ROLES = ("clinician", "operator", "rule-owner", "privacy-officer")
ENDLESS = "/api/stream"
OIDC = {
    "FERRULE_PUBLIC_URL": "http://testserver",
    "FERRULE_OIDC_ISSUER": "http://127.0.0.1:9",
    "FERRULE_OIDC_CLIENT_ID": "ferrule",
    "FERRULE_OIDC_ROLES": '{"clinician": ["a"]}',
}


def doors(deps: Deps) -> list[tuple[str, str]]:
    """Every method and path there can be: sign-in of both kinds on."""
    settings = read_settings({"FERRULE_LOCAL_ACCOUNTS": "on", **OIDC})
    app = create_app(Deps(engine=deps.engine, ruleset=deps.ruleset, settings=settings, publish=deps.publish))
    found = sorted((method, route.path) for route in routes_of(app) for method in route.methods)
    assert len(found) > 40
    return found


def role_of(path: str) -> str | None:
    if path in SIGNED_IN:
        return None
    for role, begins in DOORS.items():
        if any(path == begin or path.startswith(f"{begin}/") for begin in begins):
            return role
    return None


def filled(path: str) -> str:
    path = path.replace("{step}", "acknowledge").replace("{outcome}", "release")
    path = path.replace("{type_name}", "Observation").replace("{identity}", "1")
    return re.sub(r"\{\w+\}", "1", path)


@pytest.fixture
def as_role(store: Engine, seeded: Clinic, sign_in: SignIn) -> Callable[[str], TestClient]:
    with writing(store) as connection:
        for role in (*ROLES[1:], "operator rule-owner"):
            account = {"username": role, "password_hash": clinic.hashed(), "name": role, "role": role}
            connection.execute(insert(ACCOUNT).values(**account, active=True, created_at=seeded.now))
    return lambda role: sign_in("example" if role == "clinician" else role)


def test_every_door_is_in_the_matrix(deps: Deps) -> None:
    unknown = {path for _, path in doors(deps) if role_of(path) is None}

    assert unknown == EVERYONE | HERE_ALONE | SIGNED_IN


def test_s01_without_a_session_or_a_token_every_door_but_the_open_ones_is_shut(
    deps: Deps, seeded: Clinic, open_door: Callable[..., TestClient]
) -> None:
    visitor = open_door(**OIDC)
    for method, path in doors(deps):
        if path in EVERYONE:
            continue
        answer = visitor.request(method, filled(path), headers=PROGRAM)
        wanted = 404 if path in HERE_ALONE else 303 if path == "/" else 401
        assert answer.status_code == wanted, f"{method} {path}: {answer.status_code}"


@pytest.mark.parametrize("role", ROLES)
def test_s11_each_role_opens_its_own_doors_alone(
    deps: Deps, as_role: Callable[[str], TestClient], role: str
) -> None:
    browser = as_role(role)
    for method, path in doors(deps):
        mine = role_of(path)
        if mine is None or path == ENDLESS:
            continue
        answer = browser.request(method, filled(path), headers=PROGRAM, content=b"")
        refused = answer.status_code == 403 and b"not for this role" in answer.content
        refused = refused or (answer.status_code == 403 and mine == "intake")
        assert refused == (mine != role), f"{role}: {method} {path}: {answer.status_code}"
        if refused:
            assert len(answer.content) < 300


def test_s11_somebody_of_two_roles_opens_the_doors_of_both(as_role: Callable[[str], TestClient]) -> None:
    browser = as_role("operator rule-owner")

    assert browser.get("/quarantine").status_code == 200
    assert browser.get("/inbox/1").status_code == 403


@dataclass(frozen=True)
class Ward:
    """One alert for each way Dr. Example may stand to it."""

    alerts: dict[str, int]
    now: object


SEEN = {"own": True, "covered": True, "past": False, "future": False, "pool": True, "other": False}
SEEN |= {"sensitive-own": True, "sensitive-pool": False}


@pytest.fixture
def ward(store: Engine, seeded: Clinic) -> Ward:
    past, future = Address(clinic.NPI, "1000000008"), Address(clinic.NPI, "1000000009")
    day, now = timedelta(days=1), seeded.now
    whose = {"own": clinic.EXAMPLE, "covered": clinic.BAKER, "past": past, "future": future}
    whose |= {"pool": pool("hematology"), "other": clinic.CHEN}
    whose |= {"sensitive-own": clinic.EXAMPLE, "sensitive-pool": pool("hematology")}
    with writing(store) as connection:
        clinic.cover(connection, past, clinic.EXAMPLE, now - 2 * day, now)
        clinic.cover(connection, future, clinic.EXAMPLE, now + day, now + 2 * day)
        alerts = {}
        for number, (name, who) in enumerate(whose.items()):
            ident = f"9000{number}"
            born = clinic.date(1960, 1, 1)
            patient = clinic.add_patient(connection, f"Ward {name}", ident, born, "female", now)
            if name.startswith("sensitive"):
                connection.execute(update(PATIENT).where(PATIENT.c.id == patient).values(sensitive=True))
            value = clinic.Value(1, "crp", "80", "mg/L")
            words = (Severity.HIGH, f"Headline {name}")
            alerts[name] = clinic.simple(connection, patient, now, value, "a-rule", *words, to=who)
    return Ward(alerts, now)


READS = ("/inbox/{}", "/api/alerts/{}")
STEPS: dict[str, dict[str, object]] = {
    "acknowledge": {},
    "dismiss": {"reason": "not-relevant"},
    "snooze": {"until": "2027-01-01T08:00:00Z", "reason": "later"},
    "resolve": {"reason": "done"},
    "reassign": {"to": {"system": clinic.NPI, "id": clinic.CHEN.id}, "reason": "theirs"},
    "reopen": {"reason": "again"},
}


@pytest.mark.parametrize("stands", SEEN)
def test_s11_a_clinician_reads_own_covered_and_pool_alerts_and_nothing_else(
    browser: TestClient, ward: Ward, stands: str
) -> None:
    alert, wanted = ward.alerts[stands], 200 if SEEN[stands] else 404

    for path in READS:
        assert browser.get(path.format(alert)).status_code == wanted, path
    listed = [item["id"] for item in browser.get("/api/alerts?limit=200").json()["items"]]
    assert (alert in listed) == SEEN[stands]
    for path in ("/inbox", "/inbox/rows"):
        assert (f'href="/inbox/{alert}"' in browser.get(path).text) == SEEN[stands], path
    assert SEEN[stands] or f"Headline {stands}" not in browser.get("/inbox/arrivals?since=0").text


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("stands", [name for name, seen in SEEN.items() if not seen])
def test_s11_what_may_not_be_read_may_not_be_answered(
    browser: TestClient, ward: Ward, store: Engine, stands: str, step: str
) -> None:
    alert = ward.alerts[stands]
    token = hidden(browser.get(f"/inbox/{ward.alerts['own']}").text, "csrf")

    program = browser.post(f"/api/alerts/{alert}/{step}", json=STEPS[step])
    fields = {"reason": "done", "until": "2027-01-01T08:00:00Z", "to": f"{clinic.NPI}|{clinic.CHEN.id}"}
    form = browser.post(f"/inbox/{alert}/{step}", data={**fields, "csrf": token})

    assert program.status_code == 404
    assert form.status_code in (404, 422)
    assert "Headline" not in form.text
    assert state_of(store, alert) == "told"


def state_of(store: Engine, alert: int) -> str:
    with store.connect() as connection:
        return str(connection.execute(select(ALERT.c.state).where(ALERT.c.id == alert)).scalar_one())


@pytest.mark.parametrize("role", ROLES[1:])
def test_s11_no_other_role_reads_any_alert(
    as_role: Callable[[str], TestClient], ward: Ward, role: str
) -> None:
    browser = as_role(role)

    for alert in ward.alerts.values():
        assert [browser.get(path.format(alert)).status_code for path in READS] == [403, 403]


def bare(answer: Response) -> tuple[int, bytes, dict[str, str]]:
    return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k != "date"}


@pytest.mark.parametrize("stands", ["other", "past", "future", "sensitive-pool"])
def test_s13_what_is_not_theirs_looks_to_the_byte_like_what_is_not_there(
    browser: TestClient, ward: Ward, stands: str
) -> None:
    alert, absent = ward.alerts[stands], 10**6

    for path in READS:
        assert bare(browser.get(path.format(alert))) == bare(browser.get(path.format(absent)))
    for step, body in STEPS.items():
        there = browser.post(f"/api/alerts/{alert}/{step}", json=body)
        assert bare(there) == bare(browser.post(f"/api/alerts/{absent}/{step}", json=body)), step


def test_s13_a_page_that_may_not_be_seen_shows_the_way_to_break_glass_whether_it_is_there_or_not(
    browser: TestClient, ward: Ward
) -> None:
    for alert in (ward.alerts["other"], 10**6):
        refused = browser.get(f"/inbox/{alert}")
        assert refused.status_code == 404
        assert 'href="/break-glass"' in refused.text
        assert f"/{alert}" not in refused.text
    assert "break-glass" not in browser.get("/nowhere").text


def test_s15_operators_see_the_state_of_queues_and_no_clinical_value(
    as_role: Callable[[str], TestClient], ward: Ward, deps: Deps, store: Engine, seeded: Clinic
) -> None:
    with writing(store) as connection:
        connection.execute(update(ALERT).values(call_list_since=seeded.now))
        to_nobody = {"recipient_system": UNADDRESSED.system, "recipient_ident": UNADDRESSED.id}
        connection.execute(update(ALERT).where(ALERT.c.id == ward.alerts["other"]).values(**to_nobody))
        patients = connection.execute(select(PATIENT.c.name, PATIENT.c.ident)).all()
        headlines = connection.execute(select(ALERT.c.headline)).scalars().all()
    browser, looked = as_role("operator"), 0
    secret = [*(text for row in patients for text in row), *headlines, "1,450", "80 mg/L", "68 g/L"]
    for method, path in doors(deps):
        if method != "GET" or role_of(path) != "operator":
            continue
        text = browser.get(filled(path)).text
        looked += 1
        assert [word for word in secret if word in text] == [], path
    assert looked >= 5


@pytest.mark.parametrize(
    "extra", ["state", "role", "acknowledged_by", "recipient_ident", "version", "closed_at"]
)
def test_s16_a_field_nobody_asked_for_is_refused_and_changes_nothing(
    browser: TestClient, seeded: Clinic, store: Engine, extra: str
) -> None:
    alert = seeded.alerts["high"]
    for step, body in STEPS.items():
        answer = browser.post(f"/api/alerts/{alert}/{step}", json={**body, extra: "closed"})
        assert answer.status_code == 422, step
    assert state_of(store, alert) == "told"


def test_s16_a_form_cannot_make_a_log_in_an_operators(visitor: TestClient) -> None:
    sent = {"username": "example", "password": clinic.PASSWORD, "role": "operator", "account_id": "2"}

    assert visitor.post("/login", data=sent).status_code == 303
    assert visitor.get("/quarantine").status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_s40_every_answer_of_every_door_carries_the_headers(
    deps: Deps, as_role: Callable[[str], TestClient], role: str
) -> None:
    browser = as_role(role)
    for method, path in doors(deps):
        if path in (ENDLESS, "/logout"):
            continue
        headers = browser.request(method, filled(path)).headers
        assert ALWAYS.items() <= {name: headers.get(name) for name in ALWAYS}.items(), f"{method} {path}"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


LEFT_OUT = {"audit", "audit_seal", "session", "sign_in"}
"""What reading may write: that somebody read, and that a session is in use."""


def everything(store: Engine) -> Iterator[tuple[str, list[str]]]:
    with store.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            if table.name not in LEFT_OUT:
                yield table.name, sorted(str(row) for row in connection.execute(select(table)))


@pytest.mark.parametrize("role", ROLES)
def test_s45_get_and_head_change_nothing(
    deps: Deps, as_role: Callable[[str], TestClient], ward: Ward, store: Engine, role: str
) -> None:
    browser = as_role(role)
    before = dict(everything(store))
    for method, path in doors(deps):
        if method == "GET" and path != ENDLESS:
            for verb in ("GET", "HEAD"):
                browser.request(verb, filled(path), headers={"sec-fetch-site": "cross-site"})

    assert dict(everything(store)) == before


def test_s46_no_other_site_may_ask_and_a_forwarded_name_is_not_believed(browser: TestClient) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    for path in ("/api/alerts", "/inbox", "/events"):
        answer = browser.options(path, headers=asked)
        assert answer.status_code in (401, 403, 405)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    named = browser.get("/", headers={"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"})
    assert "evil.example" not in named.headers.get("location", "")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "DEBUG"])
def test_s51_methods_nobody_needs_are_refused_at_every_door(
    deps: Deps, browser: TestClient, method: str
) -> None:
    for _, path in doors(deps):
        assert browser.request(method, filled(path)).status_code in (404, 405), path
