"""The flow of a real interpreter with USDT probes: every call and return, in order, and nothing left behind."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from root_helper import PATIENCE_S, RunningHelper, Traces, ended, wait_for
from watched_program import Obedient, descendants, free, named, obedient

from voltscope.errors import ProfilingRefused, TargetGone
from voltscope.live import usdt, usdt_steps
from voltscope.live.bpftrace import Message
from voltscope.live.helper import Helper
from voltscope.live.source import Source, Wish
from voltscope.live.usdt import UsdtFlow, probed_file, usdt_sources
from voltscope.live.usdt_steps import Steps
from voltscope.live.views import Flow, Place, Step
from voltscope.profiling.targets import Target

_WISH = Wish(seconds=60)
# What the program of watched_program.py calls for an order of one call: half of one is none in the first thread.
_WORK = ["call leaf", "return leaf"]
_REST = [
    "call recurse", "call recurse", "call recurse", "return recurse", "return recurse", "return recurse",
    "call pair", "return pair", "call pair", "return pair", "call pair", "return pair",
    "call fails", "return fails",
]  # fmt: skip
_MINE = {"leaf", "recurse", "pair", "fails"}


@pytest.fixture
def worker(usdt_python: Path) -> Iterator[Obedient]:
    with obedient(str(usdt_python)) as running:
        yield running


class Watched:
    """All that a flow told, in a thread of its own. `error`: what ended it."""

    def __init__(self, source: Source, target: Target) -> None:
        self.watch = source.watch(target, _WISH)
        self.steps: list[Step] = []
        self.places: dict[int, Place] = {}
        self.tracks: dict[int, str] = {}
        self.dropped = 0
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for flow in self.watch.updates():
                self.places.update(flow.places)
                self.tracks.update(flow.tracks)
                self.dropped = flow.dropped
                self.steps += flow.steps
        except Exception as error:
            self.error = error

    def told(self) -> list[str]:
        """The steps in our own functions, in words."""
        steps = sorted(self.steps, key=lambda step: step.at)  # told in order for each thread alone
        named = [(step.kind, self.places[step.place].function) for step in steps]
        return [f"{kind} {function}" for kind, function in named if function in _MINE]


@pytest.mark.parametrize("name", ["usdt", "probed"])
def test_every_call_and_return_is_seen_in_order_until_the_process_ends(
    worker: Obedient, probed: RunningHelper, name: str
) -> None:
    source = next(one for one in usdt_sources(Helper(probed.path)) if one.name == name)
    target = Target("worker", worker.pid)
    assert source.unavailable(target) is None
    watched = Watched(source, target)

    def seen() -> bool:
        worker.work(2)
        return bool(watched.told())

    wait_for(seen, "the first steps")
    # they may begin in the middle of an order: the last one is whole
    worker.work(3)
    whole = _WORK * 2 + _REST + _WORK + _REST
    wait_for(lambda: watched.told()[-len(whole) :] == whole, "all steps of an order, in their order")
    worker.process.kill()
    worker.process.wait(PATIENCE_S)
    watched.thread.join(PATIENCE_S)
    assert isinstance(watched.error, TargetGone)
    assert watched.dropped == 0
    assert watched.told()[-len(whole) :] == whole
    for track in watched.tracks:
        moments = [step.at for step in watched.steps if step.track == track]
        assert moments == sorted(moments)
    assert len(watched.tracks) >= 2
    assert all(str(track) in name for track, name in watched.tracks.items())
    depths = [step.depth for step in watched.steps if watched.places[step.place].function == "recurse"][-6:]
    assert [depth - depths[0] for depth in depths] == [0, 1, 2, 2, 1, 0]
    leaf = next(place for place in watched.places.values() if place.function == "leaf")
    assert leaf == Place("leaf", "<string>", 3)


_CLIENT = """
import sys
from voltscope.live.source import Wish
from voltscope.live.usdt import UsdtFlow
from voltscope.profiling.targets import Target
for flow in UsdtFlow().watch(Target("worker", int(sys.argv[1])), Wish(seconds=60)).updates():
    print("seen", flush=True)
