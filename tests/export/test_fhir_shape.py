"""Every resource of the export has the elements that FHIR R4 gives its type, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from rules.export_cql import export
from rules.export_fhir import resources
from rules.load import load_ruleset
from tests.services.cql import Cql

SPACE = "{urn:hl7-org:elm-modelinfo:r1}"
KIND = "{http://www.w3.org/2001/XMLSchema-instance}type"
REQUIRED = {"Library": {"status", "type"}, "PlanDefinition": {"status"}}

Types = Mapping[str, Mapping[str, str]]


def _types(cql: Cql) -> Types:
    """The elements of each FHIR type, with their types, as the reference engine's own model has them."""
    path = cql.folder / "node_modules/cql-exec-fhir/lib/modelInfos/fhir-modelinfo-4.0.1.xml"
    infos = {f"FHIR.{i.get('name')}": i for i in Xml.parse(path).getroot().iter(f"{SPACE}typeInfo")}
    own = {name: dict(_elements(info)) for name, info in infos.items()}
    return {name: _inherited(name, infos, own) for name in infos}


def _elements(info: Xml.Element) -> Iterator[tuple[str, str]]:
    for element in info.findall(f"{SPACE}element"):
        inner = element.find(f"{SPACE}elementTypeSpecifier")
        one = element.get("elementType") or (inner.get("elementType") if inner is not None else None)
        yield str(element.get("name")), one or "choice"


def _inherited(name: str, infos: Mapping[str, Xml.Element], own: Types) -> dict[str, str]:
    base = infos[name].get("baseType", "")
    return {**(_inherited(base, infos, own) if base in infos else {}), **own[name]}


def _strangers(value: Any, kind: str, types: Types, place: str) -> Iterator[str]:
    """The places where a value has an element that its type does not have."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            for key, inner in item.items():
                if key == "resourceType":
                    continue
                if key not in types[kind]:
                    yield f"{place}.{key}: no such element of {kind}"
                elif types[kind][key] != "choice":
                    yield from _strangers(inner, types[kind][key], types, f"{place}.{key}")


def test_every_element_is_one_of_fhir_r4(cql: Cql) -> None:
    ruleset, types = load_ruleset(), _types(cql)
    for name, resource in resources(ruleset, export(ruleset)).items():
        kind = resource["resourceType"]
        assert REQUIRED[kind] <= resource.keys()
        assert list(_strangers(resource, f"FHIR.{kind}", types, name)) == []


def test_a_wrong_element_would_be_seen(cql: Cql) -> None:
    wrong = {"resourceType": "Library", "content": [{"contentKind": "text/cql"}]}
    assert list(_strangers(wrong, "FHIR.Library", _types(cql), "Library"))
