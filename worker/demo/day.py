"""The whole made-up day of one seed: who comes, what is sent, in which order.

The same seed gives the same patients, values and order; only the dates move with `now`, the end of the day.
Nothing on it lies near a boundary of time, so that it does not matter which minute it is judged in.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random

from worker.demo.laboratories import LABORATORIES
from worker.demo.ordinary import normal_day, past_year
from worker.demo.patterns import PATTERNS, Story
from worker.demo.people import CLINICIANS, person
from worker.demo.reports import Case, Event, Sending, Wave

PATIENTS = 160
_WITHOUT_ORDERER = 0.04
_ORDERS_OF_THE_FIRST = 0.6
_LATE_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Day:
    """`sendings` in sending order, repeats included; `unreadable` is what no reader can make an event of."""

    seed: int
    sendings: tuple[Sending, ...]
    unreadable: tuple[str, ...]

    def wave(self, wave: Wave) -> list[Event]:
        """The events of one wave, in sending order."""
        return [sending.event for sending in self.sendings if sending.wave is wave]

    def as_lines(self) -> Iterator[str]:
        """The day file's lines: every event sent, one JSON object each."""
        return (as_text(sending.event) for sending in self.sendings)


def as_text(event: Event) -> str:
    """The event as it is sent and filed; the same event is always the same text."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def make_day(seed: int, now: datetime) -> Day:
    """The day of this seed that ends at `now`."""
    dice = Random(seed)  # noqa: S311  # made-up data, no secret
    sendings: list[Sending] = []
    for number, (story, sex, age) in enumerate(_visits(dice), start=1):
        case = _case(number, sex, age, now, dice)
        sendings += story(case)
        if story is not normal_day:
            sendings += past_year(case)
    ordered = _in_sending_order(sendings, dice)
    return Day(seed, tuple(_with_repeats(ordered, dice)), _unreadable(ordered[0].event))


def _visits(dice: Random) -> list[tuple[Story, str, int]]:
    """Which story happens to whom, in the order they registered."""
    visits = [
        (pattern.story, pattern.sex, dice.randint(*pattern.ages))
        for pattern in PATTERNS
        for _ in range(dice.randint(*pattern.times))
    ]
    while len(visits) < PATIENTS:
        visits.append((normal_day, dice.choice(("female", "male")), dice.randint(19, 84)))
    dice.shuffle(visits)
    return visits


def _case(number: int, sex: str, age: int, now: datetime, dice: Random) -> Case:
    who = person(number, sex, age, now.date(), dice)
    orderer = CLINICIANS[0] if dice.random() < _ORDERS_OF_THE_FIRST else dice.choice(CLINICIANS[1:])
    known = dice.random() >= _WITHOUT_ORDERER
    own_dice = Random(dice.random())  # noqa: S311
    return Case(who, orderer if known else None, dice.choice(LABORATORIES), now, own_dice)


def _in_sending_order(sendings: list[Sending], dice: Random) -> list[Sending]:
    """Wave by wave and by time of release, but some come late, after results that are newer."""

    def place(sending: Sending) -> tuple[int, bool, str]:
        return sending.wave, dice.random() < _LATE_SHARE, sending.event["time"]

    return sorted(sendings, key=place)


def _with_repeats(sendings: list[Sending], dice: Random) -> list[Sending]:
    """Some messages twice to the byte, one under a new id, one id used again for other bytes."""
    repeats = [
        Sending(Wave.AFTERNOON, sending.event) for sending in dice.sample(sendings, dice.randint(5, 9))
    ]
    resent, reused = (copy.deepcopy(sending.event) for sending in dice.sample(sendings, 2))
    resent["id"] += "-again"
    reused["data"]["patient"]["name"] = reused["data"]["patient"]["name"].upper()
    return [*sendings, *repeats, Sending(Wave.AFTERNOON, resent), Sending(Wave.AFTERNOON, reused)]


def _unreadable(model: Event) -> tuple[str, ...]:
    """What arrives on bad days: nobody's results, another program's event, half a message, a wrong shape."""
    nobody, foreign, shapeless = (copy.deepcopy(model) for _ in range(3))
    del nobody["data"]["patient"]
    foreign["type"] = "com.example.billing.v1"
    shapeless["data"] = "see attachment"
    for label, event in (("nobody", nobody), ("foreign", foreign), ("shapeless", shapeless)):
        event["id"] = f"unreadable-{label}"
    whole = [as_text(event) for event in (nobody, foreign, shapeless)]
    return (*whole, as_text(model)[: len(as_text(model)) // 2])
