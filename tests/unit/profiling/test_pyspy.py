"""py-spy on real processes: right shares, told endings, and refusals with their remedy."""

from __future__ import annotations

import importlib.util
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from profilers import PARENT, as_user

from voltscope.errors import BackendFailed, ProfilingRefused, TargetGone
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Ending, Kind, Sampling
from voltscope.profiling.backends.naming import process_root
from voltscope.profiling.backends.pyspy import PySpy, _behind_seconds, _by_process
from voltscope.profiling.backends.refusal import refused
from voltscope.profiling.backends.running import find_program
from voltscope.profiling.stacks import hub_samples, mark_hub, total_shares

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")


def record(pid, seconds=1, rate=100, kind=Kind.CPU, cancel=None, progress=lambda share: None, backend=None, **choices):
    cancel = cancel or threading.Event()
    sampling = Sampling(pid, seconds, rate, kind, **choices)
    return (backend or PySpy()).record(sampling, cancel=cancel, progress=progress)


def test_the_shares_of_two_hot_functions_are_right(start, program):
    told = []
    recording = record(start(program.BUSY).pid, seconds=5, progress=told.append)
    shares = {name.split(" ")[0]: share for name, share in total_shares(recording.stacks)}
    # 500 samples give a standard deviation of 2 points; other processes on the machine give more
    assert shares["seventy"].share == pytest.approx(0.70, abs=0.12)
    assert shares["thirty"].share == pytest.approx(0.30, abs=0.12)
    # behind on a busy machine it takes fewer, and is stopped when it goes on for too long to make up for them
    assert recording.samples >= 150
    assert recording.ending in (Ending.COMPLETE, Ending.DEADLINE)
    assert 4 < recording.seconds < 30
    assert told == sorted(told)
    assert told[-1] > 0.8


def test_an_idle_process_has_next_to_no_cpu_samples_and_all_the_walls(start, program):
    process = start(program.IDLE)
    # py-spy's stops wake it now and then, the more the busier the machine: a busy process is never seen idle
    assert any(record(process.pid).samples <= 40 for _ in range(5))
    assert any(record(process.pid, kind=Kind.WALL).samples >= 60 for _ in range(5))
    assert any(record(process.pid, kind=Kind.GIL).samples <= 10 for _ in range(5))


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_gevents_idle_loop_is_told_apart(start, program):
    recording = record(start(program.GEVENT).pid, seconds=2, kind=Kind.WALL)
    idle = hub_samples(recording.stacks) / recording.samples
    assert 0.3 < idle < 0.95  # on a busy machine who slept waits for a processor as well
    assert any(stack[0] == "[hub idle]" and "gevent/hub.py" in stack[-1] for stack in recording.stacks)
    assert any(stack[-1].startswith("worker ") for stack in recording.stacks)


def test_a_target_that_dies_leaves_what_was_seen(start, program):
    process = start(program.BUSY)

    def kill_midway(share):
        if share > 0.01:
            process.kill()
            process.wait()

    recording = record(process.pid, seconds=60, progress=kill_midway)
    assert recording.ending is Ending.TARGET_ENDED
    assert recording.samples > 10
    assert recording.seconds < 40


def test_another_process_with_the_targets_number_is_not_the_target(start, program):
    """Seen on a busy machine: py-spy went on against the number to the end, with 459 errors for 40 samples."""

    class Reused(ProcessTable):
        asked = 0

        def birth(self, pid):
            self.asked += 1
            return (super().birth(pid) or 0) + (self.asked > 8)

    recording = record(start(program.BUSY).pid, seconds=30, backend=PySpy(processes=Reused()))
    assert recording.ending is Ending.TARGET_ENDED
    assert recording.samples > 10
    assert recording.seconds < 25


def test_a_cancel_ends_it_at_once(start, program):
    cancel = threading.Event()
    recording = record(start(program.BUSY).pid, seconds=60, cancel=cancel, progress=lambda share: cancel.set())
    assert recording.ending is Ending.CANCELLED
    assert recording.seconds < 40


def test_a_dead_pid_is_gone(start, program):
    process = start(program.IDLE)
    process.kill()
    process.wait()
    with pytest.raises(TargetGone, match=f"there is no process {process.pid}"):
        record(process.pid)


def test_a_process_without_python_is_said_to_be_one():
    process = subprocess.Popen(["sleep", "60"])
    try:
        with pytest.raises(BackendFailed, match="python"):
            record(process.pid)
    finally:
        process.kill()
        process.wait()


def test_it_is_the_askers_choice_whether_the_agent_is_paused(start, program, tmp_path):
    said = tmp_path / "arguments"
    spy = tmp_path / "py-spy"
    spy.write_text(f'#!/bin/sh\necho "$@" > {said}\nexec {find_program("py-spy")} "$@"\n')
    spy.chmod(0o755)
    busy = start(program.BUSY).pid
    for choice, pauses in ((None, False), (False, False), (True, True)):
        assert record(busy, backend=PySpy(spy), blocking=choice).samples > 10
        assert ("--nonblocking" not in said.read_text()) == pauses
    threads = start(program.MANY_THREADS).pid
    assert record(threads, backend=PySpy(spy)).samples
    assert "--nonblocking" in said.read_text()
    record(threads, backend=PySpy(spy), blocking=True)
    assert "--nonblocking" not in said.read_text()
    with pytest.raises(BackendFailed, match="31 threads, and native frames are read while it is paused"):
        record(threads, backend=PySpy(spy), native=True)


def test_native_frames_are_seen(start, program):
    recording = record(start(program.BUSY).pid, native=True)
    assert any("libc" in stack[-1] or "vdso" in stack[-1] or "python" in stack[-1] for stack in recording.stacks)
    assert any(any(frame.startswith("burn ") for frame in stack) for stack in recording.stacks)


