"""A file's data in its shape, or one line that points at the first key that does not fit."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rules.yaml_source import Source

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
        said = ".".join(str(p) for p in where) or "the file"
        raise source.error(where, f"{said}: {worst['msg']}") from None


def _fitting(loc: tuple[str | int, ...]) -> int:
    """Prefer the deepest error: of a union's branches, the one that came furthest is what was meant."""
    return len(loc)
