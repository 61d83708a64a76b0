"""`ferrule explain`: the tree of one rule for the patients in a file: each condition, its truth, what it
rests on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rules.expectations import outcome
from rules.explain import time_text, tree_json, tree_lines
from rules.facts import Patient
from rules.findings import NotUsed, RuleJudgment
from rules.history import View
from rules.load import load_ruleset
from rules.yaml_source import BadFile
from worker.evaluate import NoTimeInInput, gathered
from worker.failures import USAGE, Failure
from worker.intake.files import Format, read_events
from worker.sources import load_sources
from worker.verbs.evaluate import (
    AsOf,
    Files,
    FormatOf,
    RulesDir,
    SiteFile,
    SourcesFile,
    Unread,
    ZoneName,
    moment_named,
    zone_named,
)

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def explain(
    files: Files,
    rule: Annotated[str, typer.Option("--rule", metavar="ID", help="`ferrule rules list` shows them.")],
    as_of: AsOf = None,
    format: FormatOf = Format.AUTO,
    zone: ZoneName = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a patient and line.")] = False,
    rules: RulesDir = None,
    site: SiteFile = None,
    sources: SourcesFile = None,
) -> None:
    """Why one rule fired or did not, condition by condition.

    Example: ferrule explain day.ndjson --rule b12-high-iron-deficient-unexplained

    Example: ferrule explain day.hl7 --rule hemoglobin-critical --sources deploy/examples/sources.yaml
    """
    place = zone_named(zone)
    moment = moment_named(as_of, place)
    try:
        ruleset, senders = load_ruleset(rules, site), load_sources(sources)
    except BadFile as error:
        raise Failure(str(error), USAGE) from None
    if rule not in ruleset.rules:
        raise Failure(f"no rule '{rule}'; `ferrule rules list` shows them", USAGE)
    unread = Unread()
    told: list[Path] = files
    input = gathered(unread.told(read_events(told, format)), place, senders.dialect)
    try:
        at = input.moment(moment)
    except NoTimeInInput as error:
        raise Failure(str(error)) from None
    for _, history in sorted(input.histories.items()):
        judged = ruleset.explain(rule, history, at)
        left_out = View(history, at).not_used
        lines = (
            [json.dumps(_json(history.patient, judged, left_out), ensure_ascii=False)]
            if as_json
            else _words(history.patient, judged, left_out, time_text(at) or "")
        )
        for line in lines:
            typer.echo(line)
    if unread.count:
        raise typer.Exit(USAGE)


def _words(patient: Patient, judged: RuleJudgment, left_out: Sequence[NotUsed], at: str) -> list[str]:
    head = f"{patient.id}  ({patient.system})  {judged.rule}  {outcome(judged)}  as of {at}"
    why = [
        *([f"held back: {judged.held}"] if judged.held else []),
        *([f"covered by {judged.covered_by}"] if judged.covered_by else []),
        *([f"would be settled by {' or '.join(judged.missing)}"] if judged.missing else []),
    ]
    unused = [f"not used: {left.result_id}: {left.reason.value}, {left.detail}" for left in left_out]
    return [head, *why, *tree_lines(judged.tree), *unused, ""]


def _json(patient: Patient, judged: RuleJudgment, left_out: Sequence[NotUsed]) -> dict[str, Any]:
    return {
        "patient": {"system": patient.system, "id": patient.id},
        "rule": judged.rule,
        "version": judged.version,
        "outcome": outcome(judged),
        "truth": judged.pattern.value,
        "held": judged.held,
        "covered_by": judged.covered_by,
        "missing": list(judged.missing),
        "tree": tree_json(judged.tree),
        "not_used": [
            {"result_id": left.result_id, "reason": left.reason.value, "detail": left.detail}
            for left in left_out
        ],
    }
