"""The rules as CQL libraries: three shared ones, and one for each rule that can be said in CQL.

What is exported is the judging: pattern, hold, precedence, severity. It judges usable results: what our
intake decides before (see `PRECONDITIONS`) is the reader's to provide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rules import nodes
from rules.building import concepts_of, leaves
from rules.concepts import Concept
from rules.export_conditions import condition, leaf, lists_of, named, results_list, table_function
from rules.export_facts import Used, common_library, facts_library
from rules.export_facts import why_not as concept_why_not
from rules.export_text import NotExportable, identifier, quoted, worded
from rules.findings import RuleStatus
from rules.load import reached
from rules.rule import Cased, Rule
from rules.ruleset import Ruleset

SHARED = ("FerruleCommon", "FerruleFacts", "FerruleDefinitions")
PRECONDITIONS = """\
Preconditions. Every Observation given is the current version of a usable laboratory result. Left out are
  - results of a spoiled specimen (hemolyzed, clotted, diluted, …, or with an impossible MCHC),
  - implausible numbers, and those without a unit, with an unknown one, or one that the code does not fit.
Units are UCUM codes, specimen times have an offset, antibodies carry an interpretation (POS, NEG, IND).
Each record stands once, in its current version; medication is a MedicationStatement."""


@dataclass(frozen=True, slots=True)
class Export:
    """The libraries by name, the rule of each that has one, and why each other rule has none."""

    libraries: Mapping[str, str]
    rules: Mapping[str, str]
    refused: Mapping[str, str]

    def only(self, rule: str | None) -> Export:
        """The same for one rule, with what it includes; for all when none is named."""
        if rule is None:
            return self
        if rule not in self.rules:
            return Export({}, {}, {rule: self.refused[rule]})
        needed = self.needed_by(self.rules[rule])
        libraries = {name: text for name, text in self.libraries.items() if name in needed}
        return Export(libraries, {r: name for r, name in self.rules.items() if name in needed}, {})

    def needed_by(self, library: str) -> list[str]:
        """The library's name and those of all it includes."""
        needed = [library]
        for name in needed:
            lines = self.libraries[name].splitlines()
            included = [line.split()[1] for line in lines if line.startswith("include ")]
            needed += [other for other in included if other not in needed]
        return needed


def export(ruleset: Ruleset) -> Export:
    """Every rule as a CQL library, with the shared ones they include."""
    version = ruleset.fingerprint.removeprefix("sha256:")[:12]
    header = _commented(f"Ferrule, ruleset {ruleset.fingerprint}\n{PRECONDITIONS}")
    lost = _unsaid_definitions(ruleset)
    refused = _refused(ruleset, lost)
    libraries = {
        SHARED[0]: common_library(header, version),
        SHARED[1]: facts_library(header, version, _used(ruleset)),
        SHARED[2]: _definitions(ruleset, header, version, lost),
    }
    said = [rule for rule in ruleset.rules.values() if rule.id not in refused]
    libraries |= {library_name(rule.id): _rule(rule, ruleset, header, version) for rule in said}
    return Export(libraries, {rule.id: library_name(rule.id) for rule in said}, refused)


def library_version(text: str) -> str:
    """The version that a library's own text gives."""
    line = next(line for line in text.splitlines() if line.startswith("library "))
    return line.split("'")[1]


def library_name(rule_id: str) -> str:
    """`hemoglobin-critical` is `FerruleHemoglobinCritical`."""
    return "Ferrule" + "".join(word.capitalize() for word in rule_id.split("-"))


def _used(ruleset: Ruleset) -> Used:
    """What the ruleset's conditions ask of the patient's facts."""
    every = [*ruleset.vocabulary.definitions.values()]
    every += [condition for rule in ruleset.rules.values() for condition in rule.conditions]
    parts = _distinct(every)
    lists = [s for part in parts for s in lists_of(part)]
    return Used(
        analytes=frozenset(s.analyte for s in lists)
        | {table.analyte for table in ruleset.vocabulary.tables.values()},
        preliminary=frozenset(s.analyte for s in lists if s.preliminary),
        ordered=frozenset(part.analyte for part in parts if isinstance(part, nodes.Ordered)),
        concepts=frozenset(name for part in parts for name in concepts_of(part)),
        known=ruleset.vocabulary.concepts,
    )


