"""A call graph as a table of functions with who calls them and whom they call, and as a graph for Graphviz."""

from __future__ import annotations

from collections import defaultdict

from voltscope.cli.live_places import function_of, position, said
from voltscope.cli.live_watching import NewestPicture
from voltscope.cli.terminal import NOTHING, Cell, Column, number, shown, table
from voltscope.live.views import CallGraph, Node

_COLUMNS = [
    Column("FUNCTION"),
    Column("SELF", True),
    Column("TOTAL", True),
    Column("CALLED BY", spare=2),
    Column("CALLS", spare=1),
    Column("WHERE", spare=3),
]
_BESIDE = 2
_PRINTED = 40


class CallGraphPicture(NewestPicture[CallGraph]):
    """The newest update, which tells the graph since the session began."""

    def _drawn(self, now: CallGraph, columns: int | None, rows: int | None) -> list[str]:
        """The functions that took most time, as many as there is room for."""
        head = f"{number(now.samples)} samples in {now.seconds:.0f} s, the numbers beside names are {shown(now.unit)}"
        if not now.nodes:
            return [f"{head}. Nothing ran that could be seen."]
        room = _PRINTED if rows is None else max(1, rows - 4)
        body = _rows(now)
        hidden = now.left_out + max(0, len(body) - room)
        more = [f"… and {number(hidden)} more functions"] if hidden else []
        return [head, "", *table(_COLUMNS, body[:room], columns), *more]

    def dot(self, agent: str) -> str:
        """The graph as Graphviz reads it (graphviz.org/doc/info/lang.html): `dot -Tsvg`."""
        return dot(agent, self._now)


def _rows(graph: CallGraph) -> list[list[Cell]]:
    names = {node.id: function_of(node.place) for node in graph.nodes}
    callers: dict[int, list[tuple[int, str]]] = defaultdict(list)
    callees: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for edge in graph.edges:
        if edge.caller in names and edge.callee in names:
            callers[edge.callee].append((edge.count, names[edge.caller]))
            callees[edge.caller].append((edge.count, names[edge.callee]))
    return [
        [
            Cell(names[node.id]),
            Cell(f"{node.own:.1%}", "yellow" if node.own >= 0.1 else None),
            Cell(f"{node.total:.1%}"),
            Cell(_beside(callers[node.id])),
            Cell(_beside(callees[node.id])),
            Cell(position(node.place)),
        ]
        for node in sorted(graph.nodes, key=lambda node: (-node.own, -node.total))
    ]


def _beside(edges: list[tuple[int, str]]) -> str:
    if not edges:
        return NOTHING
    told = [f"{name} ×{number(count)}" for count, name in sorted(edges, reverse=True)[:_BESIDE]]
    return ", ".join([*told, *([f"+{len(edges) - _BESIDE}"] if len(edges) > _BESIDE else [])])


def dot(agent: str, graph: CallGraph | None) -> str:
    """As `CallGraphPicture.dot`. The busier a function the stronger its box, the commoner a call its arrow."""
    title = f"{shown(agent)}: call graph"
    lines = []
    if graph is not None:
        title += f" of {graph.seconds:.0f} s, {number(graph.samples)} samples"
        most = max((edge.count for edge in graph.edges), default=1)
        known = {node.id for node in graph.nodes}
        lines += [f"  n{node.id} [{_box(node)}]" for node in graph.nodes]
        lines += [
            f'  n{edge.caller} -> n{edge.callee} [label="{edge.count}", penwidth={0.5 + 3 * edge.count / most:.2f}]'
            for edge in graph.edges
            if edge.caller in known and edge.callee in known
        ]
    head = [f"digraph {_quoted(shown(agent))} {{", f"  graph [label={_quoted(title)}, labelloc=t, rankdir=TB]"]
    style = '  node [shape=box, style=filled, fontname="sans-serif"]\n  edge [fontname="sans-serif", fontsize=9]'
    return "\n".join([*head, style, *lines, "}"])


def _box(node: Node) -> str:
    label = _quoted(said(node.place), f"self {node.own:.1%}, total {node.total:.1%}")
    # white to a warm red, by the time in it alone
    return f'label={label}, fillcolor="0.04 {min(node.own, 1.0):.3f} 1.0", fontsize={9 + 9 * min(node.total, 1.0):.1f}'


def _quoted(*lines: str) -> str:
    r"""A quoted string of DOT; in labels `\n` is a new line and other escapes such as `\N` mean something too."""
    return '"' + r"\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'
