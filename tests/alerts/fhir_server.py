"""A FHIR R4 server on loopback that creates and updates on a condition, holds every resource to R4, and fails
as a test tells it.

It is the part of a server that the channel leans on: `If-None-Exist`, `PUT` by a search, 412 for several, and
a bearer token that may be exchanged.
"""

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fhir.resources.R4B import get_fhir_model_class

Resource = dict[str, Any]


@dataclass
class FhirServer:
    """`faults` are the answers of the next requests, before anything is done: a status, or "late" (done, and
    then the connection is cut). `asked` is every request: method, path, token.
    """

    port: int = 0
    token: str | None = None
    faults: list[int | str] = field(default_factory=list)
    retry_after: str | None = None
    resources: list[Resource] = field(default_factory=list)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def of(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource["resourceType"] == kind]

    def found(self, kind: str, search: str) -> list[Resource]:
        system, _, value = parse_qs(search)["identifier"][0].rpartition("|")
        wanted = {"system": system, "value": value}
        return [one for one in self.of(kind) if wanted in one["identifier"]]

    def create(self, resource: Resource, condition: str | None) -> int:
        there = self.found(resource["resourceType"], condition) if condition else []
        if there:
            return 200 if len(there) == 1 else 412
        self.resources.append({**resource, "id": str(next(self.numbers))})
        return 201

    def update(self, resource: Resource, search: str) -> int:
        there = self.found(resource["resourceType"], search)
        if len(there) > 1:
            return 412
        if not there:
            return self.create(resource, None)
        self.resources[self.resources.index(there[0])] = {**resource, "id": there[0]["id"]}
        return 200


def _handler(server: FhirServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kind = urlsplit(self.path).path.removeprefix("/fhir/")
            self._do(kind, lambda resource: server.create(resource, self.headers["If-None-Exist"]))

        def do_PUT(self) -> None:
            asked = urlsplit(self.path)
            kind = asked.path.removeprefix("/fhir/")
            self._do(kind, lambda resource: server.update(resource, asked.query))

        def _do(self, kind: str, act: Any) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            token = (self.headers["Authorization"] or "").removeprefix("Bearer ") or None
            with server.lock:
                server.asked.append((self.command, self.path, token))
                fault = server.faults.pop(0) if server.faults else None
                if isinstance(fault, int):
                    return self._answer(fault)
                if server.token is not None and token != server.token:
                    return self._answer(401)
                resource = json.loads(body)
                get_fhir_model_class(kind).model_validate(resource)
                status = act(resource)
            if fault == "late":
                self.connection.close()
                return None
            return self._answer(status)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status in (429, 503) and server.retry_after:
                self.send_header("Retry-After", server.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    return Handler


@contextmanager
def fhir_server() -> Iterator[FhirServer]:
    """A server with nothing in it."""
    running = FhirServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(running)) as listening:
        running.port = listening.server_port
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running
        listening.shutdown()
        thread.join(5)
