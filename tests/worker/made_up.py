"""Made-up events for the worker's tests: a patient, some results, and the doors they come in by."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from rules.load import load_ruleset
from worker.accepting import Inbound
from worker.composition import Deps, sources_of, unheard
from worker.settings import read_settings

NORTH = "urn:lab:north"
RULE = "b12-high-iron-deficient-unexplained"
LOINC = {"ferritin": ("2276-4", "ng/mL"), "b12": ("2132-9", "pg/mL"), "crp": ("1988-5", "mg/L")}


def result(id: str, analyte: str, value: str, status: str = "final", hours_ago: float = 2) -> dict[str, Any]:
    at = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
    code, unit = LOINC[analyte]
    return {
        "id": id,
        "code": code,
        "system": "http://loinc.org",
        "value": value,
        "unit": unit,
        "status": status,
        "effective_at": at,
        "issued_at": at,
    }


def event(
    id: str, results: Sequence[Mapping[str, Any]] = (), patient: str = "P1", **data: Any
) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "org.ferrule.report.v1",
        "source": NORTH,
        "id": id,
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "patient": {
                "system": "urn:mrn:north",
                "id": patient,
                "birth_date": "1980-02-03",
                "sex": "female",
            },
            "orderer": {"system": "http://hl7.org/fhir/sid/us-npi", "id": "1234567893"},
            "results": list(results),
            **data,
        },
    }


def inbound(event: Mapping[str, Any]) -> Inbound:
    return Inbound(str(event["source"]), str(event["id"]), "event", json.dumps(event).encode())


RULESET = load_ruleset()


def deps_on(engine: Engine, **settings: str) -> Deps:
    """What the use cases work with, on a test's database; settings by name, as in the environment."""
    given = {f"FERRULE_{name.upper()}": value for name, value in settings.items()}
    read = read_settings(given)
    return Deps(engine, RULESET, read, unheard, sources=sources_of(read))
