"""Reads the data files that ship with `rules` (library/**/*.yaml); knows nothing of what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import yaml

from rules.yaml_source import Loader


@cache
def read_library(*path: str) -> Any:
    """The content of one library file, as plain dicts, lists and strings. Read once; do not change it."""
    text = files("rules").joinpath("library", *path).read_text(encoding="utf-8")
    return yaml.load(text, Loader=Loader)  # noqa: S506  (CSafeLoader is the safe loader, in C)


@cache
def library_digest() -> bytes:
    """A hash over all that is read from the library but its rules: another byte, another hash."""
    digest = sha256()
    for path in (
        *((name,) for name in library_names()),
        *(("concepts", n) for n in library_names("concepts")),
    ):
        digest.update(
            "/".join(path).encode() + b"\0" + files("rules").joinpath("library", *path).read_bytes()
        )
    return digest.digest()


def library_names(*path: str) -> Iterator[str]:
    """The names of the YAML files in one library folder, sorted."""
    folder = files("rules").joinpath("library", *path)
    return iter(sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml")))
