"""A file's data in its shape, or one line that points at the first key that does not fit."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rules.nearest import nearest
from rules.shape import DAYS
from rules.yaml_source import Source

_LANGUAGE = "rules/LANGUAGE.md lists the keys"

Shape = TypeVar("Shape", bound=BaseModel)


def shaped(source: Source, shape: type[Shape]) -> Shape:
    """The file's data in its shape.

    Raises:
        BadFile: pointing at the first key that does not fit.
    """
    try:
        return shape.model_validate(source.data)
    except ValidationError as error:
        worst = max(error.errors(include_url=False), key=lambda e: _fitting(e["loc"]))
        where = tuple(p for p in worst["loc"] if not (isinstance(p, str) and "Shape" in p))
        raise source.error(where, _said(where, worst, shape)) from None


def _said(where: tuple[str | int, ...], error: ErrorDetails, shape: type[BaseModel]) -> str:
    """What does not fit, by the names that stand in the file."""
    place = ".".join(str(p) for p in where) or "the file"
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key '{where[-1]}'; {nearest(str(where[-1]), _keys(shape))}{_LANGUAGE}"
        case "missing":
            return f"'{where[-1]}' is missing ({place}); {_LANGUAGE}"
        case "string_pattern_mismatch" if error["ctx"]["pattern"] == DAYS:
            return f"{place}: a whole number of days such as '42 d', not '{error['input']}'"
        case _:
            return f"{place}: {error['msg']}"


def _keys(shape: type[BaseModel]) -> set[str]:
    """Every key that a file of this shape may have, at any depth."""
    schema = shape.model_json_schema()
    parts = (schema, *schema.get("$defs", {}).values())
    return {key for part in parts for key in part.get("properties", ())}


def _fitting(loc: tuple[str | int, ...]) -> int:
    """Prefer the deepest error: of a union's branches, the one that came furthest is what was meant."""
    return len(loc)
