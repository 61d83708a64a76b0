"""What every answer carries, and what another site cannot make a browser do."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from alerts.tables import ALERT
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.forms import hidden
from worker.web.pages import HERE, STATIC


@pytest.mark.parametrize(
    "path", ["/inbox", "/inbox/1", "/inbox/999", "/api/alerts", "/healthz", "/nowhere", "/login"]
)
def test_s30_s40_every_answer_forbids_inline_code_framing_and_keeping(browser: TestClient, path: str) -> None:
    headers = browser.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_assets_may_be_kept(browser: TestClient) -> None:
    answer = browser.get("/static/ferrule.css")

    assert answer.status_code == 200
    assert "max-age" in answer.headers["cache-control"]


# A file for the printer (`ferrule alerts print`), which no server sends and nothing can be loaded beside.
PRINTED = "downtime.html"


def test_no_template_carries_inline_script_style_or_handler() -> None:
    templates = [path for path in (HERE / "templates").rglob("*.html") if path.name != PRINTED]
    assert len(templates) > 8
    for template in templates:
        text = template.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text), template
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag or 'type="application/json"' in tag, template


def test_nothing_is_loaded_from_elsewhere() -> None:
    files = [*(HERE / "templates").rglob("*.html"), STATIC / "ferrule.css", STATIC / "chart.js"]
    for file in files:
        assert not re.search(r"(src|href|url)\W{1,3}(https?:)?//", file.read_text()), file


def test_each_vendored_file_has_its_license_beside_it() -> None:
    vendored = [p for p in (STATIC / "vendor").iterdir() if p.suffix in (".js", ".css")]
    licenses = {p.name.removesuffix("-LICENSE.txt") for p in (STATIC / "vendor").glob("*-LICENSE.txt")}
    listed = (STATIC / "VENDORED.md").read_text()
    for file in vendored:
        assert re.sub(r"-\d.*", "", file.name) in licenses, file
        assert file.name in listed or Path(file).suffix == ".css", file


def state(store: Engine, alert: int) -> str:
    with store.connect() as connection:
        return str(connection.execute(select(ALERT.c.state).where(ALERT.c.id == alert)).scalar_one())


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("door", ["/inbox/{}/acknowledge", "/api/alerts/{}/acknowledge"])
def test_another_site_cannot_answer_for_a_signed_in_clinician(
    browser: TestClient, seeded: Clinic, store: Engine, headers: dict[str, str], door: str
) -> None:
    alert = seeded.alerts["high"]
    token = hidden(browser.get(f"/inbox/{alert}").text, "csrf")

    assert browser.post(door.format(alert), data={"csrf": token}, headers=headers).status_code == 403
    assert state(store, alert) == "told"


@pytest.mark.parametrize("token", [{}, {"csrf": ""}, {"csrf": "guessed"}])
def test_a_form_without_its_sessions_token_changes_nothing(
    browser: TestClient, seeded: Clinic, store: Engine, token: dict[str, str]
) -> None:
    alert = seeded.alerts["high"]

    assert browser.post(f"/inbox/{alert}/acknowledge", data=token).status_code == 403
    assert state(store, alert) == "told"


def test_the_token_of_another_session_is_not_taken(sign_in: SignIn, seeded: Clinic, store: Engine) -> None:
    alert, mine, other = seeded.alerts["high"], sign_in(), sign_in()
    token = hidden(other.get(f"/inbox/{alert}").text, "csrf")

    assert mine.post(f"/inbox/{alert}/acknowledge", data={"csrf": token}).status_code == 403
    assert state(store, alert) == "told"


def test_our_own_forms_pass(browser: TestClient, seeded: Clinic) -> None:
    token = hidden(browser.get(f"/inbox/{seeded.alerts['high']}").text, "csrf")
    headers = {"sec-fetch-site": "same-origin", "origin": "http://testserver"}

    sent = browser.post(f"/inbox/{seeded.alerts['high']}/acknowledge", data={"csrf": token}, headers=headers)

    assert sent.status_code == 303


def test_a_foreign_host_is_refused_where_the_sites_name_is_known(sign_in: SignIn) -> None:
    client = sign_in(FERRULE_PUBLIC_URL="https://testserver")

    assert client.get("/inbox", headers={"host": "evil.example"}).status_code == 400


def test_our_own_fault_is_said_without_what_was_worked_on(
    browser: TestClient, seeded: Clinic, store: Engine
) -> None:
    with store.begin() as connection:
        connection.exec_driver_sql("alter table result rename to elsewhere")

    for accept in ("text/html", "application/json"):
        answer = browser.get(f"/inbox/{seeded.alerts['high']}", headers={"accept": accept})
        assert answer.status_code == 500
        assert "elsewhere" not in answer.text
        assert "select" not in answer.text.lower()
        assert answer.headers["content-security-policy"]
