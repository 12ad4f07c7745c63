"""Merged stacks as Pyroscope's flame graph: names, and levels of bars from the root down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OTHER = "other"
MOST_NODES = 8192  # where the request names no number; Pyroscope's own default
MOST_NODES_EVER = 65_536


@dataclass
class _Node:
    total: int = 0
    own: int = 0
    children: dict[str, _Node] = field(default_factory=dict)


@dataclass(frozen=True)
class FlameGraph:
    """`levels`: groups of four numbers a bar: offset from the end of the bar before it in the level, total, own
    value, index into `names`. Level 0 is one bar, `total`.
    """

    names: list[str]
    levels: list[list[int]]
    total: int
    max_self: int


def flame_graph(stacks: Mapping[tuple[str, ...], int], max_nodes: int = 0) -> FlameGraph:
    """`stacks`: function names, root first, to a value. Of more than `max_nodes` bars (0: MOST_NODES) the smallest are
    drawn together as `other`, below the function that called them.
    """
    root = _tree(stacks)
    least = _least(root, min(max_nodes if max_nodes > 0 else MOST_NODES, MOST_NODES_EVER))
    names: dict[str, int] = {}
    levels: list[list[int]] = []
    max_self = 0
    row = [(0, "total", root)]
    while row:
        values: list[int] = []
        below: list[tuple[int, str, _Node]] = []
        end = 0
        for x, name, node in row:
            values += (x - end, node.total, node.own, names.setdefault(name, len(names)))
            max_self = max(max_self, node.own)
            end = x + node.total
            start, others = x, 0
            for child_name, child in sorted(node.children.items()):
                if child.total >= least:
                    below.append((start, child_name, child))
                    start += child.total
                else:
                    others += child.total
            if others:
                below.append((start, OTHER, _Node(others, others)))
        levels.append(values)
        row = below
    return FlameGraph(list(names), levels, root.total, max_self)


def _tree(stacks: Mapping[tuple[str, ...], int]) -> _Node:
    root = _Node()
    for stack, value in stacks.items():
        node = root
        node.total += value
        for name in stack:
            child = node.children.get(name)
            if child is None:
                child = node.children[name] = _Node()
            node = child
            node.total += value
        node.own += value
    return root


def _least(root: _Node, most: int) -> int:
    """The value a bar must have to be drawn by itself."""
    totals: list[int] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        totals.append(node.total)
        waiting += node.children.values()
    if len(totals) <= most:
        return 0
    totals.sort(reverse=True)
    return totals[most]
