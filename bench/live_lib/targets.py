"""Starting what is watched: environments with the probe and without, and the programs in them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sysconfig
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from profiler_lib.workload import Workload

from live_lib.board import Board
from voltscope.cli import probe_environment
from voltscope.errors import VoltscopeError
from voltscope.live.probes import Probe

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
IDENTITY = "bench.agent"
START_S = 60.0


def environment(folder: Path, probed: bool) -> Path:
    """The interpreter of an environment of its own that has the packages of this one; with the probe, or without."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    shared = dict.fromkeys([*(sysconfig.get_path(name) for name in ("purelib", "platlib")), str(ROOT)])
    (packages / "shared.pth").write_text("".join(f"{path}\n" for path in shared))
    python = folder / "bin" / "python"
    if probed:
        probe_environment.at(folder).enable()
        (folder / "carries-the-probe").touch()
    return python


def agent_environment(home: Path, identity: str = IDENTITY) -> dict[str, str]:
    """What an agent of the platform in `home` finds in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOLTSCOPE")}
    ours = {"AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(home), "PYTHONHASHSEED": "0"}
    return {**kept, **ours, "PYTHONPATH": str(HERE.parent)}


class Target(Workload):
    """A program of this folder, run as an agent `identity` of the platform in `home`."""

    def __init__(
        self, python: Path, program: str, home: Path, *arguments: str, identity: str = IDENTITY, cpu: int | None = None
    ) -> None:
        """`cpu`: the processor it is bound to, None for any."""
        self.folder = home / f"{identity}-{time.monotonic_ns()}"
        self.folder.mkdir(parents=True)
        self.board = Board(self.folder / "board")
        self.identity = identity
        bound = [] if cpu is None else ["taskset", "--cpu-list", str(cpu)]
        command = [
            *bound,
            str(python),
            str(HERE / f"{program}.py"),
            *map(str, (self.board.path, self.folder)),
            *arguments,
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder,
            env=agent_environment(home, identity),
        )  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        if self.line() != "ready":
            self.stop()
            raise RuntimeError(f"{program} did not start")
        if (python.parents[1] / "carries-the-probe").exists():
            self._wait_for_probe(home)

    def done(self) -> int:
        """What it got done so far."""
        return self.board.count

    def line(self, timeout_s: float = START_S) -> str:
        """The next line it says; empty when it has ended. Raises queue.Empty."""
        return self.lines.get(timeout=timeout_s)

    def tell(self, line: str) -> None:
        """A line on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def told(self, name: str) -> Any:
        """What it answers to `name`: `[name, moment]`."""
        return json.loads(self.line(START_S))

    def cpu_s(self) -> float:
        """Processor seconds of all its threads so far."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def rates(self, seconds: float) -> tuple[float, float]:
        """What it gets done a second, and a second of processor time of its own and its children's, over the next
        `seconds`.
        """
        first, spent, began = self.done(), self._cpu_of_all(), time.perf_counter()
        time.sleep(seconds)
        done = self.done() - first
        return done / (time.perf_counter() - began), done / (self._cpu_of_all() - spent)

    def _cpu_of_all(self) -> float:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        spent = sum(int(Path(f"/proc/{child}/schedstat").read_text().split()[0]) for child in children)
        return self.cpu_s() + spent / 1e9

    def worst_gap(self, seconds: float) -> tuple[float, float]:
        """The largest excess gap of its ticker over the next `seconds`, by the clock and by processor time, in s."""
        self.forget_gaps()
        time.sleep(seconds)
        return self.board.worst_s, self.board.worst_cpu_s

    def forget_gaps(self) -> None:
        """The ticker begins anew."""
        self.board.resets += 1
        time.sleep(0.02)

    def _wait_for_probe(self, home: Path) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                Probe.of(home, self.pid)
            except VoltscopeError:
                if time.monotonic() > deadline:
                    self.stop()
                    raise
                time.sleep(0.02)
            else:
                return

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # closed meanwhile
            for line in self.process.stdout:
                self.lines.put(line.decode().strip())
        self.lines.put("")


@contextlib.contextmanager
def target(
    python: Path, program: str, home: Path, *arguments: object, identity: str = IDENTITY, cpu: int | None = None
) -> Iterator[Target]:
    """One that runs meanwhile."""
    made = Target(python, program, home, *map(str, arguments), identity=identity, cpu=cpu)
    try:
        yield made
    finally:
        made.stop()
