"""How a locale writes a date, a time of day and a large number (CLDR, by Babel). Translates no text.

A decimal point stays a point in every locale: the words around a value are English, and so is the voice that
reads them aloud, to which "1,234" is a thousand and more. No sign between thousands is ever one that stands
for a decimal sign elsewhere on the page.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton, format_time
from babel.numbers import get_decimal_symbol, get_group_symbol

LANGUAGE_OF_TEXTS = "en"
BEGIN, END = "\u2068", "\u2069"
"""Unicode's isolates: they set words of another language apart inside a sentence, and are never seen."""
NARROW_SPACE = "\u202f"
"""Between thousands where a comma or a point would be taken for a decimal sign (ISO 80000-1)."""


def locale_named(tag: str) -> Locale:
    """That locale; raises ValueError, which says what to write, for a tag that names none."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        locale = None
    if locale is None or locale.language == "root":
        raise ValueError("expected the tag of a language and region, such as de-DE")
    return locale


def tag_of(locale: Locale) -> str:
    """Its BCP 47 tag, as `lang` wants it."""
    return str(locale).replace("_", "-")


def month_and_day(day: date, locale: Locale | None) -> str:
    """ "1 Mar", "Mar 1", "1. März"."""
    if locale is None:
        return f"{day.day} {day:%b}"
    return _set_apart(format_skeleton("MMMd", _midnight(day), locale=locale), locale)


def whole_date(day: date, locale: Locale | None) -> str:
    """ "1 Mar 2026", "Mar 1, 2026", "1. März 2026"; the month is a word, so that it is no day."""
    if locale is None:
        return f"{day.day} {day:%b %Y}"
    return _set_apart(format_skeleton("yMMMd", _midnight(day), locale=locale), locale)


def time_of_day(moment: datetime, locale: Locale | None) -> str:
    """ "09:12", "9:12 AM"; the time of the zone that `moment` is in."""
    if locale is None:
        return f"{moment:%H:%M}"
    return _set_apart(format_time(moment.time(), "short", locale=locale), locale)


def thousands_sign(locale: Locale | None) -> str:
    """What stands between thousands beside a decimal point."""
    if locale is None:
        return ","
    return get_group_symbol(locale) if get_decimal_symbol(locale) == "." else NARROW_SPACE


def plain(text: str) -> str:
    """Without the isolates, for paper and terminals."""
    return text.replace(BEGIN, "").replace(END, "")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _set_apart(text: str, locale: Locale) -> str:
    foreign = locale.language != LANGUAGE_OF_TEXTS and any(c.isalpha() for c in text)
    return f"{BEGIN}{text}{END}" if foreign else text
