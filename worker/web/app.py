"""The web app put together: layers, routers, static files, and how errors are said. No route lives here."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from alerts.states import NotAllowed
from alerts.steps import Conflict
from worker.composition import Deps
from worker.web import (
    api,
    break_glass,
    call_list,
    cds_hooks,
    cover,
    events,
    fhir,
    fhir_alerts,
    fhir_answers,
    fhir_metadata,
    governance,
    health,
    inbox,
    login,
    metrics_page,
    openid,
    overdue,
    preferences,
    privacy,
    quarantine,
    queue_marks,
    silent_findings,
    step_up,
    storms,
    stream,
    unaddressed,
)
from worker.web.deps import in_the_sites_locale, is_https
from worker.web.faults import SaidPlainly
from worker.web.frame import FRONT_DOOR
from worker.web.headers import SafeHeaders
from worker.web.login import login_page
from worker.web.one_length import OneLength
from worker.web.pages import STATIC, said, wants_page
from worker.web.provider import Provider
from worker.web.readers import BadToken, NotSignedIn, WrongRole
from worker.web.same_site import SameSiteOnly

BREAK_GLASS = "If you must see it because you treat the patient now, say why there; it is kept and read."
TITLES = {404: "Not here", 405: "Not possible", 413: "Too large"}


def create_app(deps: Deps) -> FastAPI:
    """The app for HTTP_LISTEN. Starts nothing: no thread, no broker, no migration."""
    app = FastAPI(title="Ferrule", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.deps = deps
    app.state.metrics_for_all = False
    app.state.watch = stream.Watch()
    for module in (health, metrics_page, events, fhir, fhir_alerts, fhir_metadata, api, stream):
        app.include_router(module.router)
    for pages in (
        (inbox, cover, preferences, break_glass, privacy),
        (quarantine, storms, unaddressed, call_list, overdue, queue_marks),
        (governance, silent_findings),
    ):
        for module in pages:
            app.include_router(module.router, dependencies=[Depends(in_the_sites_locale)])
    _add_sign_in(app, deps)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _say_errors(app)
    app.add_middleware(SaidPlainly)
    app.add_middleware(SameSiteOnly)
    if deps.settings.public_url:
        hosts = [urlsplit(deps.settings.links_to).hostname or "", "localhost", "127.0.0.1", "[::1]"]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(OneLength)
    app.add_middleware(SafeHeaders, https=is_https(deps.settings))
    return app


def _add_sign_in(app: FastAPI, deps: Deps) -> None:
    elsewhere = deps.settings.oidc_issuer is not None
    app.state.provider = Provider(deps.settings) if elsewhere else None
    if elsewhere:
        app.include_router(openid.router)
    if deps.settings.local_accounts:
        app.include_router(login.router)
    if elsewhere or deps.settings.local_accounts:
        app.include_router(login.asking)
    app.include_router(login.leaving)
    if deps.settings.cds_clients:
        app.include_router(cds_hooks.router)


def _say_errors(app: FastAPI) -> None:
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(WrongRole, _wrong_role)
    app.add_exception_handler(BadToken, _bad_token)
    app.add_exception_handler(step_up.NotSureEnough, step_up.refused)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(fhir_answers.FhirRefusal, fhir_answers.refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DataError, _unstorable)


def _not_signed_in(request: Request, _: Exception) -> Response:
    if fhir_answers.is_fhir(request):
        return fhir_answers.said(401, "not signed in", {"WWW-Authenticate": "Bearer"})
    if "hx-request" in request.headers:
        # A page that stood open asks for what is new: it must not go on showing patients.
        return Response(status_code=401, headers={"HX-Refresh": "true"})
    if wants_page(request):
        if request.app.state.deps.settings.local_accounts or request.app.state.provider:
            asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return login_page(request, asked, status=401)
        return said(
            request, 401, "Not signed in", "Sign-in is not set up here.", to="/login", words="Try again"
        )
    return JSONResponse({"detail": "not signed in"}, 401, headers={"WWW-Authenticate": "Bearer"})


def _wrong_role(request: Request, _: Exception) -> Response:
    if fhir_answers.is_fhir(request):
        return fhir_answers.said(403, "not for this role")
    if wants_page(request):
        if request.url.path == FRONT_DOOR and "authorization" not in request.headers:
            # Whoever logs in is led here; those who run Ferrule have pages of their own.
            return RedirectResponse("/", status_code=303)
        return said(
            request,
            403,
            "Not for this account",
            "This page is for another role than yours.",
            to="/",
            words="To your first page",
        )
    return JSONResponse({"detail": "not for this role"}, 403)


def _bad_token(request: Request, _: Exception) -> Response:
    if wants_page(request):
        return said(
            request,
            403,
            "Nothing was changed",
            "The page was too old, or the form came from elsewhere. Open it again.",
        )
    return JSONResponse({"detail": "the form's token is missing or old"}, 403)


def _not_allowed(_: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    return JSONResponse({"detail": str(error), "state": error.state}, 409)


def _conflict(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 412)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if fhir_answers.is_fhir(request):
        return fhir_answers.said(error.status_code, str(error.detail), error.headers)
    if wants_page(request) and error.status_code == 404 and request.url.path.startswith("/inbox/"):
        # The same words whether there is such an alert or not.
        no_alert = "There is no such alert, or it is not addressed to you."
        way = {"to": "/break-glass", "words": "To break-glass"}
        return said(request, 404, TITLES[404], no_alert, BREAK_GLASS, **way)
    if wants_page(request):
        lines = ["There is no such page."] if error.status_code == 404 else []
        return said(request, error.status_code, TITLES.get(error.status_code, "That did not work"), *lines)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def _unstorable(request: Request, error: Exception) -> Response:
    """400 where a word holds what a database keeps in no text (PostgreSQL: a NUL). SQLite takes it, and finds
    nothing.

    Raises it again for what is sent to be judged: only a fault of ours refuses that, and it comes again.
    """
    if request.method != "GET" and (fhir_answers.is_fhir(request) or request.url.path == "/events"):
        raise error
    return _http(request, HTTPException(400, "a text holds a character that cannot be stored"))


def _invalid(request: Request, error: Exception) -> Response:
    """422 with the field; never the value that was given."""
    assert isinstance(error, RequestValidationError)
    faults = [
        {"field": ".".join(str(part) for part in e["loc"][1:]), "problem": e["msg"]} for e in error.errors()
    ]
    if wants_page(request) and any(e["loc"][0] == "path" for e in error.errors()):
        return said(request, 404, TITLES[404], "There is no such page.")
    if wants_page(request):
        return said(request, 422, "Something is missing", *(f"{f['field']}: {f['problem']}" for f in faults))
    return JSONResponse({"detail": faults}, 422)