def test_native_frames_of_gevents_loop_are_its_own():
    waits = ("Hub.run (gevent/hub.py:647)", "ev_run (gevent/libev/corecext.so)", "epoll_wait (libc.so.6)")
    works = ("Hub.run (gevent/hub.py:647)", "ev_run (gevent/libev/corecext.so)", "work (a.py:3)", "calloc (libc.so.6)")
    evaluated = ("Hub.run (gevent/hub.py:647)", "f (<string>:1)", "calloc (libc.so.6)")
    assert mark_hub({waits: 2, works: 1, evaluated: 1}, idle=True) == {
        ("[hub idle]", *waits): 2,
        works: 1,
        evaluated: 1,
    }


def test_children_have_a_root_each_without_their_command_line(start):
    parent = start(PARENT)
    recording = record(parent.pid, children=True)
    roots = {stack[0] for stack in recording.stacks}
    assert process_root(parent.pid) in roots
    assert len(roots) == 2
    assert "hunter2" not in str(recording.stacks)
    assert "token" not in str(recording.stacks)


def test_nothing_of_a_command_line_is_left_whatever_it_holds():
    text = (
        'process 7:"python a.py";process 8:"python -c x = 12\nprint 5\n";secret (b.py:1) 3\n";main (a.py:1) 4\n'
        'process 7:"python a.py";main (a.py:1);f (a.py:2) 6\n'
        'process 9:"python -c s="secret";token" 2\n'
        'process 7:"python a.py";process 8:"cut secret 3'
    )
    assert _by_process(text, lambda pid: f"agent{pid}") == {
        ("agent8", "main (a.py:1)"): 4,
        ("agent7", "main (a.py:1)", "f (a.py:2)"): 6,
        ("agent9", "[no Python frames]"): 2,
        ("agent7", "[no Python frames]"): 3,
    }


def test_a_profiler_that_falls_behind_is_stopped_and_the_missed_are_counted(tmp_path, start, program):
    """py-spy behind goes on until every round is made up for; 23.8 s instead of 1.5 were seen."""
    spy = tmp_path / "py-spy"
    spy.write_text(
        """#!/bin/sh
        for output; do :; done  # the last argument
        finish() {
            kill $!
            printf "main (a.py:1) 40\\n" > "$output"
            echo Wrote raw data. Samples: 40 Errors: 1
            exit 0
        }
        trap finish INT
        echo "py-spy> Sampling process 100 times a second for 1 seconds."
        echo "py-spy> 1.20s behind in sampling, results may be inaccurate."
        echo "py-spy> 512.5ms behind in sampling, results may be inaccurate."
        sleep 60 &
        wait
        """
    )
    spy.chmod(0o755)
    recording = record(start(program.BUSY).pid, backend=PySpy(spy))
    assert (recording.ending, recording.samples, recording.missed) == (Ending.DEADLINE, 40, 52)
    assert _behind_seconds("1.5µs behind in sampling") == pytest.approx(1.5e-6)


def test_a_missing_program_is_said_to_be_missing(tmp_path):
    with pytest.raises(BackendFailed):
        record(os.getpid(), backend=PySpy(tmp_path / "py-spy"))


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv")
def test_a_killed_engine_leaves_no_profiler_behind(start, program):
    target = start(program.BUSY)
    engine = start(
        "import threading\n"
        "from voltscope.profiling.backends.pyspy import *\n"
        "told = lambda share: share and print('ready', flush=True)\n"
        f"PySpy().record(Sampling({target.pid}, 60, 100, Kind.CPU), cancel=threading.Event(), progress=told)\n"
    )
    [spy] = ProcessTable().children(engine.pid)
    watched = os.pidfd_open(spy)
    engine.kill()
    ended = select.poll()
    ended.register(watched, select.POLLIN)
    assert ended.poll(60_000)
    os.close(watched)
    assert target.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_process_is_refused_with_the_remedy(start, program):
    root = start(program.IDLE).pid
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        spy = shutil.copy(find_program("py-spy"), Path(directory) / "py-spy")
        Path(spy).chmod(0o755)
        error = as_user(nobody, lambda: record(root, backend=PySpy(Path(spy))))
    assert isinstance(error, ProfilingRefused)
    assert "belongs to user root, the profiler runs as nobody: run the profiler as root" in str(error)
    assert "CAP_SYS_PTRACE" in str(error)


@pytest.mark.parametrize(
    ("scope", "remedy"),
    [
        ("1", "sysctl kernel.yama.ptrace_scope=0"),
        ("2", "ptrace_scope is 2: give the profiler CAP_SYS_PTRACE"),
        ("3", "until the next boot"),
        (None, "--cap-add SYS_PTRACE"),
    ],
)
def test_the_remedy_follows_the_ptrace_scope(tmp_path, scope, remedy):
    if scope:
        (tmp_path / "sys/kernel/yama").mkdir(parents=True)
        (tmp_path / "sys/kernel/yama/ptrace_scope").write_text(f"{scope}\n")
    (tmp_path / "7").mkdir()
    error = refused(7, Path("/opt/py-spy"), proc=tmp_path, uid=(tmp_path / "7").stat().st_uid)
    assert remedy in str(error)


def test_a_process_somebody_traces_already_names_the_tracer(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/status").write_text("Name:\tpython\nTracerPid:\t4711\n")
    assert "Process 4711 already traces it" in str(refused(7, Path("py-spy"), proc=tmp_path, uid=os.geteuid()))


def test_the_target_goes_on_after_a_profile(start, program):
    process = start(program.BUSY)
    record(process.pid)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == -signal.SIGTERM
