"""What the routes get from the app they belong to: the deps of `worker.composition`, and what follows."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from worker.composition import Deps
from worker.settings import Settings


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


Have = Annotated[Deps, Depends(deps_of)]
