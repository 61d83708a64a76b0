"""How locales write dates, times and numbers."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from babel import Locale, localedata
from babel.dates import get_month_names
from hypothesis import given
from hypothesis import strategies as st

from worker.locales import (
    locale_named,
    month_and_day,
    plain,
    tag_of,
    thousands_sign,
    time_of_day,
    whole_date,
)
from worker.web import words
from worker.web.evidence import value_text
from worker.web.languages import languages_named

GERMAN, AMERICAN = Locale("de", "DE"), Locale("en", "US")
LOCALES = sorted(name for name in localedata.locale_identifiers() if name != "root")
FIRST_OF_MARCH = date(2026, 3, 1)
REPORTED = st.decimals(allow_nan=False, allow_infinity=False, min_value=0, places=3) | st.from_regex(
    r"[1-9][0-9]{0,15}(\.[0-9]{1,6})?", fullmatch=True
).map(Decimal)


@pytest.mark.parametrize("tag", ["", "xx-YY", "de_DE", "root", "de-DE-u-ca-buddhist", "../../etc", "de-DE\n"])
def test_a_tag_that_names_no_locale_is_refused_with_what_to_write(tag: str) -> None:
    with pytest.raises(ValueError, match="such as de-DE"):
        locale_named(tag)


@pytest.mark.parametrize(
    ("tag", "short", "whole", "time"),
    [
        (None, "1 Mar", "1 Mar 2026", "21:05"),
        ("en-US", "Mar 1", "Mar 1, 2026", "9:05\u202fPM"),
        ("de-DE", "1. März", "1. März 2026", "21:05"),
        ("fr-FR", "1 mars", "1 mars 2026", "21:05"),
    ],
)
def test_a_date_is_in_the_locales_order_and_words(tag: str | None, short: str, whole: str, time: str) -> None:
    locale = locale_named(tag) if tag else None
    assert plain(month_and_day(FIRST_OF_MARCH, locale)) == short
    assert plain(whole_date(FIRST_OF_MARCH, locale)) == whole
    assert time_of_day(datetime(2026, 3, 1, 21, 5, tzinfo=UTC), locale) == time


@given(st.decimals(min_value=0, max_value=10**15, places=3) | REPORTED, st.sampled_from(LOCALES))
def test_a_number_of_any_locale_reads_back_as_the_same_decimal_to_the_last_zero(
    value: Decimal, name: str
) -> None:
    locale = Locale.parse(name)
    reported = f"{value:f}"
    token = words.LOCALE.set(locale)
    try:
        shown = words.number(reported)
    finally:
        words.LOCALE.reset(token)
    sign = thousands_sign(locale)
    assert sign not in (".", "٫")
    assert shown.replace(sign, "") == reported
    assert Decimal(shown.replace(sign, "")).as_tuple() == Decimal(reported).as_tuple()


def test_a_comma_is_never_between_thousands_where_it_is_read_as_a_decimal_sign() -> None:
    token = words.LOCALE.set(GERMAN)
    try:
        assert value_text("<", "1450.50", "ug/L") == "< 1\u202f450.50 ug/L"
        assert value_text("=", "1.450", "ug/L") == "1.450 ug/L"
    finally:
        words.LOCALE.reset(token)


def test_words_of_another_language_are_named_so_in_text_and_left_alone_in_tags() -> None:
    said = whole_date(FIRST_OF_MARCH, GERMAN)
    html = f'<title>{said}</title><p title="{said}">by {said}</p>'
    assert languages_named(html, GERMAN) == (
        '<title>1. März 2026</title><p title="1. März 2026">by <bdi lang="de-DE">1. März 2026</bdi></p>'
    )


def test_no_language_is_named_where_it_is_the_pages_own() -> None:
    said = whole_date(FIRST_OF_MARCH, AMERICAN)
    assert languages_named(f"<p>{said}</p>", AMERICAN) == "<p>Mar 1, 2026</p>"


def test_every_locale_can_be_named_and_writes_the_month_as_a_word_or_with_its_year_first() -> None:
    for name in LOCALES:
        locale = locale_named(tag_of(Locale.parse(name)))
        said = plain(whole_date(FIRST_OF_MARCH, locale))
        assert "2026" in said, name
        assert "1" in plain(month_and_day(FIRST_OF_MARCH, locale)), name
        assert not set(get_month_names("wide", locale=locale)) - set(range(1, 13)), name
