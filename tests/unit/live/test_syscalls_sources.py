"""System calls of a real process, counted by each source there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from root_helper import PATIENCE_S, RunningHelper, ended, wait_for
from servers.missing import without
from watched_program import Obedient, descendants, free, obedient

from voltscope.errors import BackendFailed, TargetGone
from voltscope.live.helper import Helper
from voltscope.live.source import Source, Wish
from voltscope.live.syscall_names import name_of, names
from voltscope.live.syscalls import BpftraceSyscalls, ProbedSyscalls
from voltscope.live.syscalls_perf import PerfStatSyscalls
from voltscope.live.syscalls_strace import StraceSyscalls
from voltscope.live.views import Syscall
from voltscope.profiling.targets import Target

_WISH = Wish(seconds=60)


@pytest.fixture
def worker() -> Iterator[Obedient]:
    with obedient(sys.executable) as running:
        yield running


@pytest.fixture(scope="module")
def few_events(kernel_probes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel's events as if it had three: each costs perf up to 50 ms when it ends."""
    trial = ["perf", "stat", "-e", "raw_syscalls:sys_enter", "--", "true"]
    if shutil.which("perf") is None:
        without("perf is missing")
    if (tried := subprocess.run(trial, capture_output=True, text=True, timeout=PATIENCE_S)).returncode:
        pytest.skip(f"the kernel lets perf count nothing: {tried.stderr.strip()[-300:]}")
    folder = tmp_path_factory.mktemp("events")
    (folder / "raw_syscalls/sys_enter").mkdir(parents=True)
    (folder / "raw_syscalls/sys_enter/id").touch()
    for name in ("sys_enter_getpid", "sys_enter_newfstatat"):
        (folder / "syscalls" / name).mkdir(parents=True)
    return folder


@pytest.fixture
def source(request: pytest.FixtureRequest, kernel_probes: Path) -> Source:
    match request.param:
        case "bpftrace":
            return BpftraceSyscalls(binary=kernel_probes)
        case "probed":
            helper: RunningHelper = request.getfixturevalue("probed")
            return ProbedSyscalls(Helper(helper.path))
        case "perf-stat":
            return PerfStatSyscalls(events=request.getfixturevalue("few_events"))
        case _:
            return StraceSyscalls()


def able(source: Source, pid: int) -> Target:
    target = Target("worker", pid)
    words = source.unavailable(target)
    if words is not None and "is not installed" in words:
        without(words)
    assert words is None
    return target


class Watched:
    """The last that a source told, by name, in a thread of its own. `error`: what ended it."""

    def __init__(self, source: Source, target: Target, wish: Wish = _WISH) -> None:
        self.watch = source.watch(target, wish)
        self.calls: dict[str, Syscall] = {}
        self.updates = 0
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for update in self.watch.updates():
                self.calls = {call.name: call for call in update.calls}
                self.updates += 1
        except Exception as error:
            self.error = error

    def end(self) -> None:
        self.watch.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.mark.parametrize(
    ("source", "latency"), [("bpftrace", False), ("probed", True), ("perf-stat", True)], indirect=["source"]
)
def test_the_kernel_counts_every_call_of_every_thread_to_its_end(
    source: Source, latency: bool, worker: Obedient
) -> None:
    watched = Watched(source, able(source, worker.pid), Wish(seconds=60, latency=latency))
    wait_for(lambda: watched.updates, "the first update")
    for _ in range(2):
        worker.work(500)
    wait_for(lambda: "getpid" in watched.calls and watched.calls["getpid"].count >= 1000, "what it called")
    assert free(worker.pid)
    worker.process.kill()
    worker.process.wait(PATIENCE_S)
    watched.thread.join(PATIENCE_S)
    assert isinstance(watched.error, TargetGone)
    assert watched.calls["getpid"].count == 1000
    told = watched.calls["newfstatat"]
    if source.name == "perf-stat":
        assert (told.errors, told.seconds, told.slowest_s) == (None, None, None)
        assert watched.calls["others"].count > 100
    else:
        assert told.errors == told.count == 1000
        assert watched.calls["getpid"].errors == 0
        assert "getpgid" not in watched.calls  # a child's
        if latency:
            assert told.seconds is not None
            assert told.slowest_s is not None
            assert 0 < told.slowest_s <= told.seconds < PATIENCE_S
            assert watched.calls["wait4"].slowest_s
        else:
            assert {(one.seconds, one.slowest_s) for one in watched.calls.values()} == {(None, None)}
    with pytest.raises(TargetGone):
        source.watch(Target("worker", worker.pid), _WISH)


def test_strace_counts_in_pieces_and_lets_go(kernel_probes: Path, worker: Obedient) -> None:
    source = StraceSyscalls()
    watched = Watched(source, able(source, worker.pid))

    def counted() -> bool:
        worker.work(200)
        return watched.updates >= 2 and "newfstatat" in watched.calls

    wait_for(counted, "a piece with calls in it")
    watched.end()
    told = watched.calls["newfstatat"]
    assert watched.error is None
    assert told.count == told.errors
    assert told.seconds
    assert free(worker.pid)


_CLIENT = """
import sys
from pathlib import Path
from voltscope.live.source import Wish
from voltscope.live.syscalls import BpftraceSyscalls, PerfStatSyscalls, StraceSyscalls
from voltscope.profiling.targets import Target
sources = [BpftraceSyscalls(), StraceSyscalls(), PerfStatSyscalls(events=Path(sys.argv[3]))]
source = next(one for one in sources if one.name == sys.argv[1])
for update in source.watch(Target("worker", int(sys.argv[2])), Wish(seconds=120)).updates():
    print("seen", flush=True)
"""


@pytest.mark.parametrize("name", ["bpftrace", "strace", "perf-stat"])
def test_nothing_is_left_when_we_are_killed(few_events: Path, worker: Obedient, name: str) -> None:
    command = [sys.executable, "-c", _CLIENT, name, str(worker.pid), str(few_events)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == b"seen\n"
        tracers = wait_for(lambda: descendants(client.pid), "the program that watches")
    finally:
        client.kill()
        client.communicate()
    for tracer in tracers:
        wait_for(lambda tracer=tracer: ended(tracer), f"the end of {name}")
    wait_for(lambda: free(worker.pid), "the process, which goes on by itself")
    worker.work(1)


@pytest.mark.parametrize("kind", [StraceSyscalls, PerfStatSyscalls])
def test_a_program_that_fails_says_why(kind: type[StraceSyscalls | PerfStatSyscalls], tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho '  1.0 rubbish 7'; echo 'no such option' >&2\nexit 2\n")
    program.chmod(0o755)
    with obedient(sys.executable) as worker:
        watch = kind(program=program).watch(Target("worker", worker.pid), _WISH)
        with pytest.raises(BackendFailed, match="no such option"):
            list(watch.updates())


def test_numbers_without_a_name_are_told_as_numbers() -> None:
    assert names("x86_64")[0] == "read"
    assert names("aarch64")[63] == "read"
    assert names("x86_64")[424] == names("aarch64")[424] == "pidfd_send_signal"
    assert names("vax") == {}
    assert name_of(999_999) == "syscall 999999"
