"""The sources file: who sends to us, how each is recognized and how it writes.

A file that cannot be taken stops the start; one that goes wrong while Ferrule runs leaves the old one in
force, and says so. Nothing here reads a message.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from alerts.zones import zone_named
from rules.shaping import shaped
from rules.yaml_source import BadFile, Path_, Source, read_yaml
from worker.intake.dialect import PLAIN, DecimalMark, Dialect
from worker.logs import logger
from worker.mappings import LabMapping, read_mapping
from worker.source_shape import LISTED, RecognizedByShape, SourcesFileShape, SourceShape

log = logger("worker.sources")

HL7_PREFIX = "urn:hl7v2:"
OTHER = "other"
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Hl7Sender:
    """MSH-4 and MSH-3 of a sender; None: any."""

    facility: str | None
    application: str | None

    def fits(self, facility: str, application: str) -> bool:
        """Whether a header may be this sender's."""
        return self.facility in (None, facility) and self.application in (None, application)

    @property
    def exactness(self) -> int:
        """How much of the header it names; the most exact sender is taken."""
        return (self.facility is not None) + (self.application is not None)


@dataclass(frozen=True, slots=True)
class Sender:
    """One configured source. `name` is its metric label; `authorities` empty: it may speak of anyone."""

    name: str
    events: tuple[str, ...] = ()
    hl7: tuple[Hl7Sender, ...] = ()
    certificates: tuple[str, ...] = ()
    authorities: frozenset[str] = frozenset()
    dialect: Dialect = PLAIN
    silent_after_seconds: int | None = None

    def may_speak_of(self, authority: str) -> bool:
        """Whether it may send of patients that this authority numbers."""
        return not self.authorities or authority in self.authorities or authority == self.dialect.authority


@dataclass(frozen=True)
class Sources:
    """Every configured source, found by what a message carries."""

    senders: tuple[Sender, ...] = ()
    _seen: dict[str, Sender | None] = field(default_factory=dict, compare=False, repr=False)

    def of(self, source: str) -> Sender | None:
        """The sender of a stored message or an event, by its `source`; None: nobody configured it."""
        if source not in self._seen:
            if len(self._seen) > 10_000:  # the text is its sender's: no memory for ever new ones
                self._seen.clear()
            self._seen[source] = self._find(source)
        return self._seen[source]

    def by_header(self, facility: str, application: str) -> Sender | None:
        """The sender of an HL7 header, by MSH-4 and MSH-3."""
        fitting = [
            (hl7.exactness, sender)
            for sender in self.senders
            for hl7 in sender.hl7
            if hl7.fits(facility, application)
        ]
        return max(fitting, key=lambda one: one[0])[1] if fitting else None

    def by_certificate(self, names: Iterable[str]) -> Sender | None:
        """The sender that shows a client certificate with one of these names."""
        wanted = {name.casefold() for name in names}
        return next((s for s in self.senders if wanted & {c.casefold() for c in s.certificates}), None)

    def named(self, name: str) -> Sender | None:
        """The sender of a short name."""
        return self._by_name.get(name)

    def label(self, source: str) -> str:
        """The metric label of a source: its configured name, else `other`."""
        sender = self.of(source)
        return sender.name if sender else OTHER

    def dialect(self, source: str) -> Dialect:
        """How a source writes."""
        sender = self.of(source)
        return sender.dialect if sender else PLAIN

    @cached_property
    def _by_name(self) -> Mapping[str, Sender]:
        return MappingProxyType({sender.name: sender for sender in self.senders})

    def _find(self, source: str) -> Sender | None:
        for sender in self.senders:
            if source in sender.events:
                return sender
        if not source.startswith(HL7_PREFIX):
            return None
        facility, _, application = source.removeprefix(HL7_PREFIX).partition(":")
        return self.by_header(unquote(facility), unquote(application))


NO_SOURCES = Sources()


def load_sources(path: Path | None) -> Sources:
    """The sources of a file, with their mappings; none without a file.

    Raises:
        BadFile: `file:line: what is wrong; what to do`.
    """
    if path is None:
        return NO_SOURCES
    source = _read(path)
    shape = shaped(source, SourcesFileShape, LISTED)
    _refuse_shared(source, shape)
    return Sources(tuple(_sender(source, at, one, path.parent) for at, one in enumerate(shape.sources)))


