"""Folded stacks: reading, writing, merging, idle told apart, shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from voltscope.profiling import stacks

LISTENER = Path(__file__).parents[2] / "data/profiling/listener-wall.folded"


def test_fold_and_parse_are_each_others_inverse():
    given = {("main (a.py:1)", "work (b.py:2)"): 3, ("main (a.py:1)",): 1}
    assert stacks.parse(stacks.fold(given)) == given


def test_a_function_named_with_a_newline_stays_one_stack():
    assert stacks.parse("main (a.py:1);ev\nil (b.py:2) 7\n") == {("main (a.py:1)", "ev il (b.py:2)"): 7}


def test_a_count_without_a_stack_stays_a_sample_of_its_own():
    """Seen of py-spy on a real agent: it must not run into the next line."""
    found = stacks.parse(" 1\nHub.run (gevent/hub.py:647) 498\n")
    assert found == {(stacks.NO_FRAMES,): 1, ("Hub.run (gevent/hub.py:647)",): 498}


def test_merging_adds_counts():
    assert stacks.merge([{("a",): 1, ("b",): 2}, {("a",): 4}]) == {("a",): 5, ("b",): 2}


def test_the_idle_loop_of_a_real_listener_is_told_apart():
    raw = stacks.parse(LISTENER.read_text())
    marked = stacks.mark_hub(raw, idle=True)
    assert stacks.samples_in(marked) == stacks.samples_in(raw)
    assert stacks.hub_samples(marked) > 0.9 * stacks.samples_in(marked)
    idle = [stack for stack in marked if stack[0] == "[hub idle]"]
    assert all("gevent/hub.py" in stack[-1] for stack in idle)


def test_a_function_called_run_elsewhere_is_not_the_loop():
    given = {("main (a.py:1)", "run (worker.py:5)"): 2}
    assert stacks.mark_hub(given, idle=True) == given


@pytest.mark.parametrize(
    ("text", "name", "file", "line"),
    [
        ("hot (toy.py:5)", "hot", "toy.py", 5),
        ("Hub.run (gevent/hub.py:647)", "Hub.run", "gevent/hub.py", 647),
        ("<lambda> (x (y).py:1)", "<lambda> (x (y).py:1)", None, None),
        ("[hub idle]", "[hub idle]", None, None),
    ],
)
def test_frames_are_taken_apart(text, name, file, line):
    frame = stacks.parse_frame(text)
    assert (frame.name, frame.file, frame.line) == (name, file, line)


def test_shares_have_wilsons_interval():
    half = stacks.wilson(50, 100)  # the textbook's: 0.404 to 0.596
    assert (half.share, round(half.low, 3), round(half.high, 3)) == (0.5, 0.404, 0.596)
    none = stacks.wilson(0, 20)
    assert (none.low, round(none.high, 3)) == (0.0, 0.161)


def test_samples_that_come_in_clumps_count_for_less():
    printed, plain = stacks.share(30, 100), stacks.wilson(30, 100)
    assert printed.share == plain.share
    assert 1.1 < (printed.high - printed.low) / (plain.high - plain.low) < 1.15
    assert stacks.share(0, 0).high == 1.0


def test_own_and_total_shares_count_lines_of_a_function_together():
    given = {("main (a.py:1)", "f (a.py:5)"): 3, ("main (a.py:2)", "f (a.py:6)"): 1, ("main (a.py:2)",): 4}
    assert [(name, one.samples) for name, one in stacks.own_shares(given)] == [("f (a.py)", 4), ("main (a.py)", 4)]
    assert {name: one.samples for name, one in stacks.total_shares(given)} == {"main (a.py)": 8, "f (a.py)": 4}


def test_recursion_counts_once_a_sample():
    given = {("f (a.py:1)", "f (a.py:1)", "f (a.py:2)"): 5}
    [(name, one)] = stacks.total_shares(given)
    assert (name, one.share) == ("f (a.py)", 1.0)
