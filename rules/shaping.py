"""A file's data in its shape, or a line for each key that does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rules.nearest import nearest
from rules.shape import DAYS, NAMED, QUIET
from rules.yaml_source import BadFile, Source

_LANGUAGE = "rules/LANGUAGE.md lists the keys"

Shape = TypeVar("Shape", bound=BaseModel)


def shaped(source: Source, shape: type[Shape], listed: str = _LANGUAGE) -> Shape:
    """The file's data in its shape; `listed` says where a person finds its keys.

    Raises:
        BadFile: pointing at each key that does not fit.
    """
    try:
        return shape.model_validate(source.data)
    except ValidationError as error:
        problems = (_problem(source, one, shape, listed) for one in _meant(source.data, error))
        raise BadFile(*dict.fromkeys(problems)) from None


def _meant(data: Any, error: ValidationError) -> Iterable[ErrorDetails]:
    """One error for each place: of a union's branches, the one that came furthest is what was meant."""
    furthest: dict[tuple[str | int, ...], ErrorDetails] = {}
    for one in error.errors(include_url=False):
        place = _place(data, one)
        if place not in furthest or len(one["loc"]) > len(furthest[place]["loc"]):
            furthest[place] = one
    return furthest.values()


def _place(data: Any, error: ErrorDetails) -> tuple[str | int, ...]:
    """Where in the data the error stands; where it is in a branch of a union, the place of that union."""
    for index, key in enumerate(error["loc"]):
        if key in data if isinstance(data, dict) else isinstance(data, list) and isinstance(key, int):
            data = data[key]
        else:
            missing = error["type"] == "missing" and index == len(error["loc"]) - 1
            return error["loc"] if missing else error["loc"][:index]
    return error["loc"]


def _problem(source: Source, error: ErrorDetails, shape: type[BaseModel], listed: str) -> str:
    where = tuple(p for p in error["loc"] if not (isinstance(p, str) and "Shape" in p))
    return str(source.error(where, _said(where, error, shape, listed)))


def _said(where: tuple[str | int, ...], error: ErrorDetails, shape: type[BaseModel], listed: str) -> str:
    """What does not fit, by the names that stand in the file."""
    place = ".".join(str(p) for p in where) or "the file"
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key '{where[-1]}'; {nearest(str(where[-1]), _keys(shape))}{listed}"
        case "missing":
            return f"'{where[-1]}' is missing ({place}); {listed}"
        case "string_pattern_mismatch" if error["ctx"]["pattern"] in (DAYS, QUIET):
            return f"{place}: a whole number of days such as '42 d', not '{error['input']}'"
        case "string_pattern_mismatch" if error["ctx"]["pattern"] == NAMED:
            return f"{place}: a name; an empty one signs nothing"
        case "literal_error":
            return f"{place}: expected {error['ctx']['expected']}, got '{error['input']}'"
        case "list_type":
            return f"{place}: a list, such as [{error['input']}]"
        case "dict_type":
            return f"{place}: keys with their values, such as {{key: value}}; {_LANGUAGE}"
        case _:
            return f"{place}: {error['msg']}"


def _keys(shape: type[BaseModel]) -> set[str]:
    """Every key that a file of this shape may have, at any depth."""
    schema = shape.model_json_schema()
    parts = (schema, *schema.get("$defs", {}).values())
    return {key for part in parts for key in part.get("properties", ())}
