"""A site's own file laid over the library: limits, look-backs and words of its own, and rules of its own.

A change names the expression it replaces, so that a library that moved on under it is noticed. Everything is
put in place before the rules are built: what a site changes passes the same checks as what it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from rules.building import built_case
from rules.expectations import unmeant
from rules.nearest import nearest
from rules.rule import Rule, SiteCase, SiteChange
from rules.shape import SiteChangeShape, SiteFileShape
from rules.shaping import shaped
from rules.yaml_source import Path_, Refused, Source, read_yaml

Sources = dict[str, Source]
_CHANGED = " (changed at this site)"


def changed_by_site(
    library: Mapping[str, Source], site: Source, folder: Path
) -> tuple[Sources, tuple[SiteChange, ...]]:
    """The rule files with the site's changes in them and its own beside them, and the list of changes.

    Raises:
        BadFile: a place or an expression that the library does not have, pointing into the site's file.
    """
    shape = shaped(site, SiteFileShape)
    signed = f"{shape.signed_by}, {shape.site}, {shape.signed_on}"
    sources = {name: replace(source, data=deepcopy(source.data)) for name, source in library.items()}
    for name in shape.rule_files:
        sources[name] = read_yaml(folder / name)
    refused, changes = Refused(), []
    for i, change in enumerate(shape.changes):
        with refused.gathered():
            changes.append(_apply(sources, site, i, change, signed))
    refused.check()
    for rule, wording in shape.wording.items():
        said = wording.model_dump(exclude_none=True)
        found = _rule(sources, rule)
        if found is None:
            raise site.error(("wording", rule), f"unknown rule '{rule}'; `ferrule rules list` shows them")
        changes += [
            SiteChange(rule, f"{k}: {found[k]}", f"{k}: {v}", "wording", signed) for k, v in said.items()
        ]
        found.update(said)
        if wording.actions is not None:
            _ask_for_no_action(found)
    return sources, tuple(changes)


def _ask_for_no_action(rule: dict[str, Any]) -> None:
    """The library's cases name actions by their words; of those a site replaced, none is left to name."""
    for case in rule["cases"]:
        case.pop("do", None)
        case.pop("do_not", None)


def status_changes(site: Source, rules: Mapping[str, Rule]) -> Iterator[SiteChange]:
    """The rules that run otherwise at this site than in the library.

    Raises:
        BadFile: a rule that is not there.
    """
    shape = shaped(site, SiteFileShape)
    signed = f"{shape.signed_by}, {shape.site}, {shape.signed_on}"
    for name, status in shape.statuses.items():
        if name not in rules:
            near = nearest(name, rules)
            said = f"unknown rule '{name}'; {near}`ferrule rules list` shows them"
            raise site.error(("statuses", name), said)
        if rules[name].status != status:
            was = f"status: {rules[name].status}"
            yield SiteChange(name, was, f"status: {status}", "status", signed, meaning=False)


def site_cases(site: Source, rules: Mapping[str, Rule]) -> tuple[SiteCase, ...]:
    """The site's own cases, each for a rule that is there."""
    found = []
    for i, shape in enumerate(shaped(site, SiteFileShape).cases):
        if shape.rule not in rules:
            raise site.error(
                ("cases", i, "rule"), f"unknown rule '{shape.rule}'; `ferrule rules list` shows them"
            )
        case = built_case(shape, site.line(("cases", i)))
        for where, problem in unmeant(case, rules[shape.rule]):
            raise site.error(("cases", i, *where), problem)
        found.append(SiteCase(shape.rule, site.file, case))
    return tuple(found)


def _apply(sources: Sources, site: Source, number: int, change: SiteChangeShape, signed: str) -> SiteChange:
    path: Path_ = ("changes", number)
    place = _place(sources, change.in_, "definitions" if change.row is None else "tables")
    if place is None:
        raise site.error((*path, "in"), f"'{change.in_}' is no rule, definition or table here")
    within = place if change.row is None else _row(place, change, site, path)
    if not _replaced(within, _flat(change.from_), change.to):
        there = "; ".join(sorted(set(_expressions(within)))[:12])
        raise site.error(
            (*path, "from"), f"'{change.from_}' does not stand in '{change.in_}'; there stand: {there}"
        )
    _reword(place, change, site, path)
    return SiteChange(change.in_, change.from_, change.to, change.because, signed)


def _reword(place: dict[str, Any], change: SiteChangeShape, site: Source, path: Path_) -> None:
    """A definition's words often hold the limit: they read anew, or say that something was changed."""
    if "says" not in place or change.row is not None:
        if change.says is not None:
            raise site.error((*path, "says"), f"'{change.in_}' is no definition; only these have such words")
        return
    old = str(place["says"]).removesuffix(_CHANGED)
    place["says"] = change.says or old[: 200 - len(_CHANGED)] + _CHANGED


def _place(sources: Sources, name: str, section: str) -> dict[str, Any] | None:
    """The definition or table of that name, else the rule; a definition and a table may share one."""
    for source in sources.values():
        held = (source.data or {}).get(section)
        if isinstance(held, dict) and name in held:
            found: dict[str, Any] = held[name]
            return found
    return _rule(sources, name)


def _rule(sources: Sources, name: str) -> dict[str, Any] | None:
    for source in sources.values():
        for rule in (source.data or {}).get("rules") or ():
            if rule.get("id") == name:
                found: dict[str, Any] = rule
                return found
    return None


def _row(table: dict[str, Any], change: SiteChangeShape, site: Source, path: Path_) -> dict[str, Any]:
    """The one row whose keys are those the change gives."""
    fitting = [
        r
        for r in table.get("rows", ())
        if {k: v for k, v in r.items() if k not in ("limit", "source")} == change.row
    ]
    if len(fitting) != 1:
        raise site.error(
            (*path, "row"), f"{len(fitting)} rows of '{change.in_}' are for {change.row}; name one"
        )
    found: dict[str, Any] = fitting[0]
    return found


def _replaced(node: Any, old: str, new: str) -> bool:
    """Whether the expression stood somewhere in the node (cases left alone); it reads `new` now."""
    places = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = False
    for key, value in list(places):
        if key in ("cases", "text", "rationale"):
            continue
        if isinstance(value, str) and _flat(value) == old:
            node[key], found = new, True
        elif _replaced(value, old, new):
            found = True
    return found


def _expressions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("when", "hold", "all", "any", "none", "at_least", "of", "limit", "rows", "severity"):
                yield from _expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from _expressions(value)
    elif node:  # a key left empty says nothing
        yield node


def _flat(text: str) -> str:
    return " ".join(text.split())
