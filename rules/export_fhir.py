"""The exported rules as FHIR R4 resources: a Library for each CQL library, a PlanDefinition for each rule.

Nothing is decided here: the CQL is that of `rules.export_cql`; a PlanDefinition says what applies when.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rules.export_cql import SHARED, Export, library_name, library_version
from rules.export_text import worded
from rules.findings import RuleStatus, Severity
from rules.rule import Rule
from rules.ruleset import Ruleset

Resource = dict[str, Any]
BASE = "https://ferrule.example/fhir"
_STATUS = {RuleStatus.ACTIVE: "active", RuleStatus.RETIRED: "retired"}
_PRIORITY = {
    Severity.CRITICAL: "stat",
    Severity.HIGH: "urgent",
    Severity.MODERATE: "routine",
    Severity.LOW: "routine",
}
_LIBRARY_TYPE = "http://terminology.hl7.org/CodeSystem/library-type"
_PLAN_TYPE = "http://terminology.hl7.org/CodeSystem/plan-definition-type"


def resources(ruleset: Ruleset, export: Export, base: str = BASE) -> Mapping[str, Resource]:
    """Each resource by its name, `Library-…` and `PlanDefinition-…`; their addresses start with `base`."""
    found: dict[str, Resource] = {}
    for name, text in export.libraries.items():
        found[f"Library-{name}"] = _library(name, text, export, base)
    for rule_id in export.rules:
        found[f"PlanDefinition-{rule_id}"] = _plan(ruleset.rules[rule_id], ruleset, export, base)
        told = {
            "status": _status(ruleset.rules[rule_id]),
            "description": worded(ruleset.rules[rule_id].headline),
        }
        found[f"Library-{export.rules[rule_id]}"] |= told
    return found


def _library(name: str, text: str, export: Export, base: str) -> Resource:
    others = [other for other in export.needed_by(name) if other != name]
    return {
        "resourceType": "Library",
        "id": name,
        "url": f"{base}/Library/{name}",
        "version": library_version(text),
        "name": name,
        "title": "What Ferrule's rules share" if name in SHARED else name,
        "status": "active",
        "type": {"coding": [{"system": _LIBRARY_TYPE, "code": "logic-library"}]},
        **_related([_needed(other, export, base) for other in others]),
        "parameter": [{"name": "AsOf", "use": "in", "min": 0, "max": "1", "type": "dateTime"}],
        "content": [{"contentType": "text/cql", "data": b64encode(text.encode()).decode()}],
    }


def _needed(name: str, export: Export, base: str) -> Resource:
    return {"type": "depends-on", "resource": _canonical(name, export, base)}


def _canonical(name: str, export: Export, base: str) -> str:
    return f"{base}/Library/{name}|{library_version(export.libraries[name])}"


def _related(artifacts: list[Resource]) -> Resource:
    """No key at all for an empty list: FHIR has none."""
    return {"relatedArtifact": artifacts} if artifacts else {}


def _plan(rule: Rule, ruleset: Ruleset, export: Export, base: str) -> Resource:
    name = library_name(rule.id)
    citations = [
        {"type": "citation", "citation": ruleset.sources[s].citation}
        for s in rule.sources
        if s in ruleset.sources
    ]
    return {
        "resourceType": "PlanDefinition",
        "id": rule.id,
        "url": f"{base}/PlanDefinition/{rule.id}",
        "version": library_version(export.libraries[name]),
        "name": name,
        "title": worded(rule.headline),
        "type": {"coding": [{"system": _PLAN_TYPE, "code": "eca-rule"}]},
        "status": _status(rule),
        "description": rule.rationale.strip() or worded(rule.headline),
        **_related(citations),
        "library": [_canonical(name, export, base)],
        "action": [_action(rule, severity) for severity in sorted(_severities(rule), key=lambda s: s.rank)],
    }


def _severities(rule: Rule) -> set[Severity]:
    return {case.value for case in rule.severities}


def _action(rule: Rule, severity: Severity) -> Resource:
    """What is told when the rule fires so severely: its headline, and what to do."""
    steps = [*_steps(rule)]
    return {
        "title": worded(rule.headline),
        "description": worded(rule.texts[-1].value),
        "priority": _PRIORITY[severity],
        "condition": [_applies(f"Fires as {severity}")],
        **({"action": steps} if steps else {}),
    }


def _steps(rule: Rule) -> Iterator[Resource]:
    for number, step in enumerate(rule.actions, 1):
        when: Iterable[Resource] = [] if step.when is None else [_applies(f"Action {number}")]
        yield {"title": worded(step.value), **({"condition": when} if when else {})}


def _applies(definition: str) -> Resource:
    return {
        "kind": "applicability",
        "expression": {"language": "text/cql-identifier", "expression": definition},
    }


def _status(rule: Rule) -> str:
    """FHIR's word: only what is told to clinicians is active."""
    return _STATUS.get(rule.status, "draft")
