"""What goes wrong with a profiler: for each of them a plain word, in bounded time, and never half a capture."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest
from profilers import program_of, record, without_room
from servers.missing import without

from voltscope.errors import BackendFailed, ProfilingRefused, TargetGone
from voltscope.profiling.backends import memray as memray_module
from voltscope.profiling.backends import running
from voltscope.profiling.backends.austin import Austin
from voltscope.profiling.backends.base import Ending, Kind
from voltscope.profiling.backends.memray import Memray
from voltscope.profiling.backends.perf import Perf
from voltscope.profiling.backends.pyflame import Pyflame
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.backends.running import ask, find_program

BACKENDS = {"py-spy": PySpy, "austin": Austin, "perf": Perf, "memray": Memray, "pyflame": Pyflame}
KINDS = {"py-spy": Kind.CPU, "austin": Kind.WALL, "perf": Kind.CPU, "memray": Kind.MEMORY, "pyflame": Kind.WALL}
# What writes a file, and can be stopped midway.
SAMPLERS = ("py-spy", "austin", "perf")


class AnyPython(Pyflame):
    """Of a machine whose Pythons it knows."""

    def _version(self, pid: int) -> str | None:
        return "2.7"


class Ready(Memray):
    """Of a machine where all it needs is there."""

    def _safe(self, pid: int | None) -> list:
        return []


PRETENDERS = BACKENDS | {"pyflame": AnyPython, "memray": Ready}


def sampler(name: str, folder: Path | None = None):
    """The real one; in the folder, with a disk that is full."""
    program = find_program(name)
    if program is None or not BACKENDS[name]().available():
        without(f"{name} is missing")
    return BACKENDS[name](without_room(folder, program) if folder else program)


@pytest.fixture
def refusals_of_perf():
    """perf may be barred altogether, in a container: then that is its answer to everything."""
    return (ProfilingRefused,) if not Perf().needs(os.getpid())[1].met else ()


@pytest.mark.parametrize("name", BACKENDS)
def test_one_that_is_not_there_is_said_to_be_missing_with_what_to_do(name, start, program, tmp_path):
    backend = PRETENDERS[name](tmp_path / name)
    backend._program = None
    assert not backend.available()
    assert backend.version() is None
    assert backend.needs()[0].remedy
    with pytest.raises(BackendFailed, match="not installed") as raised:
        record(backend, start(program.IDLE).pid, KINDS[name])
    assert raised.value.remedy


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("words", ["complete rubbish", "\x00\x01;;; -5", ""])
def test_one_that_says_rubbish_is_told_to_have_failed(name, words, start, program, tmp_path):
    """It begins as the real one does, then writes something else where stacks are due."""
    begin = "Sampling process; Sampling for; voltscope-begins; Captured and wrote"
    script = (
        f'[ "$1" = --version ] && echo {name} 1.0 && exit 0\n'
        f"printf '%s\\n' '{begin}'\n"
        'while [ $# -gt 0 ]; do case "$1" in -o|--output) shift; out="$1";; esac; shift; done\n'
        f'[ -n "$out" ] && printf "{words}" > "$out"; printf "{words}\\n"; exit {1 if not words else 0}'
    )
    with pytest.raises(BackendFailed):
        record(PRETENDERS[name](program_of(tmp_path, name, script)), start(program.IDLE).pid, KINDS[name])


@pytest.mark.parametrize("name", BACKENDS)
def test_one_that_hangs_is_given_up(name, start, program, tmp_path, monkeypatch):
    for module in (running, memray_module):
        monkeypatch.setattr(module, "ATTACH_DEADLINE_S", 0.5)
    monkeypatch.setattr("voltscope.profiling.backends.pyflame.ATTACH_DEADLINE_S", 0.5)
    monkeypatch.setattr("voltscope.profiling.backends.pyflame.WRITE_DEADLINE_S", 0.5)
    monkeypatch.setattr(running, "WRITE_DEADLINE_S", 0.5)
    script = f'[ "$1" = --version ] && echo {name} 1.0 && exit 0\ntrap "" INT; exec sleep 600'
    began = time.monotonic()
    with pytest.raises(BackendFailed):
        record(PRETENDERS[name](program_of(tmp_path, name, script)), start(program.IDLE).pid, KINDS[name])
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_full_disk_is_told(name, start, program, tmp_path, refusals_of_perf):
    backend = sampler(name, tmp_path)
    with pytest.raises((BackendFailed, *refusals_of_perf)) as raised:
        record(backend, start(program.BUSY).pid, KINDS[name])
    if not refusals_of_perf:
        assert "room" in raised.value.remedy or "space" in str(raised.value)


def test_no_folder_to_write_in_is_told(start, program, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(BackendFailed, match="nowhere to write"):
        record(PySpy(program_of(tmp_path, "py-spy", "exit 0")), start(program.IDLE).pid, Kind.CPU)


@pytest.mark.parametrize("name", ["austin", "perf"])
def test_a_target_that_ends_meanwhile_leaves_what_was_seen(name, start, program, refusals_of_perf):
    process = start(program.BUSY)

    def kill_midway(share: float) -> None:
        if share > 0.03:
            process.kill()
            process.wait()

    try:
        recording = record(sampler(name), process.pid, KINDS[name], 60, progress=kill_midway)
    except refusals_of_perf:
        return
    assert recording.ending is Ending.TARGET_ENDED
    assert recording.samples > 0
    assert recording.seconds < 40


@pytest.mark.parametrize("name", ["austin", "perf"])
def test_a_cancel_ends_it_at_once(name, start, program, refusals_of_perf):
    process, cancel = start(program.BUSY), threading.Event()
    try:
        recording = record(
            sampler(name), process.pid, KINDS[name], 300, cancel=cancel, progress=lambda share: cancel.set()
        )
    except refusals_of_perf:
        return
    assert recording.ending is Ending.CANCELLED
    assert recording.seconds < 60
    assert process.poll() is None


@pytest.mark.parametrize("name", BACKENDS)
def test_a_dead_pid_is_gone(name, start, program):
    process = start(program.IDLE)
    process.kill()
    process.wait()
    backend = PRETENDERS[name](shutil.which("true") and Path(shutil.which("true")))
    if name == "austin":
        backend = sampler(name)
    with pytest.raises(TargetGone):
        record(backend, process.pid, KINDS[name])


def test_what_a_killed_engine_left_behind_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name, age_s in (("old", 100_000), ("new", 100)):
        left = tmp_path / f"voltscope-py-spy-{name}"
        left.mkdir()
        (left / "stacks").write_text("half")
        os.utime(left, (time.time() - age_s,) * 2)
    (tmp_path / "voltscope-py-spy-link").symlink_to(elsewhere)
    with running.workplace("py-spy") as place:
        assert sorted(tmp_path.iterdir()) == sorted(
            [elsewhere, place, tmp_path / "voltscope-py-spy-link", tmp_path / "voltscope-py-spy-new"]
        )


def test_one_that_writes_without_end_is_stopped(tmp_path, start, program, monkeypatch):
    monkeypatch.setattr(running, "MAX_OUTPUT_BYTES", 10_000)
    script = (
        'trap "echo Wrote raw data. Errors: 0; exit 0" INT\nfor out; do :; done\necho "Sampling process"\n'
        'while :; do echo "main (a.py:1) 1" >> "$out"; done'
    )
    recording = record(PySpy(program_of(tmp_path, "py-spy", script)), start(program.IDLE).pid, Kind.CPU, 300)
    assert recording.ending is Ending.DEADLINE
    assert recording.samples > 100


def test_a_program_that_talks_without_end_is_stopped(monkeypatch):
    monkeypatch.setattr(running, "MAX_OUTPUT_BYTES", 100_000)
    heard = bytearray()
    assert ask(["yes"], 60, hear=heard.extend).status is None
    assert 100_000 <= len(heard) < 400_000
    assert ask(["sh", "-c", "exit 3"], 60).status == 3
    with pytest.raises(BackendFailed, match="cannot start"):
        ask(["/nowhere/program"], 60)
