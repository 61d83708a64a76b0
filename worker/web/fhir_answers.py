"""What FHIR clients are answered: media types, OperationOutcome, and refusals as exceptions. Never HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request, Response

from worker.intake.fhir_issues import Issue
from worker.intake.json_text import dumps
from worker.intake.unreadable import Reason, Unreadable

FHIR_JSON = "application/fhir+json"
WRITTEN_AS = f"{FHIR_JSON}; charset=utf-8; fhirVersion=4.0"
_ACCEPTED = frozenset({FHIR_JSON, "application/json", "text/json", "application/*", "*/*"})
_FORMATS = frozenset({"json", FHIR_JSON, "application/json", "text/json"})
_R4 = frozenset({"4.0", "4.0.1"})

_STATUS_OF = {
    Reason.NOT_JSON: 400,
    Reason.DUPLICATE_KEY: 400,
    Reason.CHARSET: 400,
    Reason.TOO_LARGE: 413,
    Reason.TOO_MANY: 413,
}
_CODE_OF_STATUS = {
    400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported",
    406: "not-supported", 408: "timeout", 409: "conflict", 412: "conflict", 413: "too-long",
    415: "not-supported", 422: "processing", 429: "throttled", 500: "exception", 503: "transient",
}  # fmt: skip


class FhirRefusal(Exception):
    """An answer other than success; raised anywhere behind the FHIR doors."""

    def __init__(self, status: int, *issues: Issue, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.issues = issues
        self.headers = headers


def refusal(
    status: int, remedy: str, *, expression: str = "", headers: Mapping[str, str] | None = None
) -> FhirRefusal:
    """A refusal of one issue."""
    return FhirRefusal(status, Issue(_CODE_OF_STATUS[status], expression, remedy), headers=headers)


def refusal_of(error: Unreadable) -> FhirRefusal:
    """The refusal of bytes that cannot be read: 400 or 413 for the bytes, 422 for what they say."""
    status = _STATUS_OF.get(error.reason, 422)
    code = {413: "too-costly" if error.reason is Reason.TOO_MANY else "too-long"}.get(status, "structure")
    place = error.place if error.place[:1].isupper() else ""
    remedy = error.remedy if place or not error.place else f"{error.place}: {error.remedy}"
    return FhirRefusal(status, Issue(code, place, remedy))


def is_fhir(request: Request) -> bool:
    """Whether a FHIR client asks: it understands no other answers."""
    return request.url.path.startswith("/fhir/") or request.url.path == "/fhir"


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A resource as an answer, numbers as written."""
    return Response(dumps(content), status, headers=dict(headers or {}), media_type=WRITTEN_AS)


def outcome(
    issues: Sequence[Issue], severity: str = "error", diagnostics: str | None = None
) -> dict[str, Any]:
    """An OperationOutcome; `diagnostics` alone makes one of information."""
    told = [_issue(issue, severity) for issue in issues]
    if diagnostics is not None:
        told.append({"severity": "information", "code": "informational", "diagnostics": diagnostics})
    return {"resourceType": "OperationOutcome", "issue": told}


def refused(request: Request, error: Exception) -> Response:
    """The answer to a `FhirRefusal`."""
    assert isinstance(error, FhirRefusal)
    return answer(outcome(error.issues), error.status, error.headers)


def said(status: int, remedy: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a fault that is not about a resource: no log-in, no such door, a fault of ours."""
    code = _CODE_OF_STATUS.get(status, "processing")
    return answer(outcome([Issue(code, "", remedy)]), status, headers)


def readable_answer(request: Request) -> None:
    """Refuse a client that takes no FHIR JSON: 406. `_format` goes before Accept."""
    asked = request.query_params.get("_format")
    if asked is not None:
        if asked.split(";")[0].strip().replace(" ", "+") not in _FORMATS:
            raise refusal(406, "_format: this server answers in JSON alone (_format=json)")
        return
    accept = request.headers.get("accept", "*/*")
    wanted = [one.partition(";") for one in accept.split(",")]
    if not any(_is_json(media.strip().lower(), more) for media, _, more in wanted):
        raise refusal(406, f"Accept: this server answers in {FHIR_JSON} of FHIR 4.0 alone")


def _is_json(media: str, parameters: str) -> bool:
    return media in _ACCEPTED and fhir_version(parameters) in _R4 | {None}


def fhir_version(parameters: str) -> str | None:
    """The `fhirVersion` of a media type; None when it names none."""
    for one in parameters.split(";"):
        name, _, value = one.partition("=")
        if name.strip().lower() == "fhirversion":
            return value.strip().strip('"')
    return None


def _issue(issue: Issue, severity: str) -> dict[str, Any]:
    told: dict[str, Any] = {"severity": severity, "code": issue.code, "diagnostics": issue.diagnostics}
    return told | {"expression": [issue.expression]} if issue.expression else told
