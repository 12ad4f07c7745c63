"""What a busy agent feels of being profiled: rows a second with a profiler and without, in alternating pairs."""

from __future__ import annotations

import contextlib
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure, lower_bound

from profiler_lib.workload import Historian, historian, pairs, running
from voltscope.engine.service import FactsAnswer
from voltscope.profiling.backends.base import Kind, Sampling
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.backends.running import find_program
from voltscope.profiling.continuous import Continuous
from voltscope.profiling.settings import ContinuousSettings
from voltscope.profiling.targets import Target, Targets
from voltscope.profiling.windows import Windows

# A ratio of two blocks spreads by some per cent on a shared machine.
PAIRS = 21
BLOCK_S, ATTACH_S = 2.0, 0.7
WINDOW_S = 20


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Throughput under captures, ours and the peers', and under continuous profiling."""
    count = 5 if quick else PAIRS
    with historian(folder / "busy") as busy:
        busy.rate(2.0)
        for name, profiled in _profilers(busy, folder).items():
            goal = ">= 0.97" if name == "voltscope" else "(a peer)"
            title = "profiled_throughput_ratio" + ("" if name == "voltscope" else f"_{name}")
            of = (
                f"rows a second of a busy historian-like agent sampled at 100 Hz by {name} to the same agent left alone"
            )
            if profiled is None:
                yield figure(title, None, "ratio", goal, of, f"{name} is not installed")
                continue
            yield _ratio(title, goal, of, pairs(count, lambda: busy.rate(BLOCK_S), profiled))
    yield _pyroscope(folder, count)
    if quick:
        yield figure("continuous_throughput_ratio", None, "ratio", ">= 0.98", "at 19 Hz", "takes minutes")
        yield figure("continuous_cpu_percent", None, "%", "<= 1", "at 19 Hz", "takes minutes")
    else:
        yield from _continuous(folder)


def _ratio(name: str, goal: str, of: str, ratios: list[float]) -> dict[str, Any]:
    centre, bound = lower_bound(ratios)
    return figure(name, bound, "ratio", goal, f"{of}; 95 % lower bound of {len(ratios)} pairs, centre {centre:.3f}")


def _profilers(busy: Historian, folder: Path) -> dict[str, Callable[[], float] | None]:
    pid, output = str(busy.pid), str(folder / "output")
    seconds = str(round(BLOCK_S + 30))
    spy, austin, perf = find_program("py-spy"), find_program("austin"), shutil.which("perf")

    def beside(command: list[str]) -> Callable[[], float]:
        def rate() -> float:
            with running(command):
                time.sleep(ATTACH_S)
                return busy.rate(BLOCK_S)

        return rate

    found: dict[str, Callable[[], float] | None] = {"voltscope": lambda: _ours(busy)}
    plain = [str(spy), "record", "-p", pid, "-d", seconds, "-r", "100", "-f", "raw", "-o", output]
    found["py-spy"] = beside(plain) if spy else None
    found["austin"] = beside([str(austin), "-p", pid, "-i", "10ms", "-x", seconds, "-o", output]) if austin else None
    found["perf"] = (
        beside([perf, "record", "-F", "100", "-g", "-p", pid, "-o", output, "--", "sleep", seconds]) if perf else None
    )
    return found


def _ours(busy: Historian) -> float:
    """While a capture of the profiler's default backend goes on."""
    cancel = threading.Event()
    begun = threading.Event()

    def progress(share: float) -> None:
        begun.set()

    sampling = Sampling(busy.pid, round(BLOCK_S) + 30, 100, Kind.CPU)
    thread = threading.Thread(target=PySpy().record, args=(sampling,), kwargs={"cancel": cancel, "progress": progress})
    thread.start()
    begun.wait(60)
    try:
        return busy.rate(BLOCK_S)
    finally:
        cancel.set()
        thread.join()


def _pyroscope(folder: Path, count: int) -> dict[str, Any]:
    """It lives inside the agent: two agents take turns, one of them with it."""
    name, of = "profiled_throughput_ratio_pyroscope-io", "the same by pyroscope-io inside of the agent, at 100 Hz"
    if find_spec("pyroscope") is None:
        return figure(name, None, "ratio", "(a peer)", of, "pyroscope-io is not installed")
    with _sink() as url, historian(folder / "plain") as plain, historian(folder / "inside", url) as inside:
        for one in (plain, inside):
            one.pause()

        def rate(one: Historian) -> float:
            one.resume()
            try:
                time.sleep(0.3)
                return one.rate(BLOCK_S)
            finally:
                one.pause()

        ratios = pairs(count, lambda: rate(plain), lambda: rate(inside))
    return _ratio(name, "(a peer)", of, ratios)


@contextlib.contextmanager
def _sink() -> Iterator[str]:
    """A server that takes whatever pyroscope-io sends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _One(Targets):
    """A site whose one agent is the busy one."""

    def __init__(self, pid: int) -> None:
        super().__init__(lambda timeout: FactsAnswer(None, None, "alone"), Path("/nowhere"))
        self._target = Target("busy", pid)

    def all(self) -> list[Target]:
        return [self._target]

    def find(self, agent: str) -> Target:
        return self._target


def _continuous(folder: Path) -> Iterator[dict[str, Any]]:
    windows = Windows(folder / "windows")
    spent: list[float] = []
    with historian(folder / "continuous") as busy:
        busy.rate(2.0)

        def profiled() -> float:
            continuous = Continuous(_One(busy.pid), Backends([PySpy()]), windows.keep, None, look_s=0.1)
            before, began = _cpu(), time.perf_counter()
            continuous.apply(ContinuousSettings(agents=("*",), window_s=WINDOW_S), None)
            rate = busy.rate(WINDOW_S)
            continuous.stop()
            spent.append((_cpu() - before) / (time.perf_counter() - began))
            return rate

        ratios = pairs(11, lambda: busy.rate(WINDOW_S), profiled)
    windows.close()
    of = f"rows a second of the same agent, profiled at 19 Hz in windows of {WINDOW_S} s"
    yield _ratio("continuous_throughput_ratio", ">= 0.98", of, ratios)
    of = (
        "of one processor: py-spy and our part of it, one agent at 19 Hz, windows of "
        f"{WINDOW_S} s, attaching, reading and keeping included; mean of {len(spent)}"
    )
    yield figure("continuous_cpu_percent", 100 * sum(spent) / len(spent), "%", "<= 1", of)


def _cpu() -> float:
    """Processor seconds of this process and of its children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
