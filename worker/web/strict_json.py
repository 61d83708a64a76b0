"""JSON bodies of the API read as a proxy before us must read them: a key said twice, NaN or a number beyond
all bounds is refused, never read in one of two ways.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

MOST_DIGITS = 100


class StrictJson(APIRoute):
    """A route whose JSON body is read so; 400 says why, without the value."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, handed a stricter request."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_Strict(request.scope, request.receive))

        return strictly


class _Strict(Request):
    async def json(self) -> Any:
        try:
            text = (await self.body()).decode("utf-8")
            return json.loads(
                text, object_pairs_hook=_once, parse_constant=_refused, parse_int=_whole, parse_float=_broken
            )
        except (ValueError, RecursionError):
            raise HTTPException(
                400, "expected JSON in UTF-8, each key once, no number out of bounds"
            ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refused(_: str) -> NoReturn:
    raise ValueError


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError
    return int(text)


def _broken(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError
    return number
