"""A YAML file as plain data, with the line of every key and item kept, so that an error can say where.

Reads safely (no tags run anything), refuses duplicate keys and files over 1 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

MAX_BYTES = 1_000_000
Path_ = tuple[str | int, ...]


class BadFile(ValueError):
    """A rule file that cannot be taken: `file:line: what is wrong; what to do`."""


@dataclass(frozen=True)
class Source:
    """The data of one file, and the 1-based line at which each path of keys begins."""

    file: str
    data: Any
    lines: Mapping[Path_, int]

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the path, or of its nearest part that has one."""
        for length in range(len(path), -1, -1):
            if (found := self.lines.get(tuple(path[:length]))) is not None:
                return found
        return 1

    def error(self, path: Sequence[str | int], what: str) -> BadFile:
        """A BadFile that points at the path."""
        return BadFile(f"{self.file}:{self.line(path)}: {what}")


def read_yaml(path: Path) -> Source:
    """Read one file.

    Raises:
        BadFile: too large, not YAML, or a key that stands twice.
    """
    raw = path.read_bytes()
    if len(raw) > MAX_BYTES:
        raise BadFile(f"{path.name}:1: file is larger than {MAX_BYTES} bytes; split it")
    try:
        loaded = YAML(typ="rt").load(raw.decode("utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadFile(f"{path.name}:{line}: not YAML: {error.problem or error.context}") from None
    except UnicodeDecodeError:
        raise BadFile(f"{path.name}:1: not UTF-8; save the file as UTF-8") from None
    lines: dict[Path_, int] = {(): 1}
    return Source(path.name, _plain(loaded, (), lines), lines)


def _plain(node: Any, path: Path_, lines: dict[Path_, int]) -> Any:
    if isinstance(node, CommentedMap):
        for key in node:
            lines[(*path, key)] = node.lc.key(key)[0] + 1
        return {str(key): _plain(value, (*path, key), lines) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines[(*path, index)] = node.lc.item(index)[0] + 1
        return [_plain(value, (*path, index), lines) for index, value in enumerate(node)]
    return str(node) if isinstance(node, str) else node
