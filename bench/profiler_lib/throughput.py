"""What a busy agent feels of being profiled: rows a second with a profiler and without, in alternating pairs."""

from __future__ import annotations

import contextlib
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure, lower_bound

from profiler_lib.workload import Historian, historian, running, turns, twins
from voltscope.engine.service import FactsAnswer
from voltscope.profiling.backends.base import Kind, Sampling
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.backends.running import find_program
from voltscope.profiling.continuous import Continuous
from voltscope.profiling.settings import ContinuousSettings
from voltscope.profiling.targets import Target, Targets
from voltscope.profiling.windows import Windows

# Twins take turns, one of them profiled all the while; then the other one is, so that how they differ falls out.
TURNS = 240
ATTACH_S, LONGEST_S = 1.0, 300
WINDOW_S = 20


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Throughput under captures, ours and the peers', and under continuous profiling."""
    count = 15 if quick else TURNS
    with twins(folder / "busy") as (one, other):
        for name, profiler in _profilers(folder).items():
            goal = ">= 0.97" if name == "voltscope" else "(a peer)"
            title = "profiled_throughput_ratio" + ("" if name == "voltscope" else f"_{name}")
            of = f"rows a second of a busy historian-like agent sampled at 100 Hz by {name} to its twin left alone"
            if profiler is None:
                yield figure(title, None, "ratio", goal, of, f"{name} is not installed")
                continue
            yield _ratio(title, goal, of, _both(one, other, profiler, count if name == "voltscope" else count // 2))
        yield from _continuous(folder, one, other, count)
    yield _pyroscope(folder, count)
    if quick:
        yield figure("continuous_cpu_percent", None, "%", "<= 1", "at 19 Hz", "takes minutes")
    else:
        yield _continuous_cpu(folder)


def _ratio(name: str, goal: str, of: str, ratios: list[float]) -> dict[str, Any]:
    centre, bound = lower_bound(ratios)
    return figure(name, bound, "ratio", goal, f"{of}; 95 % lower bound of {len(ratios)} turns, centre {centre:.3f}")


Profiler = Callable[[int], contextlib.AbstractContextManager[None]]


def _both(one: Historian, other: Historian, profiler: Profiler, count: int) -> list[float]:
    """`count` ratios with either of them profiled."""
    found: list[float] = []
    for profiled, plain in ((one, other), (other, one)):
        profiled.resume()
        try:
            with profiler(profiled.pid):
                found += turns(profiled, plain, count)
        finally:
            profiled.pause()
    return found


def _profilers(folder: Path) -> dict[str, Profiler | None]:
    output, seconds = str(folder / "output"), str(LONGEST_S)
    spy, austin, perf = find_program("py-spy"), find_program("austin"), shutil.which("perf")

    def program(*command: str) -> Profiler:
        @contextlib.contextmanager
        def beside(pid: int) -> Iterator[None]:
            with running([str(pid) if word == "PID" else word for word in command]):
                time.sleep(ATTACH_S)
                yield

        return beside

    found: dict[str, Profiler | None] = {"voltscope": _ours}
    plain = (str(spy), "record", "-p", "PID", "-d", seconds, "-r", "100", "-f", "raw", "-o", output)
    found["py-spy"] = program(*plain) if spy else None
    found["austin"] = program(str(austin), "-p", "PID", "-i", "10ms", "-x", seconds, "-o", output) if austin else None
    found["perf"] = (
        program(perf, "record", "-F", "100", "-g", "-p", "PID", "-o", output, "--", "sleep", seconds) if perf else None
    )
    return found


@contextlib.contextmanager
def _ours(pid: int) -> Iterator[None]:
    """While a capture of the profiler's default backend goes on."""
    cancel, begun = threading.Event(), threading.Event()
    sampling = Sampling(pid, LONGEST_S, 100, Kind.CPU)
    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(PySpy().record, sampling, cancel=cancel, progress=lambda share: begun.set())
        try:
            begun.wait(60)
            yield
        finally:
            cancel.set()
            recording.result()


def _pyroscope(folder: Path, count: int) -> dict[str, Any]:
    """It lives inside the agent: of two agents always the same one has it."""
    name, of = "profiled_throughput_ratio_pyroscope-io", "the same by pyroscope-io inside of the agent, at 100 Hz"
    if find_spec("pyroscope") is None:
        return figure(name, None, "ratio", "(a peer)", of, "pyroscope-io is not installed")
    with _sink() as url, twins(folder / "inside", url) as (inside, plain):
        return _ratio(name, "(a peer)", of, turns(inside, plain, count))


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


def _continuous(folder: Path, one: Historian, other: Historian, count: int) -> Iterator[dict[str, Any]]:
    windows = Windows(folder / "windows")

    @contextlib.contextmanager
    def profiled(pid: int) -> Iterator[None]:
        with _sampled_all_the_time(pid, windows):
            time.sleep(ATTACH_S)
            yield

    ratios = _both(one, other, profiled, count)
    windows.close()
    of = f"the same agent, profiled at 19 Hz in windows of {WINDOW_S} s, to its twin left alone"
    yield _ratio("continuous_throughput_ratio", ">= 0.98", of, ratios)


def _continuous_cpu(folder: Path) -> dict[str, Any]:
    windows = Windows(folder / "cpu")
    with historian(folder / "continuous") as busy:
        busy.rate(1.0)
        before, began = _cpu(), time.perf_counter()
        with _sampled_all_the_time(busy.pid, windows):
            busy.rate(4 * WINDOW_S)
        share = (_cpu() - before) / (time.perf_counter() - began)
    windows.close()
    of = (
        "of one processor: py-spy and our part of it, one agent at 19 Hz, four windows of "
        f"{WINDOW_S} s, attaching, reading and keeping included"
    )
    return figure("continuous_cpu_percent", 100 * share, "%", "<= 1", of)


@contextlib.contextmanager
def _sampled_all_the_time(pid: int, windows: Windows) -> Iterator[None]:
    continuous = Continuous(_One(pid), Backends([PySpy()]), windows.keep, None, look_s=0.1)
    continuous.apply(ContinuousSettings(agents=("*",), window_s=WINDOW_S), None)
    try:
        yield
    finally:
        continuous.stop()


def _cpu() -> float:
    """Processor seconds of this process and of its children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
