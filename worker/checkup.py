"""The questions of `ferrule doctor`: settings sane, each part there, rules and packages ours?

Asks and changes nothing. No answer holds a password or patient data.
"""

from __future__ import annotations

import shutil
import smtplib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

import alerts
import rules
from rules.yaml_source import BadFile
from worker import broker, clock, runtime
from worker.broker import NoBroker
from worker.database import WrongDatabase, db_now, is_sqlite, make_engine, reading
from worker.fhir_subscriptions import missing_by_source
from worker.mllp.address import Address
from worker.mllp.tls import expires_at, server_context
from worker.quarantine import is_waiting
from worker.schema import is_current
from worker.settings import Settings, SettingsError
from worker.sources import load_sources
from worker.tables import MESSAGE, QUARANTINE_ITEM
from worker.unit_watch import suspicions

LEAST_FREE_BYTES = 500_000_000
RENEWED_BEFORE = timedelta(days=30)
RENEW = "put a new one at FERRULE_MLLP_TLS_CERTIFICATE and start the listener again"


class Health(Enum):
    """How a part is."""

    WELL = "well"
    WARNING = "warning"
    ILL = "ill"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one part said, and what to do about it."""

    part: str
    health: Health
    said: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every part, asked in the order in which they need each other."""
    questions: Sequence[Callable[[Settings], list[Finding]]] = (
        _packages,
        _disk,
        _database,
        _broker,
        _listener,
        _certificate,
        _sources,
        _rules,
        _mail,
    )
    return [finding for question in questions for finding in question(settings)]


def _packages(_settings: Settings) -> list[Finding]:
    """`rules` and `alerts` are other people's packages elsewhere: ours lie beside us."""
    house = Path(__file__).parents[1]
    strange = [
        package.__name__ for package in (rules, alerts) if Path(package.__file__ or "").parents[1] != house
    ]
    if strange:
        said = f"{', '.join(strange)} imported here is not Ferrule's"
        return [Finding("packages", Health.ILL, said, "give Ferrule a virtual environment of its own")]
    return [Finding("packages", Health.WELL, "rules, alerts and worker are ours")]


def _disk(settings: Settings) -> list[Finding]:
    place = settings.data_dir if settings.data_dir.exists() else Path.cwd()
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        return [Finding("disk", Health.WARNING, f"{free // 10**6} MB free at DATA_DIR", "make room there")]
    return [Finding("disk", Health.WELL, f"{free // 10**9} GB free at DATA_DIR")]


def _database(settings: Settings) -> list[Finding]:
    url = make_url(settings.database)
    where = f"{url.get_backend_name()} {url.host or url.database or ''}".strip()
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return [Finding("database", Health.WARNING, f"{where} is not there yet", "ferrule db upgrade")]
    try:
        engine = make_engine(settings.database)
        with reading(engine) as connection:
            found = [Finding("database", Health.WELL, f"{where} answers")]
            if not is_sqlite(connection):
                found += _durability(connection.execute(text("show fsync")).scalar_one(), "fsync")
                found += _durability(
                    connection.execute(text("show synchronous_commit")).scalar_one(), "synchronous_commit"
                )
        if not is_current(engine):
            return [*found, Finding("schema", Health.ILL, "not up to date", "ferrule db upgrade")]
        return [*found, Finding("schema", Health.WELL, "up to date"), *_backlog(settings)]
    except WrongDatabase as error:
        return [Finding("database", Health.ILL, str(error), "set FERRULE_DATABASE_URL")]
    except SQLAlchemyError as error:
        said = f"{where} does not answer ({type(getattr(error, 'orig', error)).__name__})"
        return [Finding("database", Health.UNREACHABLE, said, "start it, or correct FERRULE_DATABASE_URL")]


def _durability(value: str, name: str) -> list[Finding]:
    if value != "off":
        return []
    said = f"{name} is off: what was acknowledged can be lost"
    return [Finding("database", Health.ILL, said, f"ALTER SYSTEM SET {name} = on")]


def _backlog(settings: Settings) -> list[Finding]:
    engine = make_engine(settings.database)
    with reading(engine) as connection:
        pending = connection.execute(select(func.count()).where(MESSAGE.c.state == "pending")).scalar_one()
        open_items = select(func.count()).select_from(QUARANTINE_ITEM).where(*is_waiting())
        aside = connection.execute(open_items).scalar_one()
        urgent = connection.execute(open_items.where(QUARANTINE_ITEM.c.may_be_critical)).scalar_one()
        oldest = connection.execute(
            select(func.min(QUARANTINE_ITEM.c.created_at)).where(*is_waiting())
        ).scalar()
        age = _days(db_now(connection) - oldest) if oldest else ""
        intake = [*_gaps(connection), *_units(connection)]
    found = [Finding("messages", Health.WELL, f"{pending} wait to be judged")]
    if aside:
        said = f"{aside} wait, the oldest for {age}"
        said += f", {urgent} may hold a critical value" if urgent else ""
        health = Health.ILL if urgent else Health.WARNING
        found.append(Finding("quarantine", health, said, "ferrule quarantine list"))
    return found + intake


