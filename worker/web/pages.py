"""Rendering: the Jinja2 environment, and what every page is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from worker.web.languages import languages_named
from worker.web.words import LOCALE

HERE = Path(__file__).parent
STATIC = HERE / "static"

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(request: Request, name: str, status: int = 200, **context: Any) -> Response:
    """The template `name` as an answer; `reader`, what the frame shows of the reader, may be left out."""
    context.setdefault("reader", None)
    html = _ENVIRONMENT.get_template(name).render(request=request, **context)
    return HTMLResponse(languages_named(html, LOCALE.get()), status)


def said(
    request: Request, status: int, title: str, *lines: str, to: str = "/inbox", words: str = "To the list"
) -> Response:
    """A page that says one thing and the way on."""
    return page(request, "said.html", status, title=title, lines=lines, way_on=to, way_on_words=words)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, not a program."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
