"""Who may open which door: every route without a log-in, and each role at each door."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute, Mount

from tests.web import clinic
from worker.composition import Deps
from worker.web.app import create_app

OPEN = {"/healthz", "/readyz", "/login"}
LOCAL = {"/metrics"}


def routes_of(app: FastAPI) -> Iterator[APIRoute]:
    """Every route, those of included routers too."""
    waiting: list[BaseRoute] = list(app.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            yield route
        elif not isinstance(route, Mount):
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            waiting.extend(inner.routes if inner else ())


def every_door(deps: Deps) -> list[tuple[str, str]]:
    doors = [(m, r.path) for r in routes_of(create_app(deps)) for m in r.methods]
    assert len(doors) > 15
    return doors


def test_every_route_but_the_open_ones_needs_a_log_in(deps: Deps, visitor: TestClient) -> None:
    for method, path in every_door(deps):
        if path in OPEN | LOCAL | {"/"}:
            continue
        asked = path.replace("{alert}", "1").replace("{step}", "acknowledge")
        assert visitor.request(method, asked).status_code == 401, f"{method} {path}"


def test_without_a_log_in_programs_are_told_so_in_json(visitor: TestClient) -> None:
    answer = visitor.get("/api/alerts", headers={"accept": "application/json"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"detail": "not signed in"}


def test_metrics_are_for_this_machine_alone(seeded: object, open_door: Callable[..., TestClient]) -> None:
    here, elsewhere = open_door(address="127.0.0.1"), open_door(address="10.0.0.9")

    assert "# HELP ferrule_alerts_open" in here.get("/metrics").text
    assert elsewhere.get("/metrics").status_code == 404
    proxied = here.get("/metrics", headers={"x-forwarded-for": "10.0.0.9"})
    assert proxied.status_code == 404, "a proxy on this machine must not open the door to everyone"


def test_health_says_nothing_but_health(visitor: TestClient) -> None:
    assert visitor.get("/healthz").json() == {"status": "ok"}
    assert visitor.get("/readyz").json() == {"status": "ok"}


def test_it_is_not_ready_without_its_database(
    store: object, open_door: Callable[..., TestClient], deps: Deps
) -> None:
    client = open_door()
    with deps.engine.begin() as connection:
        connection.exec_driver_sql("alter table patient rename to elsewhere")

    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("secret", "path", "status"),
    [
        (clinic.CLINICIAN_TOKEN, "/api/alerts", 200),
        (clinic.INTAKE_TOKEN, "/api/alerts", 403),
        (clinic.OPERATOR_TOKEN, "/api/alerts", 403),
        (clinic.OPERATOR_TOKEN, "/inbox", 403),
        ("not a token", "/api/alerts", 401),
    ],
)
def test_a_token_opens_the_doors_of_its_role_alone(
    visitor: TestClient, secret: str, path: str, status: int
) -> None:
    assert visitor.get(path, headers={"authorization": f"Bearer {secret}"}).status_code == status


def test_there_is_no_documentation_page_and_no_other_method(visitor: TestClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert visitor.get(path).status_code == 404
    assert visitor.request("TRACE", "/healthz").status_code == 405
    assert visitor.delete("/healthz").status_code == 405
