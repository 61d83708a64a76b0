"""A YAML file as plain data, with the line of every key and item kept, so that an error can say where.

Reads nodes, never objects: no tag runs anything, and every scalar is the text that stands there (YAML's
habit of reading `no` as false does not apply). Duplicate keys, aliases and files over 1 MB are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1_000_000
Path_ = tuple[str | int, ...]
_NULLS = frozenset({"", "~", "null"})

# libyaml's loader where the wheel has it: the same meaning, some 40 times faster.
Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadFile(ValueError):
    """A rule file that cannot be taken: `file:line: what is wrong; what to do`."""


@dataclass(frozen=True)
class Source:
    """The data of one file, the 1-based line at which each path of keys begins, and the hash of its bytes."""

    file: str
    data: Any
    lines: Mapping[Path_, int]
    sha256: bytes = b""

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
        BadFile: too large, not YAML, a tag, an alias, or a key that stands twice.
    """
    raw = path.read_bytes()
    if len(raw) > MAX_BYTES:
        raise BadFile(f"{path.name}:1: file is larger than {MAX_BYTES} bytes; split it")
    try:
        node = yaml.compose(raw.decode("utf-8"), Loader=Loader)
    except UnicodeDecodeError:
        raise BadFile(f"{path.name}:1: not UTF-8; save the file as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadFile(f"{path.name}:{line}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError:
        raise BadFile(f"{path.name}:1: not YAML: a character that may not stand in a file") from None
    lines: dict[Path_, int] = {(): 1}
    data = _Reader(path.name, lines).plain(node, ())
    return Source(path.name, data, lines, hashlib.sha256(raw).digest())


class _Reader:
    """Turns nodes into dicts, lists and strings, and notes where each stands."""

    def __init__(self, file: str, lines: dict[Path_, int]) -> None:
        self._file, self._lines = file, lines
        self._seen: set[int] = set()

    def plain(self, node: yaml.Node | None, path: Path_) -> Any:
        if node is None:
            return None
        self._refuse(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.plain(self._noted(item, (*path, i)), (*path, i)) for i, item in enumerate(node.value)
            ]
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return None if plain and node.value in _NULLS else str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if key in data:
                line = key_node.start_mark.line + 1
                raise BadFile(f"{self._file}:{line}: the key '{key}' stands twice; keep one")
            self._noted(key_node, (*path, key))
            data[key] = self.plain(value, (*path, key))
        return data

    def _noted(self, node: yaml.Node, path: Path_) -> yaml.Node:
        self._lines[path] = node.start_mark.line + 1
        return node

    def _refuse(self, node: yaml.Node) -> None:
        line = node.start_mark.line + 1
        if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
            raise BadFile(f"{self._file}:{line}: the tag '{node.tag}' has no meaning here; drop it")
        if id(node) in self._seen:
            raise BadFile(f"{self._file}:{line}: aliases (*name) are not taken; write it out")
        self._seen.add(id(node))
