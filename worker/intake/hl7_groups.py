"""The segments of a message sorted by whom and what they belong to: patients, their orders, their records.

One walk from top to bottom; a segment belongs to what stands above it. Fields are not read here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.intake.hl7_records import RECORD_SEGMENTS
from worker.intake.hl7_specimen import remark, specimen_words
from worker.intake.hl7_split import Message, Segment


@dataclass
class Observation:
    """An OBX and the remarks under it."""

    obx: Segment
    notes: list[str] = field(default_factory=list)


@dataclass
class Order:
    """An OBR with the ORC before it, its observations, and what was said of its specimen."""

    obr: Segment
    orc: Segment | None
    observations: list[Observation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Entry:
    """A segment that makes a record, with the ORC above it and the RXR and TQ1 beside it."""

    segment: Segment
    orc: Segment | None = None
    route: Segment | None = None
    timing: Segment | None = None


@dataclass
class Group:
    """All that stands under one PID; `pid` is None for what comes before the first."""

    pid: Segment | None
    pd1: Segment | None = None
    restrictions: list[Segment] = field(default_factory=list)
    pv1: Segment | None = None
    merged: Segment | None = None
    orders: list[Order] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    orphans: list[Observation] = field(default_factory=list)

    @property
    def observations(self) -> list[Observation]:
        """Every OBX under the PID, of an order or of none."""
        return [*self.orphans, *(seen for order in self.orders for seen in order.observations)]


def grouped(message: Message) -> list[Group]:
    """The patients of a message, in order."""
    walk = _Walk()
    for segment in message.segments[1:]:
        walk.take(segment)
    return walk.groups


class _Walk:
    """Where in the message we are."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self._orc: Segment | None = None
        self._timing: Segment | None = None
        self._entry: Entry | None = None
        self._notes: list[str] = []
        self._steps: dict[str, Callable[[Segment], None]] = {
            "PID": self._patient,
            "PD1": self._more_of_patient,
            "ARV": self._restriction,
            "PV1": self._visit,
            "MRG": self._merge,
            "ORC": self._order_control,
            "OBR": self._request,
            "OBX": self._observation,
            "NTE": self._note,
            "SPM": self._specimen,
            "RXR": self._route,
            "TQ1": self._timed,
            **dict.fromkeys(RECORD_SEGMENTS, self._record),
        }

    def take(self, segment: Segment) -> None:
        """Put one segment where it belongs; one of no interest is passed over."""
        step = self._steps.get(segment.name)
        if step is not None:
            step(segment)

    @property
    def _group(self) -> Group:
        if not self.groups:
            self.groups.append(Group(None))
        return self.groups[-1]

    def _patient(self, pid: Segment) -> None:
        self.groups.append(Group(pid))
        self._orc = self._timing = self._entry = None
        self._notes = []

    def _more_of_patient(self, pd1: Segment) -> None:
        if self.groups:
            self._group.pd1 = pd1

    def _restriction(self, arv: Segment) -> None:
        """One between PID and PV1 is the patient's; after MSH it is the message's, after PV2 the visit's."""
        if self.groups and self._group.pv1 is None and not self._group.orders:
            self._group.restrictions.append(arv)

    def _visit(self, pv1: Segment) -> None:
        self._group.pv1 = pv1

    def _merge(self, mrg: Segment) -> None:
        self._group.merged = mrg

    def _order_control(self, orc: Segment) -> None:
        self._orc, self._entry, self._timing = orc, None, None

    def _request(self, obr: Segment) -> None:
        order = Order(obr, self._orc)
        self._group.orders.append(order)
        self._orc, self._notes = None, order.notes

    def _observation(self, obx: Segment) -> None:
        observation, orders = Observation(obx), self._group.orders
        (orders[-1].observations if orders else self._group.orphans).append(observation)
        self._notes = observation.notes

    def _note(self, nte: Segment) -> None:
        self._notes.append(remark(nte))

    def _specimen(self, spm: Segment) -> None:
        if self._group.orders:
            order = self._group.orders[-1]
            order.notes += specimen_words(spm)
            self._notes = order.notes

    def _record(self, segment: Segment) -> None:
        replaces = segment.name == "RXE" and self._entry is not None and self._entry.segment.name == "RXO"
        if replaces:
            self._group.entries.pop()  # the pharmacy's encoding of the same order
        self._entry = Entry(segment, self._orc, timing=self._timing)
        self._group.entries.append(self._entry)
        self._notes = []

    def _route(self, rxr: Segment) -> None:
        if self._entry is not None:
            self._entry.route = rxr

    def _timed(self, tq1: Segment) -> None:
        if self._entry is not None:
            self._entry.timing = tq1
        else:
            self._timing = tq1
