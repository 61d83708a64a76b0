"""Words for times, waits, people and reasons, as a clinician would write them. Pure: now is handed in.

The locale of dates, times and numbers is the one that the page being written set in LOCALE; what programs
read is written without one.
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale

from rules.facts import Sex
from worker.locales import month_and_day, thousands_sign, time_of_day, whole_date

LOCALE: ContextVar[Locale | None] = ContextVar("locale", default=None)
"""None: English as it is written in these texts."""

DISMISS_REASONS: dict[str, str] = {
    "explained-by-supplement": "Explained: takes B12, a multivitamin or fortified drinks",
    "known-diagnosis": "Known diagnosis, already being cared for",
    "already-acted": "Already acted on",
    "not-my-patient": "Not my patient",
    "wrong-patient": "Results belong to another patient",
    "lab-error": "Laboratory or sampling error",
    "not-relevant": "Not relevant for this patient",
    "rule-wrong": "The rule is wrong here",
}


DAYS_OF_YEAR = 365


def day(moment: datetime | date, now: datetime, zone: ZoneInfo) -> str:
    """ "1 Mar", with the year when it is another one than now's."""
    local = moment.astimezone(zone).date() if isinstance(moment, datetime) else moment
    written = month_and_day if local.year == now.astimezone(zone).year else whole_date
    return written(local, LOCALE.get())


def full_day(moment: datetime | date, zone: ZoneInfo) -> str:
    """ "1 Mar 2026"."""
    local = moment.astimezone(zone).date() if isinstance(moment, datetime) else moment
    return whole_date(local, LOCALE.get())


def clock_time(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """ "09:12" today, "yesterday 09:12", "tomorrow 17:00", else "1 Mar 09:12"."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    away = (local.date() - today).days
    prefix = {0: "", -1: "yesterday ", 1: "tomorrow "}.get(away, f"{day(moment, now, zone)} ")
    return f"{prefix}{time_of_day(local, LOCALE.get())}"


def stamp(moment: datetime, zone: ZoneInfo) -> str:
    """ "1 Mar 2026 09:12", for the history."""
    local = moment.astimezone(zone)
    return f"{whole_date(local, LOCALE.get())} {time_of_day(local, LOCALE.get())}"


def wait(since: datetime, now: datetime) -> str:
    """How long something has waited: "just now", "12 min", "3 h", "yesterday", "5 d"."""
    passed = now - since
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h"
    if passed < timedelta(days=2):
        return "yesterday"
    return f"{passed.days} d"


def span(days: int) -> str:
    """A look-back: "90 days", "2 years" (leap days included)."""
    years, over = divmod(days, DAYS_OF_YEAR)
    return f"{years} years" if years >= 2 and over <= years // 4 + 1 else f"{days} days"


def age(born: date, on: date) -> int:
    """Completed years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def sex_letter(sex: Sex) -> str:
    """F, M, or nothing when it is not known."""
    return {Sex.FEMALE: "F", Sex.MALE: "M"}.get(sex, "")


def number(text: str) -> str:
    """A reported number with thousands set apart ("1450" → "1,450"); anything else as it came.

    Its digits and its decimal point are kept in every locale.
    """
    whole, dot, part = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) > 3 and (part.isdigit() or not dot)):
        return text
    if whole.startswith("0"):
        return text
    return f"{int(whole):,}".replace(",", thousands_sign(LOCALE.get())) + dot + part


def in_sentence(name: str) -> str:
    """A name inside a sentence: "Ferritin" → "ferritin", "Vitamin B12" → "vitamin B12", "MCV" as it is."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def joined(words: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
