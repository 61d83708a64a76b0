"""JSON read strictly: numbers stay as they were written, a key said twice is refused.

A float never exists here: `9.10` becomes the text "9.10", because what a laboratory printed is what a
clinician must see. Knows nothing of events.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from worker.intake.unreadable import Reason, Unreadable

MAX_BYTES = 4 * 1024 * 1024


class NumberText(str):
    """A JSON number, as written."""

    __slots__ = ()


def loads(raw: bytes) -> Any:
    """The value in `raw` (UTF-8, at most `MAX_BYTES`); raises `Unreadable`."""
    if len(raw) > MAX_BYTES:
        raise Unreadable(Reason.TOO_LARGE, "", f"send at most {MAX_BYTES} bytes in one event")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(Reason.CHARSET, f"byte {error.start}", "expected UTF-8, got other bytes") from None
    try:
        return json.loads(
            text,
            parse_float=NumberText,
            parse_int=NumberText,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise Unreadable(Reason.NOT_JSON, place, f"expected JSON, got something else ({error.msg})") from None
    except RecursionError:
        raise Unreadable(Reason.NOT_JSON, "", "nested too deeply; an event is four levels deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable(Reason.DUPLICATE_KEY, "", "expected each key once in an object, got one twice")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise Unreadable(Reason.NOT_JSON, "", "expected a JSON number, got NaN or Infinity")
