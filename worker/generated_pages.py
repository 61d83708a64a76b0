"""The files of a checkout that are written from the code they describe, so that they cannot grow stale.

The pages of `deploy/docs/`, and the JSON Schemas that rule files and senders name. Each function gives the
whole text of one file; they are written and compared by `ferrule docs` (`worker.verbs.docs`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import typer
from prometheus_client.metrics import MetricWrapperBase
from typer.cli import get_docs_for_click

from alerts.policy import EscalationPolicy
from alerts.states import TRANSITIONS, Step, diagram
from rules.catalogue import render
from rules.load import load_ruleset
from worker import metrics
from worker.gauges import LABELS
from worker.hl7_page import hl7_page
from worker.intake.event import event_schema_text
from worker.published_schemas import asyncapi_text, openapi_text
from worker.settings import PREFIX, Settings
from worker.source_shape import SCHEMAS as SOURCE_SCHEMAS
from worker.verbs.rules import SCHEMAS
from worker.web.fhir_metadata import capability_text

NOTE = "<!-- Written by `ferrule docs` (make pages). Change the code, not this page. -->\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _default(value: Any) -> str:
    if value is None or value in ("", {}, ()):
        return ""
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    return f"`{value}`"


def settings_page() -> str:
    """Every setting with its default."""
    rows = []
    for name, field in sorted(Settings.model_fields.items()):
        default = field.get_default(call_default_factory=True, validated_data={})
        rows.append((f"`{PREFIX}{name.upper()}`", _default(default), field.description or ""))
    return (
        f"{NOTE}\n# Settings\n\n"
        "From the environment, or from a file of such lines that `FERRULE_CONFIG` names; the environment\n"
        "wins. Each `FERRULE_X` may come as `FERRULE_X_FILE`, the path of a file that holds the value (for\n"
        "secrets). An unknown or contradictory setting stops the start and names itself.\n\n"
        + _table(("setting", "default", "meaning"), rows)
    )


def _counted() -> Iterable[tuple[str, str, str, str]]:
    for declared in vars(metrics).values():
        if isinstance(declared, MetricWrapperBase):
            family = next(iter(declared.describe()))
            suffix = "_total" if family.type == "counter" else ""
            # The client library keeps the names of the labels to itself.
            labels = ", ".join(declared._labelnames)
            yield f"`{family.name}{suffix}`", family.type, labels, family.documentation


def metrics_page() -> str:
    """Every metric family: those that are counted, and those read from the database when asked."""
    rows = list(_counted())
    rows += [
        (f"`ferrule_{name}`", "gauge", ", ".join(labels), text) for name, (text, labels) in LABELS.items()
    ]
    return (
        f"{NOTE}\n# Metrics\n\n"
        "On `/metrics`. No label can hold a person: `source` is a configured name, else `other`. Gauges\n"
        "that come from the database are on the web process's page; a worker's page has its own counts.\n\n"
        + _table(("family", "type", "labels", "meaning"), sorted(rows))
    )


def states_page() -> str:
    """The diagram of an alert's states, drawn from the one table of steps, and the table."""
    rows = []
    for step in Step:
        ends: dict[str, list[str]] = {}
        for (state, taken), to in TRANSITIONS.items():
            if taken is step:
                ends.setdefault("stays" if to is state else to, []).append(state or "not yet raised")
        rows += [(f"`{step}`", ", ".join(starts), to) for to, starts in ends.items()]
    return (
        f"{NOTE}\n# States of an alert\n\n"
        "Every step is a row of its own: who, when, from, to, why. A step that the table does not have is\n"
        "refused and changes nothing.\n\n"
        f"```mermaid\n{diagram()}```\n\n" + _table(("step", "from", "to"), rows)
    )


def commands_page() -> str:
    """The help of every command, as `--help` prints it."""
    from worker.cli import app

    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="ferrule")
    text = get_docs_for_click(obj=command, ctx=context, name="ferrule", title="Commands")
    return f"{NOTE}\n{text.rstrip()}\n"


def rules_page() -> str:
    """The built-in library as a page to read."""
    return f"{NOTE}\n{render(load_ruleset(None, None), 'md').strip()}\n"


def escalation_schema_text() -> str:
    """The JSON Schema of a site's escalation policy."""
    return json.dumps(EscalationPolicy.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def interface_page() -> str:
    """The HL7 interface specification."""
    return f"{NOTE}\n{hl7_page()}"


def schema_text(name: str) -> str:
    """The JSON Schema of one kind of rule file, which its first line names for editors."""
    return json.dumps(SCHEMAS[name].model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def source_schema_text(name: str) -> str:
    """The JSON Schema of a sources or mapping file."""
    return json.dumps(SOURCE_SCHEMAS[name].model_json_schema(), indent=2, ensure_ascii=False) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "deploy/docs/settings.md": settings_page,
    "deploy/docs/metrics.md": metrics_page,
    "deploy/docs/states.md": states_page,
    "deploy/docs/cli.md": commands_page,
    "deploy/docs/hl7.md": interface_page,
    "deploy/docs/rules.md": rules_page,
    "deploy/schemas/event.schema.json": event_schema_text,
    "deploy/schemas/asyncapi.json": asyncapi_text,
    "deploy/schemas/openapi.json": openapi_text,
    "deploy/schemas/fhir-capability-statement.json": capability_text,
    "deploy/schemas/escalation.schema.json": escalation_schema_text,
    **{f"deploy/schemas/{name}.schema.json": partial(source_schema_text, name) for name in SOURCE_SCHEMAS},
    **{f"rules/schema/{name}.schema.json": partial(schema_text, name) for name in SCHEMAS},
}
"""Path from the root of a checkout → its text."""