"""


def test_nothing_is_left_in_the_process_when_we_are_killed(worker: Obedient) -> None:
    client = subprocess.Popen([sys.executable, "-c", _CLIENT, str(worker.pid)], stdout=subprocess.PIPE)
    try:
        (tracer,) = wait_for(lambda: [pid for pid in descendants(client.pid) if named(pid, "bpftrace")], "bpftrace")
        traces = Traces(tracer, worker.pid)
        wait_for(lambda: sum(line.startswith("semaphore") for line in traces.in_target()) >= 3, "its semaphores")
        worker.work(2)
        assert client.stdout is not None
        assert client.stdout.readline() == b"seen\n"
        traces = Traces(tracer, worker.pid)
        assert traces.programs
    finally:
        client.kill()
        client.communicate()
    wait_for(lambda: ended(tracer), "the end of bpftrace")
    wait_for(lambda: not traces.left(), "nothing left")
    assert free(worker.pid)
    worker.work(1)


def test_an_interpreter_without_probes_is_said(tmp_path: Path, kernel_probes: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        target = Target("sleep", process.pid)
        assert probed_file(process.pid) is None
        assert "USDT" in str(UsdtFlow().unavailable(target))
        with pytest.raises(ProfilingRefused, match="built without"):
            UsdtFlow().watch(target, _WISH)
        process.kill()
    with pytest.raises(TargetGone):
        UsdtFlow().watch(target, _WISH)


def printed(*lines: str) -> list[Message]:
    return [Message("printf", f"{line}\n") for line in lines]


_NAMES = printed("name 1 10 f", "file 1 /a b/c.py", "name 1 11 g", "begin 1000000000")


def steps_of(flow: Flow | None) -> list[tuple[float, int, str, int, int]]:
    assert flow is not None
    return [(step.at, step.track, step.kind, step.place, step.depth) for step in flow.steps]


def test_what_comes_out_of_order_from_two_processors_is_put_in_order() -> None:
    steps = Steps(str)
    steps.take([*_NAMES, *printed("r 2000000000 7 1 11 5", "e 1500000000 7 1 10 1")])
    steps.take(printed("e 1600000000 7 1 11 4", "e 2100000000 7 1 10 1"))
    told = steps_of(steps.told())
    assert told == [(0.5, 7, "call", 0, 0), (0.6, 7, "call", 1, 1)]  # the others may still be overtaken
    steps.take([])
    assert steps.told() is None
    steps.take([])  # nothing is on its way any more
    assert steps_of(steps.told()) == [(1.0, 7, "return", 1, 1), (1.1, 7, "call", 0, 1)]
    steps.take(printed("e 1700000000 7 1 10 1", "e 1700000000 8 1 10 1"))
    assert steps.dropped == 1  # of a thread that has gone on
    steps.flush()
    assert steps_of(steps.told()) == [(0.7, 8, "call", 0, 0)]


def test_a_greenlet_that_is_parked_returns_later_and_what_was_under_way_has_no_call() -> None:
    steps = Steps(str)
    steps.take([*_NAMES, *printed("r 1100000000 7 1 11 9", "e 1200000000 7 1 10 1", "e 1300000000 7 1 11 2")])
    steps.take(printed("r 1400000000 7 1 10 1", "e 1500000000 7 1 10 1", "r 1600000000 7 1 11 3"))
    steps.flush()
    told = steps_of(steps.told())
    assert [(kind, place, depth) for _, _, kind, place, depth in told] == [
        ("return", 0, 0), ("call", 1, 0), ("call", 0, 1), ("return", 1, 0), ("call", 1, 1), ("return", 0, 0),
    ]  # fmt: skip


def test_rubbish_and_what_was_lost_are_counted_and_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usdt_steps, "_MOST_WAITING", 2)
    steps = Steps(str)
    steps.take([*_NAMES, *printed("e x", "e 1", "r 1 2 3 4", "hello", "name", "begin x")])
    assert steps.dropped == 5
    steps.take([Message("lost_events", {"events": 4}), Message("map", {"@told": 1}), Message("printf", 7)])
    steps.take(printed(*(f"e {2_000_000_000 + n} 7 1 10 1" for n in range(5))))
    assert steps.dropped == 5 + 4 + 3
    steps.flush()
    flow = steps.told(lost=100)
    assert flow is not None
    assert (len(flow.steps), flow.dropped) == (2, 112)


def test_a_function_whose_name_was_lost_has_a_question_mark_until_it_is_told_again() -> None:
    steps = Steps(str)
    steps.take(printed("begin 1000000000", "e 1100000000 7 1 10 3", "r 1200000000 7 1 10 4"))
    steps.flush()
    first = steps.told()
    steps.take([*_NAMES, *printed("e 2100000000 7 1 10 3")])
    steps.flush()
    second = steps.told()
    assert first is not None
    assert second is not None
    assert list(first.places.values()) == [Place("?", "?", 3)]
    assert list(second.places.values()) == [Place("f", "/a b/c.py", 3)]
    assert second.tracks == {}


def test_what_a_process_names_as_its_library_neither_hangs_nor_fails_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, hostile = tmp_path / "libpython-pipe.so", tmp_path / "libpython-far.so"
    os.mkfifo(pipe)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 3, 62, 1, 0, 0, 2**64 - 1, 0, 64, 0, 0, 64, 1, 0)
    hostile.write_bytes(header)
    for path in (pipe, hostile, tmp_path / "libpython\0"):
        monkeypatch.setattr(usdt, "_exe", lambda pid, path=path: str(path))
        assert probed_file(-1) is None
    found = hostile.stat()
    assert not usdt._has_probes(str(pipe), found.st_dev, found.st_ino, found.st_mtime_ns)  # changed in between
