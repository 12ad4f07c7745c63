"""Nothing of the root helper stays behind, in the kernel or in the process watched, however a part of it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from root_helper import BUSY, PATIENCE_S, RunningHelper, Traces, ended, helper_process, target, wait_for

from voltscope.errors import HelperAbsent
from voltscope.live.helper import Helper

_CLIENT = """
import sys
from pathlib import Path
from voltscope.live.helper import Helper
for batch in Helper(Path(sys.argv[1])).run(sys.argv[2], int(sys.argv[3]), 60).batches():
    if any(message.kind == "printf" for message in batch):
        print("seen", flush=True)
"""


class Watching:
    """A client process that has `pid` watched, and the traces of that."""

    def __init__(self, helper: RunningHelper, program: str, pid: int) -> None:
        before = set(helper.tracers())
        arguments = [sys.executable, "-c", _CLIENT, str(helper.path), program, str(pid)]
        self.client = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.client.stdout is not None
        assert self.client.stdout.readline() == b"seen\n"
        (self.tracer,) = set(helper.tracers()) - before
        self.traces = Traces(self.tracer, pid)
        assert self.traces.programs

    def gone(self) -> None:
        """Returns when tracer, programs, breakpoints and raised semaphores are."""
        wait_for(lambda: ended(self.tracer), "the tracer's end")
        wait_for(lambda: not self.traces.left(), f"nothing left, but there is {self.traces.left()}")


@pytest.fixture
def watch(usdt_python: Path) -> Iterator[Callable[[RunningHelper, str], Watching]]:
    begun: list[Watching] = []
    with target(BUSY, program=str(usdt_python)) as pid:

        def begin(helper: RunningHelper, program: str) -> Watching:
            begun.append(Watching(helper, program, pid))
            return begun[-1]

        yield begin
        for watching in begun:
            watching.client.kill()
            watching.client.communicate()


def test_a_client_that_is_killed_leaves_nothing(probed: RunningHelper, watch: Callable[..., Watching]) -> None:
    watching = watch(probed, "flow")
    # that there is something to find, else its absence would say nothing
    there = watching.traces.left()
    for what in ("program", "semaphore of line", "semaphore of function__return"):
        assert any(line.startswith(what) for line in there), there
    watching.client.kill()
    watching.gone()
    wait_for(lambda: any("program=flow " in line and "outcome=gone" in line for line in probed.lines), "its line")


def test_a_tracer_that_is_killed_leaves_nothing(probed: RunningHelper, watch: Callable[..., Watching]) -> None:
    watching = watch(probed, "gc")
    assert any("semaphore of gc__start" in line for line in watching.traces.left())
    os.kill(watching.tracer, signal.SIGKILL)
    watching.gone()
    assert watching.client.wait(PATIENCE_S) != 0  # the helper told it


def test_a_helper_that_is_killed_leaves_nothing(tmp_path: Path, watch: Callable[..., Watching]) -> None:
    with helper_process(tmp_path) as helper:
        watching = watch(helper, "flow")
        helper.process.kill()
        helper.process.wait(PATIENCE_S)
        watching.gone()
        watching.client.wait(PATIENCE_S)
        with pytest.raises(HelperAbsent, match="nothing answers"):
            Helper(helper.path).hello()
