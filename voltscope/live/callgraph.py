"""The call graph: stacks, as samplers see them, added up into functions and who called whom."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from voltscope.live.prices import price
from voltscope.live.samplers.base import Frame, Sampler, Samples, Stack, told_apart
from voltscope.live.source import Wish
from voltscope.live.views import CallGraph, Edge, Node, Place, View
from voltscope.profiling.targets import Target

# More nodes are no picture any more.
MOST_NODES = 150
# A program may make up functions without end; further ones count as one.
_MOST_FUNCTIONS, _MOST_EDGES, _MOST_LINES, _MOST_STACKS = 20_000, 60_000, 50, 4000
_OTHERS: Frame = ("[others]", "", 0)


class Graph:
    """Grows by one stack after the other. A function is its name and file; its line is where it was seen most."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}
        self._lines: list[Counter[int]] = []
        self._own: list[int] = []
        self._total: list[int] = []
        self._edges: dict[tuple[int, int], int] = {}
        self._paths: dict[Stack, tuple[int, frozenset[int], frozenset[tuple[int, int]]]] = {}
        self.samples = 0

    def add(self, stack: Stack, count: int) -> None:
        """`count` samples of a stack, root first. Recursion counts once a sample, in nodes and in edges."""
        stack = told_apart(stack)
        if not stack:
            return
        innermost, functions, calls = self._path(stack)
        self.samples += count
        self._own[innermost] += count
        for function in functions:
            self._total[function] += count
        for call in calls:
            if call in self._edges or len(self._edges) < _MOST_EDGES:
                self._edges[call] = self._edges.get(call, 0) + count
        for name, file, line in stack:
            lines = self._lines[self._id(name, file)]
            if line in lines or len(lines) < _MOST_LINES:
                lines[line] += count

    def told(self, at: float, seconds: float) -> CallGraph:
        """The functions with the most time, at most MOST_NODES, and the calls among them."""
        order = sorted(range(len(self._total)), key=lambda number: (-self._total[number], number))
        shown = order[:MOST_NODES]
        places = {number: name for name, number in self._ids.items()}
        whole = self.samples or 1
        nodes = tuple(
            Node(
                number,
                Place(*places[number], self._lines[number].most_common(1)[0][0] if self._lines[number] else 0),
                self._own[number] / whole,
                self._total[number] / whole,
            )
            for number in shown
        )
        kept = set(shown)
        edges = tuple(
            Edge(caller, callee, count)
            for (caller, callee), count in self._edges.items()
            if caller in kept and callee in kept
        )
        return CallGraph(
            at=at, seconds=seconds, samples=self.samples, unit="samples", nodes=nodes, edges=edges,
            left_out=len(order) - len(shown),
        )  # fmt: skip

    def _path(self, stack: Stack) -> tuple[int, frozenset[int], frozenset[tuple[int, int]]]:
        """The innermost function, all functions and all calls of a stack; most stacks come again and again."""
        known = self._paths.get(stack)
        if known is None:
            if len(self._paths) >= _MOST_STACKS:
                self._paths.clear()
            ids = [self._id(name, file) for name, file, _ in stack]
            known = self._paths[stack] = (ids[-1], frozenset(ids), frozenset(pairwise(ids)))
        return known

    def _id(self, function: str, file: str) -> int:
        number = self._ids.get((function, file))
        if number is not None:
            return number
        if len(self._ids) >= _MOST_FUNCTIONS and (function, file) != _OTHERS[:2]:
            return self._id(*_OTHERS[:2])
        number = self._ids[function, file] = len(self._total)
        self._own.append(0)
        self._total.append(0)
        self._lines.append(Counter())
        return number


class CallGraphSource:
    """A call graph of what one sampler sees."""

    view = View.CALL_GRAPH
    exact = False

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.name = sampler.name
        self.price = price(View.CALL_GRAPH, sampler.name)

    def unavailable(self, target: Target) -> str | None:
        return self._sampler.unavailable(target)

    def watch(self, target: Target, wish: Wish) -> _CallGraphWatch:
        return _CallGraphWatch(self._sampler.sample(target, wish, ordered=False))


class _CallGraphWatch:
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def updates(self) -> Iterator[CallGraph]:
        graph, begun = Graph(), time.monotonic()
        for seen in self._samples.rounds():
            for one in seen:
                graph.add(one.stack, one.count)
            yield graph.told(time.time(), time.monotonic() - begun)

    def stop(self) -> None:
        self._samples.stop()
