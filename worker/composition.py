"""The one place where settings become real things: engine, rules, doorbell. It does no work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from rules.load import load_ruleset
from rules.ruleset import Ruleset
from worker import faultpoints
from worker.database import make_engine
from worker.settings import Settings

Publish = Callable[[Sequence[int]], bool]
"""Rings the doorbell for stored messages, by their ids. False: it did not ring; the poller finds them anyway.
"""


@dataclass(frozen=True)
class Deps:
    """What the use cases work with."""

    engine: Engine
    ruleset: Ruleset
    settings: Settings
    publish: Publish


def unheard(_ids: Sequence[int]) -> bool:
    """The doorbell of a house without a broker: nobody hears it, the poller comes by."""
    return False


def build(settings: Settings) -> Deps:
    """Everything for one process. Raises SettingsError, WrongDatabase or what the rule files are refused
    with.
    """
    if settings.allow_faults:
        faultpoints.arm(settings.faultpoints)
    return Deps(
        engine=make_engine(settings.database),
        ruleset=load_ruleset(settings.rules_dir, settings.site_file),
        settings=settings,
        publish=_doorbell(settings),
    )


def _doorbell(settings: Settings) -> Publish:
    if settings.broker is None:
        return unheard
    from worker.doorbell import Doorbell

    return Doorbell(settings.broker).ring
