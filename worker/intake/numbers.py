"""Numbers as their sender writes them, with the decimal mark it is known to use; never guessed from a number.

Only the mark is looked at. Whether the text is a number at all is `rules.reading`'s question.
"""

from __future__ import annotations

import re

from worker.intake.dialect import DecimalMark

_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")
_DECIMAL_COMMA = re.compile(r"\s*(?:<=|>=|<|>|=|≤|≥|)\s*\^?\s*[+-]?[0-9]+,[0-9]+\s*")
_THOUSANDS = re.compile(r"[0-9][.'\u2019 \u00a0\u202f][0-9]{3}(?![0-9])")


def has_decimal_comma(text: str | None) -> bool:
    """Whether `text` is a number written with a comma."""
    return text is not None and _DECIMAL_COMMA.fullmatch(text) is not None


def ambiguous(text: str | None, mark: DecimalMark) -> bool:
    """Whether a sender who writes commas may have written thousands here: `1.234` is 1234 or 1.234."""
    return mark is DecimalMark.COMMA and text is not None and _THOUSANDS.search(text) is not None


def with_points(text: str | None, mark: DecimalMark) -> str | None:
    """`text` with decimal points, from a sender who writes commas; else as it is."""
    if text is None or mark is not DecimalMark.COMMA or text.count(",") == 0:
        return text
    return _COMMA.sub(".", text)
