"""Starting what is profiled, and how much it gets done in a stretch of time."""

from __future__ import annotations

import contextlib
import mmap
import signal
import struct
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TURN_S = 0.1


class Workload(ABC):
    """A process that works, counts what it gets done, and can be made to stand still."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @abstractmethod
    def done(self) -> int:
        """How much it got done so far."""

    def rate(self, seconds: float) -> float:
        """What it gets done a second, over the next `seconds`."""
        first, began = self.done(), time.perf_counter()
        time.sleep(seconds)
        return (self.done() - first) / (time.perf_counter() - began)

    def pause(self) -> None:
        """It stands still until `resume`."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Historian(Workload):
    """The busy agent. What it gets done is rows."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True)
        counter = folder / "counter"
        counter.write_bytes(b"\0" * 8)
        command = [sys.executable, str(HERE / "historian.py"), str(counter), str(folder / "data.sqlite"), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the busy agent did not start")
        with counter.open("r+b") as file:
            self._counter = mmap.mmap(file.fileno(), 8)

    def done(self) -> int:
        """Rows so far."""
        return int(struct.unpack("<Q", self._counter[:8])[0])


@contextlib.contextmanager
def historian(folder: Path, *arguments: str) -> Iterator[Historian]:
    """One that runs meanwhile."""
    made = Historian(folder, *arguments)
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[None]:
    """A program that runs meanwhile, and is ended by SIGINT."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def twins(folder: Path, *arguments: str) -> Iterator[tuple[Historian, Historian]]:
    """Two alike that take turns; `arguments` are the first one's alone. Both stand still."""
    with historian(folder / "one", *arguments) as one, historian(folder / "other") as other:
        for twin in (one, other):
            twin.rate(1.0)
            twin.pause()
        yield one, other


def turns(profiled: Workload, plain: Workload, count: int) -> list[float]:
    """What the profiled one gets done to the other, so many times, in turns of `TURN_S`; who goes first changes. Both
    stand still before and after.

    The speed of a shared machine changes by a tenth from one block to the next however long they are (measured: 9.7 %
    between neighbours of 0.1 s, 11 % between those of 2 s), so that many short ones tell more than a few long ones.
    """
    ratios = []
    for number in range(count):
        order = (profiled, plain) if number % 2 else (plain, profiled)
        rates = [_turn(one) for one in order]
        with_it, without = rates if number % 2 else reversed(rates)
        if with_it and without:  # one that got nothing done waited for its disk
            ratios.append(with_it / without)
    return ratios


def _turn(one: Workload) -> float:
    one.resume()
    try:
        return one.rate(TURN_S)
    finally:
        one.pause()
