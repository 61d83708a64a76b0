"""The documents that other people's programs are written against: OpenAPI for HTTP, AsyncAPI for the queue.

Made from the code they describe; written and compared by `ferrule docs`. Nothing is served from here.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import create_engine

from rules.load import load_ruleset
from worker.celery_app import INTAKE
from worker.composition import Deps, unheard
from worker.event_stream import GROUP, STREAM
from worker.intake.event import event_schema
from worker.settings import read_settings
from worker.web.app import create_app
from worker.web.cloudevents import EXAMPLE

VERSION = "1"
BEARER = "A token of `ferrule token create`, or the cookie of a session."
PROGRAMS = ("/events", "/fhir", "/api/", "/cds-services", "/healthz", "/readyz", "/metrics")
"""Paths that programs call. The pages are for people, and change."""
OPEN_PATHS = ("/healthz", "/readyz", "/metrics")


def openapi_text() -> str:
    """OpenAPI 3.1 of what programs may call."""
    deps = Deps(create_engine("sqlite://"), load_ruleset(), read_settings({}), unheard)
    document = create_app(deps).openapi()
    document["info"] = {
        "title": "Ferrule",
        "version": VERSION,
        "description": "Laboratory results in, alerts out. Events: deploy/schemas/event.schema.json.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    document["paths"] = {
        path: _secured(path, methods)
        for path, methods in sorted(document["paths"].items())
        if path.startswith(PROGRAMS)
    }
    schemes = {"bearer": {"type": "http", "scheme": "bearer", "description": BEARER}}
    document.setdefault("components", {})["securitySchemes"] = schemes
    document["components"]["schemas"] = _used(document)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def asyncapi_text() -> str:
    """AsyncAPI 3.0 of the two doors on the queue: a Celery task and a Redis stream."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ferrule: events by the queue",
            "version": VERSION,
            "description": "An event put here is accepted when it is stored, which is the first thing that "
            "happens to it; until then it lives in the broker.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {"celeryTask": _task_channel(), "redisStream": _stream_channel()},
        "operations": {
            "receiveTask": {"action": "receive", "channel": {"$ref": "#/channels/celeryTask"}},
            "receiveStreamEntry": {"action": "receive", "channel": {"$ref": "#/channels/redisStream"}},
        },
        "components": {"schemas": {"event": _for_asyncapi(event_schema())}},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _task_channel() -> dict[str, Any]:
    arguments = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/event"},
        "minItems": 1,
        "maxItems": 1,
    }
    rest = [{"type": "object"}, {"type": "object"}]
    body = {
        "type": "array",
        "description": "Celery's protocol 2: arguments, keyword arguments, embedded. Written by "
        f'celery_app.send_task("ferrule.submit", args=[event], queue="{INTAKE}", serializer="json", '
        "ignore_result=True).",
        "items": [arguments, *rest],
    }
    example = {"name": "task", "payload": [[EXAMPLE], {}, {"callbacks": None, "errbacks": None}]}
    return {
        "address": INTAKE,
        "title": "Celery task ferrule.submit",
        "messages": {"submit": {"name": "ferrule.submit", "payload": body, "examples": [example]}},
    }


def _stream_channel() -> dict[str, Any]:
    fields = {
        "type": "object",
        "required": ["event"],
        "properties": {
            "event": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/event"},
                "description": "The event as JSON text in UTF-8.",
            }
        },
    }
    example = {"name": "entry", "payload": {"event": json.dumps(EXAMPLE)}}
    return {
        "address": STREAM,
        "title": f"Redis stream {STREAM}",
        "description": f"XADD {STREAM} * event <json>. Read by the consumer group `{GROUP}`; an entry is "
        "acknowledged and deleted after the commit.",
        "messages": {"entry": {"name": "entry", "payload": fields, "examples": [example]}},
    }


def _for_asyncapi(schema: dict[str, Any]) -> dict[str, Any]:
    """The event's schema with its definitions where they now lie."""
    text = json.dumps(schema).replace("#/$defs/", "#/components/schemas/event/$defs/")
    moved: dict[str, Any] = json.loads(text)
    moved.pop("$schema", None)
    return moved


def _secured(path: str, methods: dict[str, Any]) -> dict[str, Any]:
    if path.startswith(OPEN_PATHS):
        return methods
    return {name: {**method, "security": [{"bearer": []}]} for name, method in methods.items()}


def _used(document: dict[str, Any]) -> dict[str, Any]:
    """The schemas that a path needs, directly or by another schema."""
    schemas = document["components"].get("schemas", {})
    text, kept = json.dumps(document["paths"]), dict[str, Any]()
    while more := {n: s for n, s in schemas.items() if n not in kept and f'schemas/{n}"' in text}:
        kept |= more
        text = json.dumps(more)
    return dict(sorted(kept.items()))