def _read(path: Path) -> Source:
    try:
        return read_yaml(path)
    except OSError as error:
        raise BadFile(f"{path}:0: cannot be read ({type(error).__name__}); name a sources file") from None


def _sender(source: Source, at: int, shape: SourceShape, folder: Path) -> Sender:
    place: Path_ = ("sources", at)
    zone = _zone(source, place, shape.zone)
    mapping = _mapping(source, place, shape.mapping, folder)
    return Sender(
        name=shape.name,
        events=tuple(shape.recognized_by.events),
        hl7=tuple(Hl7Sender(one.facility, one.application) for one in shape.recognized_by.hl7),
        certificates=tuple(shape.recognized_by.certificates),
        authorities=frozenset(shape.authorities),
        dialect=Dialect(
            zone, DecimalMark(shape.decimal), shape.authority, mapping.codes, mapping.labels, mapping.units
        ),
        silent_after_seconds=shape.silent_after_minutes and shape.silent_after_minutes * 60,
    )


def _zone(source: Source, place: Path_, name: str | None) -> ZoneInfo | None:
    try:
        return zone_named(name) if name else None
    except ValueError:
        raise source.error(
            (*place, "zone"), f"'{name}' is no time zone; write one such as Europe/Oslo"
        ) from None


def _mapping(source: Source, place: Path_, name: str | None, folder: Path) -> LabMapping:
    if name is None:
        return LabMapping({}, {}, {})
    if Path(name).name != name:
        raise source.error((*place, "mapping"), "a mapping file lies beside this file; write its name alone")
    try:
        return read_mapping(folder / name)
    except OSError:
        raise source.error((*place, "mapping"), f"{name} cannot be read beside this file") from None


def _refuse_shared(source: Source, shape: SourcesFileShape) -> None:
    """One thing that names two senders names none."""
    seen: dict[tuple[str, object], str] = {}
    for at, one in enumerate(shape.sources):
        if one.name == OTHER:
            raise source.error(("sources", at, "name"), "'other' names what is not configured; take another")
        for key in [("name", one.name), *_marks(one.recognized_by)]:
            if key in seen:
                said = f"{key[0]} of '{one.name}' is that of '{seen[key]}' too; give it to one of them"
                raise source.error(("sources", at), said)
            seen[key] = one.name


def _marks(by: RecognizedByShape) -> Iterator[tuple[str, object]]:
    yield from (("event source", name) for name in dict.fromkeys(by.events))
    yield from (("certificate", name.casefold()) for name in dict.fromkeys(by.certificates))
    yield from (("hl7", (one.facility, one.application)) for one in by.hl7)


# ── while Ferrule runs ───────────────────────────────────────────────────────────────────────────────

InForce = Callable[[], Sources]
"""Gives the sources in force now."""


def no_sources() -> Sources:
    """Nothing is configured of anyone."""
    return NO_SOURCES


class Watched:
    """The sources in force: read again when a file has changed, the old ones kept while it is wrong.

    `changed_to_bad` is told once of each wrong version.
    """

    def __init__(self, path: Path, on_bad: Callable[[bool], None] = lambda _bad: None) -> None:
        self._path, self._on_bad = path, on_bad
        self._look_at = 0.0
        self._seen = self._stamp()
        self._sources = load_sources(path)

    def __call__(self) -> Sources:
        """The sources in force now; the disk is asked at most once in `LOOK_SECONDS`."""
        now = time.monotonic()
        if now < self._look_at:
            return self._sources
        self._look_at = now + LOOK_SECONDS
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            self._read_again()
        return self._sources

    def _read_again(self) -> None:
        try:
            self._sources = load_sources(self._path)
        except BadFile as error:
            log.error("sources file refused; the old one stays", setting="SOURCES_FILE", part=_place(error))
            self._on_bad(True)
        else:
            log.info("sources file read again", count=len(self._sources.senders))
            self._on_bad(False)

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Name, size and time of every YAML file in the folder: mappings lie beside the sources file."""
        try:
            entries = [e for e in os.scandir(self._path.parent) if e.name.endswith((".yaml", ".yml"))]
            return tuple(sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries))
        except OSError:
            return ()


def _place(error: BadFile) -> str:
    """`file:line` of a refusal; what is wrong there is printed by `ferrule codes check`."""
    return ":".join(str(error).split(":")[:2])