# ── what cannot be said ──────────────────────────────────────────────────────────────────────────────


def _unsaid_definitions(ruleset: Ruleset) -> dict[str, str]:
    """The definitions that cannot be said, or that rest on one that cannot."""
    definitions, concepts = ruleset.vocabulary.definitions, ruleset.vocabulary.concepts
    reasons = {name: why for name, meaning in definitions.items() if (why := _why_not([meaning], concepts))}
    for name, meaning in definitions.items():
        lost = next((n for n in reached([meaning], definitions) if n in reasons), None)
        if lost is not None and name not in reasons:
            reasons[name] = f"definition {lost}: {reasons[lost]}"
    return reasons


def _refused(ruleset: Ruleset, lost: Mapping[str, str]) -> dict[str, str]:
    """Why rules have no library: a leaf, a definition reached, or the rule they yield to."""
    refused: dict[str, str] = {}
    for rule in ruleset.rules.values():
        names = reached(rule.conditions, ruleset.vocabulary.definitions)
        by_definition = [f"definition {name}: {lost[name]}" for name in names if name in lost]
        if why := _why_not(rule.conditions, ruleset.vocabulary.concepts) or next(iter(by_definition), None):
            refused[rule.id] = why
    waiting = True
    while waiting:
        waiting = False
        for rule in ruleset.rules.values():
            over = next((o for o in _yields_to(rule, ruleset) if o in refused), None)
            if over is not None and rule.id not in refused:
                refused[rule.id] = f"yields to {over}, which cannot be exported"
                waiting = True
    return refused


def _why_not(conditions: Iterable[nodes.Condition], concepts: Mapping[str, Concept]) -> str | None:
    parts = _distinct(conditions)
    try:
        for part in parts:
            for concept in concepts_of(part):
                if why := concept_why_not(concepts[concept]):
                    return f"concept {concept}: {why}"
            leaf(part)
        _lists(parts)
    except NotExportable as error:
        return str(error)
    return None


def _distinct(conditions: Iterable[nodes.Condition]) -> list[nodes.Leaf]:
    """The leaves of conditions by their text, but for the names of definitions."""
    found = {part.text: part for one in conditions for part in leaves(one)}
    return [part for part in found.values() if not isinstance(part, nodes.Ref)]


def _yields_to(rule: Rule, ruleset: Ruleset) -> list[str]:
    """The rules that stand over this one: only active ones do."""
    there = [name for name in rule.yields_to if name in ruleset.rules]
    return [name for name in there if ruleset.rules[name].status is RuleStatus.ACTIVE]


# ── libraries ────────────────────────────────────────────────────────────────────────────────────────


def _definitions(ruleset: Ruleset, header: str, version: str, lost: Mapping[str, str]) -> str:
    kept = {n: m for n, m in ruleset.vocabulary.definitions.items() if n not in lost}
    clash = kept.keys() & {part.text for part in _distinct(kept.values())}
    if clash:
        raise NotExportable(f"definition and condition of one name: {', '.join(sorted(clash))}")
    parts = [
        header,
        f"library FerruleDefinitions version '{version}'\n",
        *_start(version, SHARED[:2]),
        "// ── tables of limits ──\n",
        *(table_function(table) for table in ruleset.vocabulary.tables.values()),
        "// ── conditions ──\n",
        *_leaves(kept.values(), ""),
        "// ── definitions ──\n",
    ]
    for name, meaning in kept.items():
        says = ruleset.vocabulary.says.get(name, name)
        parts.append(f"{_commented(says)}define {identifier(name)}:\n  {condition(meaning)}\n")
    return "\n".join(parts)