def _days(age: timedelta) -> str:
    return f"{age.days} d" if age.days else f"{int(age.total_seconds()) // 60} min"


def _gaps(connection: Connection) -> list[Finding]:
    missing = missing_by_source(connection)
    if not missing:
        return []
    count = sum(number for number, _ in missing.values())
    oldest = db_now(connection) - min(since for _, since in missing.values())
    said = f"{count} events of subscriptions are missing, the oldest for {_days(oldest)}"
    return [Finding("FHIR gaps", Health.WARNING, said, "ferrule gaps list")]


def _units(connection: Connection) -> list[Finding]:
    found = suspicions(connection)
    if not found:
        return [Finding("unit watch", Health.WELL, "no source's values look like another unit's")]
    said = ", ".join(f"{one.source}: {one.analyte} in {one.unit} looks like {one.other}" for one in found)
    return [Finding("unit watch", Health.WARNING, said, "ask the laboratory which unit it means")]


def _broker(settings: Settings) -> list[Finding]:
    if settings.broker is None:
        try:
            return [Finding("broker", Health.WELL, f"`up` starts {broker.find_server().name}")]
        except NoBroker as error:
            return [Finding("broker", Health.ILL, "none is set and none can be started", str(error))]
    host = urlsplit(settings.broker).hostname or "?"
    if broker.answers(settings.broker):
        return [Finding("broker", Health.WELL, f"{host} answers"), *_eviction(settings.broker)]
    return [
        Finding(
            "broker",
            Health.UNREACHABLE,
            f"{host} does not answer (results are still judged, by the poller)",
            "start it, or correct FERRULE_BROKER_URL",
        )
    ]


def _listener(settings: Settings) -> list[Finding]:
    """Nobody has to take HL7: a listener that does not run is a warning."""
    try:
        guarded = server_context(settings) is not None
    except SettingsError as error:
        return [Finding("HL7 listener", Health.ILL, str(error), "correct the setting, or mend the file")]
    where = (runtime.read(settings) or {}).get("mllp") or settings.mllp_listen
    if Address.of(where).answers():
        return [Finding("HL7 listener", Health.WELL, f"{where} answers, {'TLS' if guarded else 'no TLS'}")]
    said = f"nobody listens at {where}"
    return [Finding("HL7 listener", Health.WARNING, said, "ferrule listen, where HL7 is to be taken")]


def _certificate(settings: Settings) -> list[Finding]:
    """Senders refuse an expired certificate, and a feed that stops so stops for everybody at once."""
    path = settings.mllp_tls_certificate
    end = expires_at(path) if path else None
    if path is None or end is None:
        return []  # a file that cannot be read is the listener's to name
    left = end - clock.now()
    said = f"that of the HL7 listener ends on {end:%Y-%m-%d}, in {left.days} d"
    if left <= timedelta(0):
        return [Finding("certificate", Health.ILL, said.partition(",")[0] + ": it is over", RENEW)]
    return [
        Finding(
            "certificate",
            Health.WARNING if left < RENEWED_BEFORE else Health.WELL,
            said,
            RENEW if left < RENEWED_BEFORE else "",
        )
    ]


def _sources(settings: Settings) -> list[Finding]:
    try:
        senders = load_sources(settings.sources_file).senders
    except BadFile as error:
        return [Finding("sources file", Health.ILL, str(error).splitlines()[0], "ferrule codes check")]
    if settings.sources_file is None:
        said = "none: every sender is `other`, and local codes mean nothing"
        return [Finding("sources file", Health.WELL, said, "")]
    return [Finding("sources file", Health.WELL, f"{len(senders)} sources")]


def _eviction(url: str) -> list[Finding]:
    policy = broker.eviction_policy(url)
    if policy in (None, "noeviction"):
        return []
    said = f"maxmemory-policy is {policy}: events on the queue can be dropped before they are stored"
    return [Finding("broker", Health.WARNING, said, "set maxmemory-policy noeviction")]


def _rules(settings: Settings) -> list[Finding]:
    from rules.load import load_ruleset

    try:
        ruleset = load_ruleset(settings.rules_dir, settings.site_file)
    except Exception as error:
        # Whatever a rule file is refused with names its line: that is the answer.
        return [Finding("rules", Health.ILL, str(error).splitlines()[0], "ferrule rules lint")]
    return [Finding("rules", Health.WELL, f"{len(ruleset.rules)} loaded, {ruleset.fingerprint[:19]}…")]


def _mail(settings: Settings) -> list[Finding]:
    if settings.smtp_url is None:
        return [Finding("e-mail", Health.WELL, "off: alerts are shown in the inbox only")]
    url = urlsplit(settings.smtp_url.get_secret_value())
    try:
        with smtplib.SMTP(url.hostname or "localhost", url.port or 25, timeout=5) as relay:
            relay.noop()
    except (OSError, smtplib.SMTPException, socket.gaierror) as error:
        said = f"{url.hostname} does not answer ({type(error).__name__})"
        return [Finding("e-mail", Health.UNREACHABLE, said, "start it, or correct FERRULE_SMTP_URL")]
    return [Finding("e-mail", Health.WELL, f"{url.hostname} answers")]
