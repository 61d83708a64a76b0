"""JSON read strictly and written back: numbers stay as they were written, a key said twice is refused.

A float never exists here: `9.10` becomes the text "9.10", because what a laboratory printed is what a
clinician must see. Knows nothing of events.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from worker.intake.unreadable import Reason, Unreadable

MAX_BYTES = 4 * 1024 * 1024


class NumberText(str):
    """A JSON number, as written."""

    __slots__ = ()


def loads(raw: bytes, most_bytes: int = MAX_BYTES) -> Any:
    """The value in `raw` (UTF-8, at most `most_bytes`); raises `Unreadable`."""
    if len(raw) > most_bytes:
        raise Unreadable(Reason.TOO_LARGE, "", f"send at most {most_bytes} bytes in one message")
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


def dumps(value: Any) -> str:
    """`value` as compact JSON, numbers as they were written; raises TypeError for what JSON cannot say."""
    return _written(value, str, sort_keys=False)


def canonical(value: Any) -> str:
    """The one text of everything that says the same: keys sorted, no blanks, each number by its exact value.

    `9.10`, `9.1` and `91e-1` are one number; the text "9.1" is another thing.
    """
    return _written(value, _by_value, sort_keys=True)


def _written(value: Any, number: Callable[[str], str], *, sort_keys: bool) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=str) if sort_keys else value
        pairs = (f"{_text(str(key))}:{_written(value[key], number, sort_keys=sort_keys)}" for key in keys)
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_written(item, number, sort_keys=sort_keys) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, NumberText | int | float | Decimal):
        return number(str(value))
    if isinstance(value, str):
        return _text(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _by_value(text: str) -> str:
    """Sign, digits without zeros at either end, exponent: nothing is rounded."""
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        return text
    if not isinstance(exponent, int):
        return text
    kept = "".join(map(str, digits)).lstrip("0")
    short = kept.rstrip("0")
    return f"{'-' * sign}{short}e{exponent + len(kept) - len(short)}" if short else "0"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable(Reason.DUPLICATE_KEY, "", "expected each key once in an object, got one twice")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise Unreadable(Reason.NOT_JSON, "", "expected a JSON number, got NaN or Infinity")
