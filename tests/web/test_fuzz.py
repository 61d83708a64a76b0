"""An HTTP fuzzer (schemathesis) on our OpenAPI document, and on the forms of the pages: no answer is a 500.

Short and the same each time in `make test`; long and random as a fault run. What is right or wrong in an
answer the other tests say; here nothing may break, and no refusal may show our insides (S31).
"""

import json
import re
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from sqlalchemy import Engine, insert

from tests.web import clinic
from tests.web.clinic import Clinic
from tests.web.conftest import SignIn
from tests.web.test_doors import routes_of
from worker.composition import Deps
from worker.database import writing
from worker.published_schemas import openapi_text
from worker.tables import ACCOUNT
from worker.web.app import create_app

LEFT_OUT = {"/api/stream", "/logout", "/login", "/metrics"}
"""Endless; ends the session that asks; waits a quarter of an hour after five tries; this machine's alone."""
INSIDES = re.compile(r"Traceback|sqlalchemy|psycopg|sqlite3|\.py\b|select .+ from |File \"", re.IGNORECASE)
ROLES = ("clinician", "operator", "rule-owner", "privacy-officer", "intake")


def api() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(openapi_text())
    return document


def pages(app: FastAPI) -> dict[str, Any]:
    """The same for the pages, which the published document leaves out."""
    named = api()["paths"]
    for route in routes_of(app):
        route.include_in_schema = route.path not in named
    app.openapi_schema = None
    document: dict[str, Any] = app.openapi()
    return document


@pytest.fixture
def client_of(store: Engine, seeded: Clinic, sign_in: SignIn, deps: Deps) -> Callable[[str], TestClient]:
    """A browser or a program of each role."""

    def made(role: str) -> TestClient:
        if role == "intake":
            client = sign_in()
            client.cookies.clear()
            client.headers["authorization"] = f"Bearer {clinic.INTAKE_TOKEN}"
            return client
        if role != "clinician":
            with writing(store) as connection:
                account = {"username": role, "password_hash": clinic.hashed(), "name": role, "role": role}
                connection.execute(insert(ACCOUNT).values(**account, active=True, created_at=seeded.now))
        return sign_in("example" if role == "clinician" else role)

    return made


def csrf_of(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]*)"', client.get("/", follow_redirects=True).text)
    return found[1] if found else ""


def attack(client: TestClient, document: dict[str, Any], examples: int, *, same: bool) -> dict[str, int]:
    """Send what the fuzzer makes of each operation; how many answers of each class there were."""
    csrf, seen, turn = csrf_of(client), dict[str, int](), count()

    def send(case: Case) -> None:
        if next(turn) % 2:
            case.path_parameters = {
                n: 1 if n in NUMBERS else v for n, v in (case.path_parameters or {}).items()
            }
        if isinstance(case.body, dict) and "csrf" in json.dumps(case.operation.definition.raw, default=str):
            case.body["csrf"] = csrf
        sent = case.as_transport_kwargs(base_url=str(client.base_url))
        sent.pop("cookies", None)
        headers = {k: v for k, v in dict(sent.pop("headers")).items() if k.lower() not in AS_THEY_ARE}
        known = {"method", "url", "params", "data", "json", "files"}
        extra = {k: v for k, v in sent.items() if k in known}
        if isinstance(extra.get("data"), bytes | str):
            extra["content"] = extra.pop("data")
        try:
            answer = client.request(**extra, headers=headers)
        except (UnicodeError, ValueError):
            return  # nothing that goes over a wire
        name = f"{answer.status_code // 100}xx"
        seen[name] = seen.get(name, 0) + 1
        assert answer.status_code < 500, f"{case.method} {case.path}: {answer.status_code}"
        if answer.status_code >= 400:
            assert not INSIDES.search(answer.text), f"{case.method} {case.path}: {answer.text[:300]}"

    schema = schemathesis.openapi.from_dict(document)
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in LEFT_OUT:
            continue
        for mode in GenerationMode:
            kept = settings(max_examples=examples, derandomize=same, **QUICK)
            try:
                kept(given(case=operation.as_strategy(generation_mode=mode))(send))()
            except Unsatisfiable:
                continue  # nothing of this operation can be wrong
    return seen


NUMBERS = {"alert", "item", "storm", "opening", "cover", "delivery"}
"""Numbers in paths: every other call takes one that is there."""
QUICK: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
AS_THEY_ARE = {"cookie", "authorization", "user-agent", "accept-encoding", "host", "content-length"}


@pytest.mark.parametrize("role", ["clinician", "operator", "intake"])
def test_no_call_of_the_api_ends_in_a_500(client_of: Callable[[str], TestClient], role: str) -> None:
    seen = attack(client_of(role), api(), 1, same=True)
    assert min(seen["2xx"], seen["4xx"]) > 0


@pytest.mark.parametrize("role", ["clinician", "operator"])
def test_no_page_ends_in_a_500(client_of: Callable[[str], TestClient], deps: Deps, role: str) -> None:
    seen = attack(client_of(role), pages(create_app(deps)), 1, same=True)
    assert min(seen["2xx"], seen["4xx"]) > 0


@pytest.mark.faults
@pytest.mark.parametrize("role", ROLES)
def test_no_call_and_no_page_ends_in_a_500_in_a_long_random_run(
    client_of: Callable[[str], TestClient], deps: Deps, role: str
) -> None:
    client = client_of(role)
    for document in (api(), pages(create_app(deps))):
        attack(client, document, 40, same=False)


@pytest.mark.parametrize("path", ["/calls/{}", "/cover/{}/end", "/storms/{}/void", "/unaddressed/{}"])
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_a_number_that_no_database_takes_is_no_page(
    client_of: Callable[[str], TestClient], path: str, number: int
) -> None:
    """What the fuzzer found: OverflowError on SQLite."""
    client = client_of("clinician" if path.startswith("/cover") else "operator")
    sent = {"csrf": csrf_of(client), "because": "x", "to": "a|b"}
    assert client.post(path.format(number), data=sent).status_code == 404