def _rule(rule: Rule, ruleset: Ruleset, header: str, version: str) -> str:
    over = _yields_to(rule, ruleset)
    about = f"{rule.id}, version {rule.version}, {rule.status}: {rule.headline}\n{rule.rationale}".rstrip()
    parts = [
        header + "//\n" + _commented(about),
        f"library {library_name(rule.id)} version '{rule.version}-{version}'\n",
        *_start(version, SHARED, [ruleset.rules[name] for name in over]),
        *_leaves(rule.conditions, "Definitions."),
        *_answers(rule, over),
    ]
    return "\n".join(parts)


def _start(version: str, shared: Iterable[str], over: Iterable[Rule] = ()) -> Iterator[str]:
    """The lines after a library's name: the model, what it includes, and that it is about one patient."""
    yield "using FHIR version '4.0.1'\n"
    versions = dict.fromkeys(shared, version)
    versions |= {library_name(rule.id): f"{rule.version}-{version}" for rule in over}
    for name, its_version in versions.items():
        yield f"include {name} version '{its_version}' called {name.removeprefix('Ferrule')}"
    yield "\ncontext Patient\n"


def _leaves(conditions: Iterable[nodes.Condition], definitions: str) -> Iterator[str]:
    """The lists of results that conditions rest on, then their leaves."""
    parts = _distinct(conditions)
    yield from _lists(parts)
    for part in parts:
        yield f"define {identifier(part.text)}:\n  {leaf(part, definitions)}\n"


def _lists(parts: Iterable[nodes.Leaf]) -> Iterable[str]:
    """The lists of results that leaves rest on; each is called by its words.

    Raises:
        NotExportable: one cannot be said, or two have the same words.
    """
    lists = {results_list(s): named(s) for part in parts for s in lists_of(part)}
    if len(set(lists.values())) < len(lists):
        raise NotExportable("two lists of results have one name in words")
    return lists


def _answers(rule: Rule, over: list[str]) -> Iterator[str]:
    """What the library answers: the pattern, what keeps it from being told, how urgent it is."""
    covered = " or ".join(f'{library_name(name).removeprefix("Ferrule")}."Stands" is true' for name in over)
    hold = "false" if rule.hold is None else f"{condition(rule.hold, 'Definitions.')} is true"
    yield f'// Null: the facts at hand do not settle it.\ndefine "Pattern":\n  {_when(rule.when)}\n'
    yield f'// {rule.hold_because if rule.hold else "Nothing holds it."}\ndefine "Held":\n  {hold}\n'
    yield f'// A stronger rule is told instead.\ndefine "Covered":\n  {covered or "false"}\n'
    yield 'define "Stands":\n  "Pattern" is true and not "Held"\n'
    yield 'define "Fires":\n  "Stands" and not "Covered"\n'
    yield f'define "Severity":\n  {_cased([Cased(str(c.value), c.when) for c in rule.severities])}\n'
    for severity in sorted({c.value for c in rule.severities}, key=lambda s: s.rank):
        fires = f'"Fires" and "Severity" = {quoted(severity)}'
        yield f"define {identifier(f'Fires as {severity}')}:\n  {fires}\n"
    yield f'define "Headline":\n  {_cased([Cased(worded(c.value), c.when) for c in rule.headlines])}\n'
    for number, action in enumerate(rule.actions, 1):
        applies = "true" if action.when is None else f"{_when(action.when)} is true"
        yield f'// {worded(action.value)}\ndefine "Action {number}":\n  {applies}\n'


def _when(when: nodes.Condition) -> str:
    return condition(when, "Definitions.")


def _cased(cases: Iterable[Cased[str]]) -> str:
    """The value of the first case that is true; the last has no condition."""
    *some, last = cases
    if not some:
        return quoted(last.value)
    whens = "\n".join(f"    when {_when(c.when)} is true then {quoted(c.value)}" for c in some if c.when)
    return f"case\n{whens}\n    else {quoted(last.value)}\n  end"


def _commented(text: str) -> str:
    return "".join(f"// {line}".rstrip() + "\n" for line in text.splitlines())
