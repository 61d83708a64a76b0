"""The one place where settings become real things: engine, rules, doorbell. It does no work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from alerts import timers
from alerts.due import Clock
from alerts.policy import read_policy
from rules.load import load_ruleset
from rules.ruleset import Ruleset
from worker import faultpoints, head_signing, metrics, runtime
from worker.channels import check_channels
from worker.database import db_now, make_engine, writing
from worker.doorbell import Doorbell
from worker.fhir_servers import check_servers
from worker.settings import Settings
from worker.sources import InForce, Watched, load_sources, no_sources

Publish = Callable[[Sequence[int]], bool]
"""Rings the doorbell for stored messages, by their ids. False: not rung; the poller finds them anyway."""


@dataclass(frozen=True)
class Deps:
    """What the use cases work with. `clock` is the database's; tests move it."""

    engine: Engine
    ruleset: Ruleset
    settings: Settings
    publish: Publish
    sources: InForce = no_sources
    clock: Clock = db_now


def unheard(_ids: Sequence[int]) -> bool:
    """The doorbell of a house without a broker: nobody hears it, the poller comes by."""
    return False


def build(settings: Settings) -> Deps:
    """Everything for one process. Raises SettingsError, WrongDatabase or BadFile."""
    if settings.allow_faults:
        faultpoints.arm(settings.faultpoints)
    return Deps(
        engine=make_engine(settings.database),
        ruleset=load_ruleset(settings.rules_dir, settings.site_file),
        settings=settings,
        publish=doorbell_of(settings),
        sources=sources_of(settings),
    )


def sources_of(settings: Settings) -> InForce:
    """The configured senders, whose names are the metrics' labels from now on. Raises BadFile."""
    if settings.sources_file is None:
        return no_sources
    watched = Watched(settings.sources_file, metrics.sources_refused)
    metrics.name_sources(lambda source: watched().label(source))
    for sender in watched().senders:
        if sender.silent_after_seconds is not None:
            metrics.SILENT_AFTER.labels(sender.name).set(sender.silent_after_seconds)
    return watched


def check(settings: Settings) -> None:
    """Raise now what would stop a process later: rule files that are refused, an unreadable SMTP_URL."""
    load_ruleset(settings.rules_dir, settings.site_file)
    load_sources(settings.sources_file)
    read_policy(settings.escalation_file)
    check_channels(settings)
    check_servers(settings)
    head_signing.check(settings)
    if settings.allow_faults:
        faultpoints.arm(settings.faultpoints)


def put_policy_in_force(deps: Deps) -> None:
    """New alerts are planned by this site's escalation policy. Raises BadFile."""
    policy = read_policy(deps.settings.escalation_file, deps.settings.default_zone)
    with writing(deps.engine) as connection:
        timers.put_in_force(connection, policy, db_now(connection))


def doorbell_of(settings: Settings) -> Publish:
    """The site's broker, else that of the `up` that runs in this DATA_DIR."""
    running = runtime.read(settings) or {}
    url = settings.broker or running.get("broker_url")
    return Doorbell(url).ring if isinstance(url, str) else unheard
