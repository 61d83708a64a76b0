"""/governance/silent and /api/silent-findings, for the rules' owners: what silent rules found, to judge.

Age, sex and the values that decided, no name and no number. Each look and each verdict is kept.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import Connection, Row

from alerts import silent
from alerts.people import Address
from alerts.silent import Fared, NoSuchFinding, Verdict
from alerts.snapshot import time_text
from worker import records
from worker.composition import Deps
from worker.database import db_now, writing
from worker.records import Stored
from worker.web import trail, words
from worker.web.deps import Have, zone_of
from worker.web.evidence import absent_in, on_record_in, results_in
from worker.web.examples import SILENT_FINDINGS, VERDICT, answered_with
from worker.web.explanation import branch
from worker.web.frame import frame_of
from worker.web.pages import page
from worker.web.people import sex_and_age
from worker.web.readers import BadToken, Reader, RuleOwner
from worker.web.timeline import names_of
from worker.web.visible import Number

router = APIRouter(tags=["silent rules"])

PAGE = 50
TRACEABLE = frozenset({"key", "result_id", "record_id", "source"})
"""What of the evidence would lead to the patient in another system."""
WORDS: dict[Verdict, str] = {
    Verdict.RIGHT: "Right: it should be told",
    Verdict.WRONG: "Wrong: it should not be told",
    Verdict.UNSURE: "Unsure: it cannot be told from this",
}


class Judging(BaseModel):
    """What the owner thinks of a finding, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [VERDICT]})

    verdict: Verdict
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


def form_sender(reader: RuleOwner, csrf: Annotated[str, Form()] = "") -> Reader:
    """The rule owner who sent a form with the token of their session; raises BadToken."""
    if reader.session is None or not secrets.compare_digest(csrf.encode(), reader.csrf.encode()):
        raise BadToken
    return reader


@router.get("/api/silent-findings", responses=answered_with(SILENT_FINDINGS))
def many(
    request: Request, reader: RuleOwner, have: Have, rule: Annotated[str | None, Query(max_length=200)] = None
) -> dict[str, Any]:
    """What silent rules found, first what waits for a verdict, and how each version of them fared."""
    with writing(have.engine) as connection:
        found = silent.findings(connection, rule)
        _note(connection, request, reader, found)
        return {
            "rules": [fared_json(one) for one in silent.fared(connection)],
            "items": [finding_json(row) for row in found],
        }


@router.post("/api/silent-findings/{finding}/verdict", responses=answered_with({"id": 7, **VERDICT}))
def judge(request: Request, reader: RuleOwner, have: Have, finding: Number, body: Judging) -> dict[str, Any]:
    """Judge a finding, or judge it anew. 404: there is none of that number."""
    try:
        with writing(have.engine) as connection:
            by, now = trail.actor(request, reader), db_now(connection)
            silent.adjudicate(connection, finding, body.verdict, body.reason, by, now)
    except NoSuchFinding:
        raise HTTPException(404) from None
    return {"id": finding, "verdict": body.verdict, "reason": body.reason}


