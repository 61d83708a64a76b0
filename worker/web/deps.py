"""What the routes get from the app they belong to: the deps of `worker.composition`, and what follows."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from worker.composition import Deps
from worker.locales import locale_named
from worker.settings import Settings
from worker.web import words


def deps_of(request: Request) -> Deps:
    """The deps of the app that serves this request."""
    deps = request.app.state.deps
    assert isinstance(deps, Deps)
    return deps


def is_https(settings: Settings) -> bool:
    """Whether clinicians reach the pages by https: cookies are then secure and bound to the host."""
    return settings.links_to.startswith("https://")


def zone_of(settings: Settings) -> ZoneInfo:
    """The zone in which pages print times."""
    return settings.default_zone or ZoneInfo("UTC")


async def in_the_sites_locale(request: Request) -> None:
    """What this request writes has the site's dates and numbers. For pages; never for what a program reads.

    Not a plain function: those run in a thread of their own, whose context ends with them.
    """
    tag = None if request.url.path.startswith("/api/") else deps_of(request).settings.locale
    words.LOCALE.set(locale_named(tag) if tag else None)


Have = Annotated[Deps, Depends(deps_of)]
