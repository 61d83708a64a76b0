"""`ferrule why`: why there was an alert, or none, for one patient and rule at any moment, from the database.

Shows patient data, so the look is in the audit trail.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, select

from alerts import audit
from alerts.people import Actor
from rules.expectations import outcome
from rules.explain import tree_json, tree_lines
from rules.facts import History
from rules.findings import RuleJudgment
from rules.load import load_ruleset
from worker.database import db_now, make_engine, reading, writing
from worker.failures import NO, USAGE, Failure
from worker.patients import patient_ids
from worker.records import load
from worker.settings import read_settings
from worker.status_changes import with_values
from worker.tables import EVALUATION
from worker.verbs.evaluate import moment_named, zone_named

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def why(
    patient: Annotated[
        str, typer.Option("--patient", metavar="SYSTEM|ID", help="Quote it: '|' is the shell's.")
    ],
    rule: Annotated[str, typer.Option("--rule", metavar="ID", help="`ferrule rules list` shows them.")],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="As was known then.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Why there was an alert, or none: the tree of a rule as it stood at a moment, and what was decided.

    Example: ferrule why --patient 'urn:mrn:north|123' --rule hemoglobin-critical --at 2026-03-02T09:00:00Z
    """
    settings = read_settings()
    ruleset = load_ruleset(settings.rules_dir, settings.site_file)
    if rule not in ruleset.rules:
        raise Failure(f"no rule '{rule}'; `ferrule rules list` shows them", USAGE)
    moment = moment_named(at, zone_named("UTC"))
    if moment is None:
        raise Failure("--at: expected a time such as 2026-03-02T09:00:00Z", USAGE)
    engine = make_engine(settings.database)
    with writing(engine) as connection:
        row = _patient_row(connection, patient)
        _audit(connection, row, rule)
    with reading(engine) as connection:
        judged = ruleset.explain(rule, _history(connection, row), moment)
        decided = _decided(connection, row, rule, moment)
    for line in [json.dumps(_json(judged, decided))] if as_json else _words(judged, decided, moment):
        typer.echo(line)


def _history(connection: Connection, patient: int) -> History:
    """As a judging sees it: bare changes of status filled in."""
    history = load(connection, [patient])[patient].history
    return replace(history, results=with_values(history.results))


def _patient_row(connection: Connection, named: str) -> int:
    system, bar, ident = named.partition("|")
    if not bar or not ident:
        raise Failure("--patient: expected SYSTEM|ID, such as 'urn:mrn:north|123'", USAGE)
    row = patient_ids(connection, [(system, ident)]).get((system, ident))
    if row is None:
        raise Failure("no such patient in the database; check system and id", NO)
    return row


def _audit(connection: Connection, patient: int, rule: str) -> None:
    by = Actor("urn:ferrule:shell", getpass.getuser(), "ferrule why")
    now = db_now(connection)
    entry = audit.Entry("read", by, "explanation", rule, now, patient_id=patient)
    audit.record(connection, [entry])


def _decided(connection: Connection, patient: int, rule: str, at: datetime) -> dict[str, Any] | None:
    """What the newest evaluation by then decided on the rule; None where it was plainly silent."""
    newest = connection.execute(
        select(EVALUATION.c.as_of, EVALUATION.c.ruleset, EVALUATION.c.outcomes)
        .where(EVALUATION.c.patient_id == patient, EVALUATION.c.as_of <= at)
        .order_by(EVALUATION.c.as_of.desc(), EVALUATION.c.id.desc())
        .limit(1)
    ).first()
    if newest is None:
        return None
    found: dict[str, Any] | None = next((o for o in newest.outcomes if o["rule"] == rule), None)
    if found is None:
        return None
    return {**found, "evaluated_as_of": newest.as_of.isoformat(), "ruleset": newest.ruleset}


def _words(judged: RuleJudgment, decided: dict[str, Any] | None, at: datetime) -> list[str]:
    head = f"{judged.rule}  {outcome(judged)}  as known at {at.isoformat()}"
    if decided is None:
        then = "no evaluation by then decided anything on this rule"
    else:
        then = f"decided as of {decided['evaluated_as_of']}: {decided['action']}, {decided['reason']}"
    return [head, then, *tree_lines(judged.tree)]


def _json(judged: RuleJudgment, decided: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "rule": judged.rule,
        "outcome": outcome(judged),
        "missing": list(judged.missing),
        "decided": decided,
        "tree": tree_json(judged.tree),
    }
