"""Stacks added up into a call graph, and turned into the steps of a sampled flow."""

from __future__ import annotations

import pytest

from voltscope.live import callgraph
from voltscope.live.callgraph import MOST_NODES, Graph
from voltscope.live.flow import Steps
from voltscope.live.greenlets import Folded
from voltscope.live.samplers.austin import Reading
from voltscope.live.samplers.base import Seen, frame

HUB = "/venv/lib/python3.11/site-packages/gevent/hub.py"


def stack(*functions, file="/x/agent.py"):
    return tuple((function, file, number + 1) for number, function in enumerate(functions))


def told(graph):
    document = graph.told(1.0, 2.0)
    names = {node.id: node.place.function for node in document.nodes}
    nodes = {node.place.function: (node.own, node.total) for node in document.nodes}
    edges = {(names[edge.caller], names[edge.callee]): edge.count for edge in document.edges}
    return document, nodes, edges


def test_recursion_counts_once_a_sample():
    graph = Graph()
    graph.add(stack("main", "walk", "walk", "walk", "leaf"), 3)
    graph.add(stack("main", "walk"), 1)
    _, nodes, edges = told(graph)
    assert nodes == {"main": (0, 1), "walk": (0.25, 1), "leaf": (0.75, 0.75)}
    assert edges == {("main", "walk"): 4, ("walk", "walk"): 3, ("walk", "leaf"): 3}


def test_ids_stay_and_the_line_is_the_one_seen_most():
    graph = Graph()
    graph.add(((("f", "/x/a.py", 5)),), 1)
    before = told(graph)[0].nodes[0]
    graph.add(stack("other", "another"), 10)
    graph.add((("f", "/x/a.py", 9),), 2)
    graph.add((("f", "/x/b.py", 1),), 1)
    after = {(node.place.function, node.place.file): node for node in told(graph)[0].nodes}
    assert after["f", "/x/a.py"].id == before.id
    assert (before.place.line, after["f", "/x/a.py"].place.line) == (5, 9)
    assert after["f", "/x/b.py"].id != before.id


def test_gevents_waiting_loop_is_told_apart():
    graph = Graph()
    graph.add((("<module>", "/x/a.py", 1), ("Hub.run", HUB, 647)), 9)
    graph.add((("<module>", "/x/a.py", 1), ("Hub.run", HUB, 647), ("work", "/x/a.py", 3)), 1)
    _, nodes, edges = told(graph)
    assert nodes["[hub idle]"] == (0.9, 0.9)
    assert nodes["Hub.run"] == (0, 0.1)
    assert edges == {("<module>", "Hub.run"): 1, ("Hub.run", "work"): 1}


def test_the_probes_own_threads_are_none_of_the_agents():
    graph = Graph()
    graph.add((("_serve", "/x/voltscope/probe/start.py", 1), ("run", "/x/voltscope/probe/listener.py", 2)), 9)
    graph.add(stack("main"), 1)
    assert told(graph)[1] == {"main": (1, 1)}


def test_the_functions_with_the_least_time_are_left_out_and_counted():
    graph = Graph()
    for number in range(MOST_NODES + 50):
        graph.add(stack("main", f"f{number}"), 1 + number)
    document, nodes, edges = told(graph)
    assert (len(document.nodes), document.left_out) == (MOST_NODES, 51)
    assert "f0" not in nodes
    assert "main" in nodes
    assert len(edges) == MOST_NODES - 1


def test_a_program_that_makes_up_functions_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(callgraph, "_MOST_FUNCTIONS", 100)
    monkeypatch.setattr(callgraph, "_MOST_STACKS", 50)
    graph = Graph()
    for number in range(1000):
        graph.add(stack("main", f"f{number}", "leaf"), 1)
    assert len(graph._total) <= 101
    assert len(graph._paths) <= 50
    _, nodes, _ = told(graph)
    assert nodes["[others]"][1] > 0.8
    assert nodes["main"] == (0, 1)
    assert frame("n" * 9999, "/f" * 9999, -3) == ("n" * 400, ("/f" * 9999)[:4096], 0)


def test_folded_stacks_have_a_bound():
    folded = Folded()
    for number in range(300):
        folded.add(f"{number}" + "x" * 5000, 2)
    assert sum(folded.stacks.values()) == 600
    assert 150 < len(folded.stacks) < 250
    assert folded.stacks["[others]"] > 0


TEXT = b"""# austin: 3.7.0
# interval: 10000

P7;T0:8;/usr/lib/python3.11/threading.py:Thread.run:975 10000
P7;T0:7;/opt/a.py:<module>:11;/opt/a.py:seventy:7 10000
P7;T0:8 20000
P7;T0:7;:INVALID: 20000
P7;T0:7;/opt/a.py:a
name; of:two lines:8 10000
P7;Tx:y;/opt/b:odd:8 5
# duration: 60065
"""


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_austins_text_is_read_as_it_comes_however_it_is_cut(size):
    reading = Reading()
    found = [seen for at in range(0, len(TEXT), size) for seen in reading.feed(TEXT[at : at + size])]
    assert [(seen.at, seen.track) for seen in found] == [(0.01, 8), (0.01, 7), (pytest.approx(0.04), 7), (5e-6, 0)]
    assert found[1].stack == (("<module>", "/opt/a.py", 11), ("seventy", "/opt/a.py", 7))
    assert found[-1].stack == (("odd", "/opt/b", 8),)
    assert reading.seen == 6


def test_a_sample_becomes_the_steps_that_differ_from_the_one_before():
    steps = Steps()
    first = steps.told(1.0, [Seen(0.1, 7, stack("main", "a", "b")), Seen(0.1, 8, stack("main"))])
    assert [(step.track, first.places[step.place].function, step.depth) for step in first.steps] == [
        (7, "main", 0), (7, "a", 1), (7, "b", 2), (8, "main", 0),
    ]  # fmt: skip
    assert first.tracks == {7: "thread 7", 8: "thread 8"}
    same = steps.told(2.0, [Seen(0.2, 7, stack("main", "a", "b"))])
    assert (same.steps, same.places, same.tracks) == ((), {}, {})
    known = {number: place.function for number, place in first.places.items()}
    back = steps.told(3.0, [Seen(0.3, 7, stack("main", "a"))])
    assert [(known[step.place], step.depth) for step in back.steps] == [("a", 1)]
    new = steps.told(4.0, [Seen(0.4, 7, stack("main", "c", "d")), Seen(0.5, 8, ())])
    assert [(step.kind, step.depth) for step in new.steps] == [("seen", 1), ("seen", 2)]
    assert [place.function for place in new.places.values()] == ["c", "d"]
