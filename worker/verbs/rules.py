"""`ferrule rules …`: look at the rules in force, check them, try their cases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import track

from rules.analytes import catalogue_rows
from rules.case_facts import BadCase
from rules.cases import Failure as CaseFailure
from rules.cases import case_count, run_cases
from rules.catalogue import FORMATS, render
from rules.concept_rows import concept_rows
from rules.describe import change_lines, rule_lines
from rules.diff import differences
from rules.export_cql import Export, export
from rules.export_fhir import resources
from rules.lint import Level, lint
from rules.load import load_ruleset
from rules.mutate import EQUIVALENT, Jury, mutants
from rules.ruleset import Ruleset
from rules.shape import DefinitionFileShape, RuleFileShape, SiteFileShape, SourceFileShape
from rules.yaml_source import BadFile
from worker.clock import now
from worker.failures import NO, USAGE, Failure
from worker.intake.event import event_schema_text

app = typer.Typer(rich_markup_mode=None, add_completion=False, help="List, show, lint and test the rules.")

RulesDir = Annotated[Path | None, typer.Option("--rules", metavar="DIR", help="Rule files other than ours.")]
SiteFile = Annotated[Path | None, typer.Option("--site", metavar="FILE", help="The site's own settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]

SCHEMAS: dict[str, type[BaseModel]] = {
    "rules": RuleFileShape,
    "definitions": DefinitionFileShape,
    "sources": SourceFileShape,
    "site": SiteFileShape,
}


def _loaded(rules: Path | None, site: Path | None) -> Ruleset:
    try:
        return load_ruleset(rules, site)
    except BadFile as error:
        raise Failure(str(error), USAGE) from None


@app.command("list")
def list_rules(as_json: AsJson = False, rules: RulesDir = None, site: SiteFile = None) -> None:
    """Every rule: id, version, status, severity, headline.

    Example: ferrule rules list --json
    """
    ruleset = _loaded(rules, site)
    rows = [
        {
            "id": r.id,
            "version": r.version,
            "status": r.status.value,
            "severity": r.severity.value,
            "headline": r.headline,
            "topic": r.topic,
            "owner": r.owner,
            "review_by": r.review_by.isoformat(),
            "sources": list(r.sources),
            "cases": len(r.cases),
            "file": r.file,
        }
        for r in sorted(ruleset.rules.values(), key=lambda r: r.id)
    ]
    if as_json:
        typer.echo(
            json.dumps({"fingerprint": ruleset.fingerprint, "rules": rows}, ensure_ascii=False, indent=1)
        )
        return
    width = max((len(str(row["id"])) for row in rows), default=0)
    for row in rows:
        typer.echo(f"{row['id']:<{width}}  {row['status']:<7} {row['severity']:<9} {row['headline']}")
    typer.echo(f"\n{len(rows)} rules, ruleset {ruleset.fingerprint[:19]}…")


@app.command()
def show(
    rule: Annotated[str | None, typer.Argument(help="A rule; without one, the site's changes.")] = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="What is in force, and where each change comes from.")
    ] = False,
    rules: RulesDir = None,
    site: SiteFile = None,
) -> None:
    """One rule in words: its conditions, definitions opened, its text, actions, sources.

    Example: ferrule rules show b12-high-iron-deficient-unexplained --effective --site site.yaml
    """
    ruleset = _loaded(rules, site)
    if rule is None and not effective:
        raise Failure("name a rule (`ferrule rules list`), or say --effective for the site's changes", USAGE)
    if rule is not None and rule not in ruleset.rules:
        raise Failure(f"no rule '{rule}'; `ferrule rules list` shows them", USAGE)
    for line in rule_lines(ruleset.rules[rule], ruleset) if rule else ():
        typer.echo(line)
    for line in change_lines(ruleset, rule) if effective else ():
        typer.echo(line)


@app.command()
def analytes(as_json: AsJson = False) -> None:
    """The catalogue: names, LOINC codes, units, plausible ranges, factors.

    Example: ferrule rules analytes | grep ferritin
    """
    rows = catalogue_rows()
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        unit = row["unit"] or row["kind"]
        typer.echo(
            f"{row['analyte']:<22} {unit:<20} {row['plausible']:<18} {row['window']:<9} {row['display']}"
        )


@app.command()
def concepts(as_json: AsJson = False, rules: RulesDir = None, site: SiteFile = None) -> None:
    """The concepts (code sets): their codes, and the rules that ask for them.

    Example: ferrule rules concepts | grep -A2 oral_iron
    """
    rows = concept_rows(_loaded(rules, site))
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        typer.echo(f"{row['concept']:<28} {row['kind']:<11} {row['display']}")
        typer.echo(f"    codes  {', '.join(row['codes'])}")
        typer.echo(f"    rules  {', '.join(row['rules']) or 'none'}")


@app.command("lint")
def lint_rules(
    as_json: AsJson = False,
    today: Annotated[str | None, typer.Option("--today", metavar="DATE", help="For overdue reviews.")] = None,
    rules: RulesDir = None,
    site: SiteFile = None,
) -> None:
    """Check rule files; exit 1 if there is an error.

    Example: ferrule rules lint --rules ./our-rules --json
    """
    day = date.fromisoformat(today) if today else now().date()
    found = lint(rules, site, day)
    errors = sum(1 for f in found if f.level is Level.ERROR)
    if as_json:
        typer.echo(json.dumps([f.json() for f in found], ensure_ascii=False, indent=1))
    else:
        for one in found:
            typer.echo(one.text())
        typer.echo(f"{errors} errors, {len(found) - errors} warnings")
    raise typer.Exit(NO if errors else 0)


@app.command("test")
def try_cases(
    as_json: AsJson = False,
    brief: Annotated[bool, typer.Option("--brief", help="One line for each rule or definition.")] = False,
    rules: RulesDir = None,
    site: SiteFile = None,
) -> None:
    """Run every rule's cases; exit 1 if one came out otherwise.

    Example: ferrule rules test --brief
    """
    ruleset = _loaded(rules, site)
    total = case_count(ruleset)
    console = Console(stderr=True)
    running = track(
        run_cases(ruleset), "cases", total, console=console, transient=True, disable=not console.is_terminal
    )
    found = [f for f in running if f is not None]
    failures = [f for f in found if not f.moved]
    if as_json:
        typer.echo(json.dumps([_case_json(f) for f in failures], ensure_ascii=False, indent=1))
    elif brief:
        for line in _brief(ruleset, failures):
            typer.echo(line)
    else:
        for failure in failures:
            _print_failure(failure)
        moved = [f for f in found if f.moved]
        for one in moved:
            typer.echo(f"{one.where}: {one.rule}: {one.case}: {one.said}, by the site's changes")
        if moved:
            typer.echo(f"{len(moved)} cases of the library come out otherwise by the site's changes")
        typer.echo(f"{total - len(found)} of {total} cases of {len(ruleset.rules)} rules hold")
    raise typer.Exit(NO if failures else 0)


def _brief(ruleset: Ruleset, failures: list[CaseFailure]) -> Iterator[str]:
    """How many cases each rule and definition has, and how many of them fail."""
    cases = Counter(case.definition for case in ruleset.definition_cases)
    cases.update(own.rule for own in ruleset.site_cases)
    cases.update({rule.id: len(rule.cases) for rule in ruleset.rules.values()})
    failed = Counter(failure.rule for failure in failures)
    for name in sorted(cases):
        said = "fails" if failed[name] else "holds"
        yield f"{said}  {cases[name] - failed[name]:>4} of {cases[name]:<4} {name}"


def _case_json(failure: CaseFailure) -> dict[str, str]:
    return {"rule": failure.rule, "case": failure.case, "where": failure.where, "said": failure.said}


def _print_failure(failure: CaseFailure) -> None:
    typer.echo(f"{failure.where}: {failure.rule}: {failure.case}\n    {failure.said}")
    for line in failure.tree:
        typer.echo(f"      {line}")


@app.command("mutate")
def mutate_rules(
    as_json: AsJson = False,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="ID", help="Only mutants that name it.")
    ] = None,
    rules: RulesDir = None,
    site: SiteFile = None,
) -> None:
    """Change every limit, comparator, window and term by a little: do the cases notice? Exit 1 if not.

    Example: ferrule rules mutate --rule hemoglobin-critical
    """
    ruleset = _loaded(rules, site)
    try:
        jury = Jury(ruleset)
    except BadCase as error:
        raise Failure(f"{error}; `ferrule rules test` says where", USAGE) from None
    chosen = [m for m in mutants(ruleset) if rule is None or rule in m.name]
    if rule is not None and not chosen:
        raise Failure(f"no mutant names '{rule}'; `ferrule rules list` shows the rules", USAGE)
    not_asked = [] if site else [c for c in jury.not_asked if rule is None or f": {rule}: " in c]
    console = Console(stderr=True)
    running = track(chosen, "mutants", console=console, transient=True, disable=not console.is_terminal)
    verdicts = [jury.verdict(m) for m in running]
    survivors = [v.mutant for v in verdicts if v.survived]
    equivalent = [v for v in verdicts if v.equivalent]
    stale = jury.stale(verdicts) if rule is None and rules is None else []
    if as_json:
        report = {
            "mutants": len(verdicts),
            "killed": sum(v.killed for v in verdicts),
            "survived": survivors,
            "equivalent": {v.mutant: v.equivalent for v in equivalent},
            "stale": stale,
            "not_asked": not_asked,
        }
        typer.echo(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        for name in survivors:
            typer.echo(f"survived: {name}")
        for name in stale:
            typer.echo(f"stale excuse: {name}; take it out of {EQUIVALENT}")
        for name in not_asked:
            typer.echo(f"not asked: {name}; it fails as it is: ferrule rules test")
        killed = sum(v.killed for v in verdicts)
        typer.echo(
            f"{len(verdicts)} mutants: {killed} noticed, {len(equivalent)} equivalent with a reason, "
            f"{len(survivors)} survived"
        )
    raise typer.Exit(NO if survivors or stale or not_asked else 0)


@app.command()
def catalogue(
    format: Annotated[str, typer.Option("--format", help="html or md.")] = "html",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Instead of standard output.")
    ] = None,
    rules: RulesDir = None,
    site: SiteFile = None,
) -> None:
    """The library as a page to read and sign.

    Example: ferrule rules catalogue --out catalogue.html
    """
    if format not in FORMATS:
        raise Failure(f"--format: expected {' or '.join(FORMATS)}, got '{format}'", USAGE)
    page = render(_loaded(rules, site), format)
    if out is None:
        typer.echo(page)
    else:
        out.write_text(page, encoding="utf-8")


@app.command("export")
def export_rules(
    format: Annotated[str, typer.Option("--format", help="cql or fhir.")] = "cql",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Instead of ./ferrule-FORMAT.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="ID", help="Only it, and what it needs.")
    ] = None,
    rules: RulesDir = None,
    site: SiteFile = None,
) -> None:
    """The rules for other systems, as CQL or FHIR.

    FHIR R4 Library and PlanDefinition hold the same CQL. What it cannot say is listed with the reason.

    Example: ferrule rules export --format cql --out cql
    """
    if format not in EXPORTS:
        raise Failure(f"--format: expected {' or '.join(EXPORTS)}, got '{format}'", USAGE)
    ruleset = _loaded(rules, site)
    if rule is not None and rule not in ruleset.rules:
        raise Failure(f"no rule '{rule}'; `ferrule rules list` shows them", USAGE)
    exported = export(ruleset).only(rule)
    files = EXPORTS[format](ruleset, exported)
    folder = out or Path(f"ferrule-{format}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(files)} files of {len(exported.rules)} rules in {folder}")
    for name, why in exported.refused.items():
        typer.echo(f"not exported: {name}: {why}", err=True)


def _cql_files(_ruleset: Ruleset, exported: Export) -> dict[str, str]:
    return {f"{name}.cql": text for name, text in exported.libraries.items()}


def _fhir_files(ruleset: Ruleset, exported: Export) -> dict[str, str]:
    found = resources(ruleset, exported)
    return {f"{n}.json": json.dumps(r, ensure_ascii=False, indent=1) + "\n" for n, r in found.items()}


EXPORTS = {"cql": _cql_files, "fhir": _fhir_files}


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="A", help="A directory of rules; '-' is the library.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
) -> None:
    """What changed in meaning from A to B, in words; exit 1 if anything did.

    Example: ferrule rules diff - ./our-rules
    """
    before, after = (_loaded(None if str(path) == "-" else path, None) for path in (old, new))
    lines = list(differences(before, after))
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo("nothing changed in meaning")
    raise typer.Exit(NO if lines else 0)


@app.command()
def schema(
    which: Annotated[str, typer.Argument(help="rules, definitions, sources or site.")] = "rules",
    events: Annotated[bool, typer.Option("--events", help="The schema of events instead.")] = False,
) -> None:
    """The JSON Schema of a rule file, for editors; with --events that of the event.

    Example: ferrule rules schema > rules.schema.json
    """
    if not events and which not in SCHEMAS:
        raise Failure(f"no schema '{which}'; there are {', '.join(SCHEMAS)}", USAGE)
    if events:
        typer.echo(event_schema_text(), nl=False)
    else:
        typer.echo(json.dumps(SCHEMAS[which].model_json_schema(), indent=2, ensure_ascii=False))
