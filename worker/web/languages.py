"""Names the language of dates inside English pages, so that a voice reads each in its own (WCAG 3.1.2)."""

from __future__ import annotations

import re

from babel import Locale

from worker.locales import BEGIN, END, plain, tag_of

_PART = re.compile(
    rf"(?P<whole><(title|textarea|script|style|option)\b.*?</\2>|<[^>]*>)|{BEGIN}(?P<foreign>[^{END}<]*){END}",
    re.DOTALL,
)
"""A tag, or an element that holds text alone; else words that are set apart."""


def languages_named(html: str, locale: Locale | None) -> str:
    """`html` with each date that is set apart in an element of its language; in tags they are not."""
    if locale is None or BEGIN not in html:
        return html
    opened = f'<bdi lang="{tag_of(locale)}">'
    return _PART.sub(lambda found: _part(found, opened), html)


def _part(found: re.Match[str], opened: str) -> str:
    if found["foreign"] is None:
        return plain(found["whole"])
    return f"{opened}{found['foreign']}</bdi>"
