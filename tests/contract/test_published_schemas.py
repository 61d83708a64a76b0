"""The published documents: valid by other people's tools, and true of what the doors take."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rules.load import load_ruleset
from tests.services.kinds import on_path
from tests.services.npm import packages
from worker.intake.event import parse_event
from worker.published_schemas import PROGRAMS, asyncapi_text, openapi_text
from worker.quarantine_reasons import QuarantineReason
from worker.submitted import inbound_of, inbound_of_bytes
from worker.web import examples
from worker.web.bodies import KINDS
from worker.web.cloudevents import EXAMPLE
from worker.web.silent_findings import Judging
from worker.web.storms import Decision

HERE = Path(__file__).parent / "asyncapi"


@pytest.fixture(scope="module")
def parser(pytestconfig: pytest.Config) -> Path:
    """AsyncAPI's own parser, fetched once and kept between runs."""
    return packages(pytestconfig, HERE, "AsyncAPI's parser")


def checked(parser: Path, document: str) -> dict[str, Any]:
    command = [str(on_path("node")), str(HERE / "check.mjs"), str(parser)]
    done = subprocess.run(command, input=document, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_asyncapis_own_parser_has_nothing_against_the_document(parser: Path) -> None:
    assert checked(parser, asyncapi_text()) == {"read": True, "errors": []}


def test_the_parser_finds_what_is_wrong(parser: Path) -> None:
    broken = json.loads(asyncapi_text())
    del broken["info"]["version"]
    assert checked(parser, json.dumps(broken))["errors"]


def test_the_examples_are_events_that_the_doors_take() -> None:
    channels = json.loads(asyncapi_text())["channels"]
    [[task], _, _] = channels["celeryTask"]["messages"]["submit"]["examples"][0]["payload"]
    entry = channels["redisStream"]["messages"]["entry"]["examples"][0]["payload"]["event"]
    assert inbound_of(task).unreadable is None
    assert inbound_of_bytes(entry.encode()).unreadable is None
    assert parse_event(json.dumps(EXAMPLE).encode()).report.results


def test_openapi_names_every_path_of_programs_and_no_page() -> None:
    document = json.loads(openapi_text())
    assert {"/events", "/api/alerts", "/api/storms", "/healthz"} <= document["paths"].keys()
    assert all(path.startswith(PROGRAMS) for path in document["paths"])
    posted = document["paths"]["/events"]["post"]
    assert {"application/cloudevents+json", "application/json"} <= posted["requestBody"]["content"].keys()
    assert posted["security"] == [{"bearer": []}]


def test_every_reference_in_openapi_leads_somewhere() -> None:
    document = json.loads(openapi_text())
    names = set(document["components"]["schemas"])
    text = json.dumps(document)
    referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred <= names


def examples_of(document: dict[str, Any], content: dict[str, Any]) -> list[Any]:
    """The examples of one media type: beside its schema, or in the schema it refers to."""
    found = [content["example"]] if "example" in content else []
    schema = content.get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return found + document["components"]["schemas"].get(name, schema).get("examples", [])


def contents() -> list[tuple[str, dict[str, Any]]]:
    """Each body that an operation takes and each 2xx answer it gives, with whose it is."""
    found = []
    for path, methods in json.loads(openapi_text())["paths"].items():
        for method, operation in methods.items():
            bodies = [operation["requestBody"]] if "requestBody" in operation else []
            answers = [said for code, said in operation["responses"].items() if code.startswith("2")]
            assert answers, f"{method} {path}"
            found += [(f"{method} {path}", body.get("content", {})) for body in bodies + answers]
    return found


def test_every_operation_shows_an_example_of_what_it_takes_and_of_what_it_answers() -> None:
    document = json.loads(openapi_text())
    bare = [
        whose
        for whose, content in contents()
        if not content or not all(examples_of(document, one) for one in content.values())
    ]
    assert bare == []


@pytest.mark.parametrize("model", [*KINDS.values(), Decision, Judging])
def test_the_example_of_a_body_is_one_that_is_taken(model: type[BaseModel]) -> None:
    (example,) = model.model_json_schema()["examples"]
    assert model.model_validate_json(json.dumps(example)).model_fields_set == example.keys()


def test_the_examples_name_rules_sources_and_reasons_that_there_are() -> None:
    ruleset = load_ruleset()
    shown = [examples.AN_ALERT, *examples.OVERDUE["items"], *examples.UNADDRESSED["items"]]
    shown += [*examples.GOVERNANCE["rules"], *examples.GOVERNANCE["silent"]]
    assert {one["rule"] for one in shown} <= ruleset.rules.keys()
    assert set(examples.AN_ALERT["sources"]) <= ruleset.sources.keys()
    waiting = [*examples.QUARANTINE["heaps"], *examples.QUARANTINE["items"]]
    assert {one["reason"] for one in waiting} <= set(QuarantineReason)