@router.get("/governance/silent", include_in_schema=False)
def list_page(
    request: Request, reader: RuleOwner, have: Have, rule: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """What silent rules found, with a form for each."""
    return _page(request, reader, have, rule)


@router.post("/governance/silent/{finding}", include_in_schema=False)
def judge_form(
    request: Request,
    reader: Annotated[Reader, Depends(form_sender)],
    have: Have,
    finding: Number,
    verdict: Annotated[str, Form(max_length=20)] = "",
    because: Annotated[str, Form(max_length=1000)] = "",
    rule: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The verdict, from the page; one that is not complete is said there."""
    if verdict not in list(Verdict) or not because.strip():
        wrong = "Nothing was changed. Please choose a verdict, and say why."
        return _page(request, reader, have, rule or None, 422, wrong)
    judge(request, reader, have, finding, Judging(verdict=Verdict(verdict), reason=because))
    return RedirectResponse(f"/governance/silent{f'?rule={quote(rule)}' if rule else ''}", 303)


def fared_words(one: Fared) -> dict[str, Any]:
    """The counts of one version of a rule in words, for the governance page."""
    return {
        "rule": one.rule,
        "version": one.version,
        "found": one.found,
        "waiting": one.waiting,
        "verdicts": f"{one.right} right, {one.wrong} wrong, {one.unsure} unsure",
        "ppv": _ppv(one),
    }


def fared_json(one: Fared) -> dict[str, Any]:
    """The counts of one version of a rule; `ppv` and its interval are null before the first verdict."""
    names = ("rule", "version", "found", "waiting", "right", "wrong", "unsure", "ppv")
    return {**{name: getattr(one, name) for name in names}, "ppv_95": one.interval}


def finding_json(row: Row[Any]) -> dict[str, Any]:
    """One finding, without its patient."""
    names = ("id", "rule", "rule_version", "severity", "headline", "text", "verdict", "reason")
    times = ("as_of", "found_at", "judged_at")
    evidence = [{k: v for k, v in one.items() if k not in TRACEABLE} for one in row.evidence]
    said = {name: getattr(row, name) for name in names} | {t: time_text(getattr(row, t)) for t in times}
    return said | {"evidence": evidence}


def _ppv(one: Fared) -> str:
    if one.ppv is None or one.interval is None:
        return "no verdict yet"
    low, high = (f"{share * 100:.0f} %" for share in one.interval)
    return f"{one.ppv * 100:.0f} % (95 % interval {low} to {high}, of {one.decided})"


@dataclass(frozen=True, slots=True)
class _Look:
    """What a finding is shown with."""

    stored: dict[int, Stored]
    names: dict[Address, str]
    now: datetime
    have: Deps


def _page(
    request: Request, reader: Reader, have: Deps, rule: str | None, status: int = 200, wrong: str = ""
) -> Response:
    with writing(have.engine) as connection:
        found = silent.findings(connection, rule, most=PAGE)
        _note(connection, request, reader, found)
        judges = {_judge_of(row) for row in found if row.verdict}
        stored = records.load(connection, sorted({row.patient_id for row in found}))
        look = _Look(stored, names_of(connection, judges), db_now(connection), have)
        rules = [fared_words(one) for one in silent.fared(connection) if rule in (None, one.rule)]
    context = {
        "findings": [_shown(row, look) for row in found],
        "rules": rules,
        "rule": rule or "",
        "verdicts": WORDS,
        "wrong": wrong,
        "most": PAGE,
    }
    return page(request, "silent.html", status, reader=frame_of(reader), **context)


def _note(connection: Connection, request: Request, reader: Reader, found: list[Row[Any]]) -> None:
    by, now = trail.actor(request, reader), db_now(connection)
    trail.note_silent(connection, now, by, [row.id for row in found], [row.patient_id for row in found])


def _judge_of(row: Row[Any]) -> Address:
    return Address(row.judged_by_system, row.judged_by_ident)


def _shown(row: Row[Any], look: _Look) -> dict[str, Any]:
    zone = zone_of(look.have.settings)
    judge = _judge_of(row) if row.verdict else None
    return {
        "id": row.id,
        "rule": row.rule,
        "version": row.rule_version,
        "severity": row.severity,
        "headline": row.headline,
        "text": row.text,
        "who": sex_and_age(look.stored.get(row.patient_id), row.as_of),
        "found": words.stamp(row.found_at, zone),
        "values": [
            (one.name, one.text, words.day(one.effective_at, look.now, zone))
            for one in results_in(row.evidence)
        ],
        "on_record": on_record_in(row.evidence, look.now, zone),
        "absent": absent_in(row.evidence, row.as_of),
        "tree": branch(row.tree, look.now, zone),
        "verdict": WORDS[Verdict(row.verdict)] if row.verdict else "",
        "reason": row.reason or "",
        "judged": f"{look.names.get(judge, judge.id)}, {words.stamp(row.judged_at, zone)}" if judge else "",
    }
