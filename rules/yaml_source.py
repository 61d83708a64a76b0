"""A YAML file as plain data, with the line of every key and item kept, so that an error can say where.

Reads nodes, never objects: no tag runs anything, and every scalar is the text that stands there (YAML's
habit of reading `no` as false does not apply). Duplicate keys, aliases,
and files too large or too deeply nested are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_NODES = 100_000  # the largest file of the library has 2,000
MAX_NESTING = 40  # libyaml's own stack ends far later, and takes the process with it
Path_ = tuple[str | int, ...]
_NULLS = frozenset({"", "~", "null"})

# libyaml's loader where the wheel has it: the same meaning, some 40 times faster.
Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadFile(ValueError):
    """Rule files that cannot be taken: each problem reads `file:line: what is wrong; what to do`."""

    def __init__(self, *problems: str) -> None:
        more = f" (and {len(problems) - 1} more; `ferrule rules lint` lists them)" if problems[1:] else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = problems


class Refused:
    """What is wrong, gathered, so that a person mends all of it at once."""

    def __init__(self) -> None:
        self._problems: dict[str, None] = {}

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Notes what is refused within, and goes on."""
        try:
            yield
        except BadFile as error:
            self._problems |= dict.fromkeys(error.problems)

    def check(self) -> None:
        """Raises `BadFile` with all that was gathered, if anything was."""
        if self._problems:
            raise BadFile(*self._problems)


@dataclass(frozen=True)
class Source:
    """The data of one file, the 1-based line at which each path of keys begins, and the hash of its bytes."""

    file: str
    data: Any
    lines: Mapping[Path_, int]
    sha256: bytes = b""

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the path, or of its nearest part that has one."""
        nearest_first = (tuple(path[:length]) for length in range(len(path), -1, -1))
        return next(self.lines[place] for place in nearest_first if place in self.lines)  # () always is

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
        text = raw.decode("utf-8")
        _check_events(path.name, text)
        node = yaml.compose(text, Loader=Loader)
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


def _check_events(file: str, text: str) -> None:
    """Refuses, before it is read, what would take too long, or too deep a stack; and aliases."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise BadFile(f"{file}:{line}: aliases (*name) are not taken; write it out")
        if depth > MAX_NESTING:
            raise BadFile(f"{file}:{line}: the file nests deeper than {MAX_NESTING}; simplify it")
        if nodes > MAX_NODES:
            raise BadFile(f"{file}:{line}: the file has more than {MAX_NODES} nodes; split it")


class _Reader:
    """Turns nodes into dicts, lists and strings, and notes where each stands."""

    def __init__(self, file: str, lines: dict[Path_, int]) -> None:
        self._file, self._lines = file, lines

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
