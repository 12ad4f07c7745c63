"""The harness of bench/live on what is known: order, intervals, shares, what peers show; its programs run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from live_lib import graph, intervals, shares, soak
from live_lib.greenlets import Truth
from live_lib.sequences import in_order
from live_lib.targets import Target, target


@pytest.mark.parametrize(
    ("known", "seen", "length"),
    [("abcabc", "abcabc", 6), ("abcabc", "abc", 3), ("abcd", "dcba", 1), ("abcd", "axbxd", 3), ("abc", "", 0)],
)
def test_calls_seen_in_order_are_the_longest_common_subsequence(known: str, seen: str, length: int) -> None:
    assert in_order(known, seen) == length


def test_cost_and_slowdown_are_bounded_on_both_sides() -> None:
    ratios = [0.99, 0.98, 1.0, 0.99, 0.985, 0.995, 0.99]
    cost = intervals.cost_percent(ratios)
    assert cost.low < cost.centre < cost.high
    assert cost.centre == pytest.approx(1.0, abs=0.1)
    assert intervals.slowdown([0.5] * 5).centre == pytest.approx(2.0)
    assert intervals.of_differences([1.0, 2.0, 3.0, 4.0, 5.0]).centre == 3.0


def test_the_error_of_shares_is_that_of_the_worst_function() -> None:
    nodes = [
        {"id": number, "place": {"function": name, "file": "shares.py", "line": 1}, "own": own, "total": total}
        for number, (name, (own, total)) in enumerate([*shares.TRUTH.items(), ("turn", (0.0, 1.0))])
    ]
    ids = {node["place"]["function"]: node["id"] for node in nodes}
    edges = [{"caller": ids[caller], "callee": ids[callee], "count": 1} for caller, callee in shares.EDGES]
    document = {"nodes": nodes, "edges": edges}
    assert graph.error_of(document) == (pytest.approx(0.0), len(shares.EDGES))
    nodes[0]["total"] += 0.04
    assert graph.error_of(document)[0] == pytest.approx(0.04)


def test_the_shares_of_the_known_program_add_up() -> None:
    assert sum(own for own, _ in shares.TRUTH.values()) == pytest.approx(1.0)


def test_missed_greenlets_are_those_that_lived_through_the_dump() -> None:
    before = {"named": ["a", "b", "ends"], "alive": [1, 2, 3]}
    after = {"named": ["a", "b", "new"], "alive": [1, 2, 4]}
    assert soak.missing(before, after, ["a", "b", "hub"]) == (0, 2)
    assert soak.missing(before, after, ["a"]) == (1, 2)


def test_memory_grows_from_the_second_quarter_on() -> None:
    assert soak.growth([10, 30, 50, 50, 50, 50, 50, 50]) == 0
    assert soak.growth([50, 50, 50, 50, 50, 50, 60, 60]) == 10


def test_the_known_agent_tells_where_its_greenlets_wait(tmp_path: Path) -> None:
    with target(Path(sys.executable), "agent", tmp_path, 7, 0, "busy") as agent:
        truth = Truth(agent)
        told = json.loads((agent.folder / "truth.json").read_text())
        assert truth.count == 7 + 4
        agent.tell("marker")
        name, at = agent.told("marker")
        assert name == "marker"
        assert at > 0
        _busy(agent)
    places = {name: {"function": function, "line": line} for name, (function, line) in told["parked"].items()}
    greenlets = [{"name": name, "stack": [place]} for name, place in places.items()]
    assert truth.in_document({"greenlets": greenlets}) == 7
    greenlets[0]["stack"] = []
    assert truth.in_document({"greenlets": greenlets}) == 6
    assert truth.in_stacks(["parked_0 (agent.py:1) wait_for_event (agent.py:2)", "make (agent.py:3)"]) == 2
    assert truth.in_stacks(["parked_0 (agent.py:1) wait_in_queue (agent.py:2)"]) == 0


def test_the_known_flow_tells_its_calls(tmp_path: Path) -> None:
    with target(Path(sys.executable), "flowing", tmp_path, 1) as program:
        program.tell("go")
        assert program.line() == "done"
        known = json.loads((program.folder / "known.json").read_text())
    assert len(known) > 300
    assert all(name.startswith("known_") for name in known)


@pytest.mark.parametrize("program", ["pingpong", "shares", "calling"])
def test_a_program_counts_what_it_gets_done(tmp_path: Path, program: str) -> None:
    with target(Path(sys.executable), program, tmp_path) as running:
        _busy(running)


def _busy(program: Target) -> None:
    """Wait until it has got something done."""
    while not program.board.count:
        os.sched_yield()
