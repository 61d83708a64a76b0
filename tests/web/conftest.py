"""The made-up clinic in a database, the app on it, and browsers that are signed in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from rules.load import load_ruleset
from rules.ruleset import Ruleset
from tests.services.schema import open_engine
from tests.web import clinic
from tests.web.clinic import Clinic
from worker.composition import Deps
from worker.settings import read_settings
from worker.web.app import create_app

SignIn = Callable[..., TestClient]


@pytest.fixture(scope="session")
def ruleset() -> Ruleset:
    """The library's rules."""
    return load_ruleset()


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Engine]:
    """A fresh SQLite database; `engine` is for what both databases must do."""
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def seeded(store: Engine) -> Clinic:
    """The clinic's rows."""
    return clinic.seed(store)


@pytest.fixture
def rung() -> list[int]:
    """The message ids the doorbell was rung for."""
    return []


@pytest.fixture
def deps(store: Engine, ruleset: Ruleset, rung: list[int]) -> Deps:
    """What the app is built from: local accounts on."""

    def ring(ids: Sequence[int]) -> bool:
        rung.extend(ids)
        return True

    settings = read_settings({"FERRULE_LOCAL_ACCOUNTS": "on"})
    return Deps(engine=store, ruleset=ruleset, settings=settings, publish=ring)


@pytest.fixture
def open_door(deps: Deps) -> Iterator[Callable[..., TestClient]]:
    """Makes clients of the app; `settings` are changed where a test says so."""
    clients: list[TestClient] = []

    def make(*, address: str = "10.0.0.9", **environ: str) -> TestClient:
        settings = read_settings({"FERRULE_LOCAL_ACCOUNTS": "on", **environ})
        app = create_app(replace(deps, settings=settings))
        base = "https://testserver" if settings.links_to.startswith("https://") else "http://testserver"
        clients.append(
            TestClient(
                app,
                base_url=base,
                client=(address, 50000),
                follow_redirects=False,
                raise_server_exceptions=False,
                headers={"accept": "text/html"},
            )
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def visitor(seeded: Clinic, open_door: Callable[..., TestClient]) -> TestClient:
    """A browser nobody has signed in with."""
    return open_door()


@pytest.fixture
def sign_in(seeded: Clinic, open_door: Callable[..., TestClient]) -> SignIn:
    """A browser in which a clinician has signed in."""

    def signed_in(username: str = "example", **environ: str) -> TestClient:
        client = open_door(**environ)
        answer = client.post("/login", data={"username": username, "password": clinic.PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    return signed_in


@pytest.fixture
def browser(sign_in: SignIn) -> TestClient:
    """Dr. Example's browser."""
    return sign_in()
