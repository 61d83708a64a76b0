"""GET /fhir/metadata, held to FHIR models that others wrote; so are the examples we publish."""

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.observation import Observation

from worker.intake.fhir_resources import DOORS
from worker.web.fhir_examples import OBSERVATION, TRANSACTION
from worker.web.fhir_metadata import ALERTS, capability_statement


def test_the_capability_statement_is_valid_and_names_every_door() -> None:
    statement = capability_statement()
    CapabilityStatement.model_validate(statement)
    (rest,) = statement["rest"]
    assert {one["type"] for one in rest["resource"]} == {*DOORS, *ALERTS}
    for one in rest["resource"]:
        can = ["read", "search-type"] if one["type"] in ALERTS else ["create", "update"]
        assert [inter["code"] for inter in one["interaction"]] == can


def test_the_published_examples_are_valid() -> None:
    Observation.model_validate(OBSERVATION)
    Bundle.model_validate(TRANSACTION)
