"""Named selections put in place: `peak_hemoglobin` in a leaf becomes the selection that a file gave the name.

Done once, when rules are loaded, so that no evaluator knows of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from rules.nodes import Selection, Which, Window

Node = TypeVar("Node")


class NamedWithWindowError(ValueError):
    """A named selection was given a window or a choice of its own; its name already has both."""


def in_place(node: Node, selections: Mapping[str, Selection]) -> Node:
    """The node with every named selection in it replaced.

    Raises:
        NamedWithWindowError: the name of the selection that was qualified.
    """
    if isinstance(node, Selection) and node.analyte in selections:
        if node.window != Window() or node.which is not Which.LATEST or node.preliminary:
            raise NamedWithWindowError(node.analyte)
        return selections[node.analyte]  # type: ignore[return-value]  # a Selection for a Selection
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {f.name: _part(getattr(node, f.name), selections) for f in fields(node)}
    return replace(node, **{k: v for k, v in changed.items() if v is not getattr(node, k)})


def _part(value: object, selections: Mapping[str, Selection]) -> object:
    if isinstance(value, tuple):
        parts = tuple(in_place(part, selections) for part in value)
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    return in_place(value, selections)
