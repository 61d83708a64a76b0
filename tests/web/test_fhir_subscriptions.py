"""Subscription notifications (R4 Backport): numbered events; what is missing is found and fetched."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from tests.services.schema import open_engine
from tests.web import clinic
from tests.worker.intake.fhir_examples import observation, raw
from worker import clock
from worker.composition import Deps
from worker.fhir_fetching import gaps_due
from worker.pipeline import judge
from worker.settings import read_settings
from worker.tables import FHIR_GAP, FHIR_SUBSCRIPTION, MESSAGE, RESULT, TOKEN
from worker.web.sessions import digest

SOURCE = "urn:ehr:north"
PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"
ADDRESS = "https://ehr.example/fhir/Subscription/s1"


@pytest.fixture
def store(database_url: str) -> Iterator[Engine]:
    """Both databases: the numbering is kept in them."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def seeded(store: Engine) -> None:
    """One token."""
    row = {"secret_sha256": digest(clinic.INTAKE_TOKEN), "role": "intake", "label": SOURCE}
    with store.begin() as connection:
        connection.execute(TOKEN.insert().values(row | {"created_at": clock.now()}))


def notification(kind: str, so_far: int, *numbers: int, content: str = "full-resource") -> dict[str, Any]:
    """A notification of these events; each is about an Observation of its number."""
    parameters: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": ADDRESS}},
        {"name": "status", "valueCode": "active"},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(so_far)},
    ]
    entries: list[dict[str, Any]] = []
    for number in numbers:
        focus = f"https://ehr.example/fhir/Observation/o{number}"
        part: list[dict[str, Any]] = [{"name": "event-number", "valueString": str(number)}]
        if content != "empty":
            part.append({"name": "focus", "valueReference": {"reference": focus}})
        parameters.append({"name": "notification-event", "part": part})
        if content == "full-resource":
            about = observation(f"{number}", id=f"o{number}", identifier=None)
            request = {"method": "PUT", "url": f"Observation/o{number}"}
            entries.append({"fullUrl": focus, "resource": about, "request": request})
    status = {"resourceType": "Parameters", "meta": {"profile": [PROFILE]}, "parameter": parameters}
    return {"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}, *entries]}


@pytest.fixture
def notify(visitor: TestClient) -> Callable[..., None]:
    """Sends a notification."""

    def send(*args: Any, **more: Any) -> None:
        headers = {
            "authorization": f"Bearer {clinic.INTAKE_TOKEN}",
            "content-type": "application/fhir+json",
            "accept": "application/fhir+json",
        }
        answer = visitor.post("/fhir", content=raw(notification(*args, **more)), headers=headers)
        assert answer.status_code == 200, answer.text

    return send


def open_gaps(store: Engine) -> list[int]:
    with store.connect() as connection:
        asked = select(FHIR_GAP.c.number).where(FHIR_GAP.c.closed_at.is_(None)).order_by(FHIR_GAP.c.number)
        return list(connection.scalars(asked))


def values(deps: Deps) -> list[str]:
    """Every reported value, after judging all there is."""
    with deps.engine.connect() as connection:
        ids = list(connection.scalars(select(MESSAGE.c.id)))
    judge(deps, ids)
    with deps.engine.connect() as connection:
        assert set(connection.scalars(select(MESSAGE.c.state))) <= {"judged"}
        return sorted(connection.scalars(select(RESULT.c.reported_value)))


def test_events_in_order_leave_no_gap_and_are_judged(notify: Any, store: Engine, deps: Deps) -> None:
    notify("handshake", 0)
    notify("event-notification", 1, 1)
    notify("event-notification", 3, 2, 3)
    notify("heartbeat", 3)
    assert open_gaps(store) == []
    assert values(deps) == ["1", "2", "3"]


def test_a_missing_number_is_found_and_closed_when_it_comes_late(notify: Any, store: Engine) -> None:
    notify("handshake", 0)
    notify("event-notification", 4, 4)
    assert open_gaps(store) == [1, 2, 3]
    notify("event-notification", 4, 2)
    assert open_gaps(store) == [1, 3]
    with store.connect() as connection:
        assert connection.execute(select(FHIR_SUBSCRIPTION.c.newest)).scalar_one() == 4


def test_a_heartbeat_tells_of_events_that_never_came(notify: Any, store: Engine) -> None:
    notify("event-notification", 1, 1)
    notify("heartbeat", 3)
    assert open_gaps(store) == [2, 3]


@pytest.mark.parametrize("content", ["id-only", "empty"])
def test_an_event_without_its_resource_is_missing(notify: Any, store: Engine, content: str) -> None:
    notify("event-notification", 1, 1, content=content)
    assert open_gaps(store) == [1]


class Server(ThreadingHTTPServer):
    """A FHIR server that answers `$events`, or only reads by id."""

    def __init__(self, *, knows_events: bool) -> None:
        self.knows_events = knows_events
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Asked)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/r4"


class Asked(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        found: bytes | None = None
        if "/$events?" in self.path and self.server.knows_events:
            found = raw(notification("query-event", 3, 2, 3))
        elif "/Observation/o" in self.path:
            number = self.path.rpartition("o")[2]
            found = raw(observation(number, id=f"o{number}", identifier=None))
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server_of() -> Iterator[Callable[[bool], Server]]:
    running: list[Server] = []

    def start(knows_events: bool) -> Server:
        running.append(Server(knows_events=knows_events))
        Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield start
    for one in running:
        one.shutdown()
        one.server_close()


def fetching(deps: Deps, server: Server) -> Deps:
    servers = json.dumps({SOURCE: {"base": server.base}})
    given = {"FERRULE_FHIR_SERVERS": servers, "FERRULE_PRIVATE_HOSTS": "127.0.0.1"}
    return replace(deps, settings=read_settings(given))


def test_what_is_missing_is_fetched_by_its_numbers(
    notify: Any, store: Engine, deps: Deps, server_of: Callable[[bool], Server]
) -> None:
    server = server_of(True)
    notify("event-notification", 1, 1)
    notify("heartbeat", 3)
    assert gaps_due(fetching(deps, server))
    assert open_gaps(store) == []
    assert server.asked[0].startswith("/r4/Subscription/s1/$events?eventsSinceNumber=2&eventsUntilNumber=3")
    assert values(deps) == ["1", "2", "3"]
    assert not gaps_due(fetching(deps, server))


def test_what_a_server_cannot_query_is_fetched_by_id(
    notify: Any, store: Engine, deps: Deps, server_of: Callable[[bool], Server]
) -> None:
    server = server_of(False)
    notify("event-notification", 2, 1, 2, content="id-only")
    assert gaps_due(fetching(deps, server))
    assert open_gaps(store) == []
    assert values(deps) == ["1", "2"]


def test_what_cannot_be_fetched_stays_missing_and_is_tried_later(
    notify: Any, store: Engine, deps: Deps, server_of: Callable[[bool], Server]
) -> None:
    notify("event-notification", 1, 1, content="empty")
    there = fetching(deps, server_of(False))
    assert gaps_due(there)
    assert not gaps_due(there), "not before a pause has passed"
    assert open_gaps(store) == [1]


def test_nothing_is_fetched_from_an_address_in_a_notification(notify: Any, deps: Deps) -> None:
    notify("event-notification", 1, 1, content="id-only")
    assert not gaps_due(deps)
