"""pyflame: the Pythons it knows, and a plain word for all others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from profilers import program_of, record

from voltscope.errors import BackendFailed, ProfilingRefused
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.backends.interpreter import python_version
from voltscope.profiling.backends.pyflame import Pyflame, read

SAID = """(idle) 40
(failed) 2
/opt/a.py:<module>:3;/opt/a.py:busy:9 55
/v/gevent/hub.py:run:500 5
"""


def proc_of(folder: Path, pid: int, exe: str, *mapped: str) -> Path:
    """A /proc that tells of one process."""
    (folder / str(pid)).mkdir(parents=True)
    (folder / str(pid) / "exe").symlink_to(exe)
    lines = [f"7f00-7f01 r-xp 00000000 fe:00 1    {path}\n" for path in mapped]
    (folder / str(pid) / "maps").write_text("7f00-7f01 rw-p 00000000 00:00 0\n" + "".join(lines))
    return folder


@pytest.mark.parametrize(
    ("exe", "mapped", "version"),
    [
        ("/usr/bin/python2.7", (), "2.7"),
        ("/usr/bin/python3.6m", (), "3.6"),
        ("/opt/bin/python3.12 (deleted)", (), "3.12"),
        ("/usr/sbin/uwsgi", ("/lib/libc.so.6", "/usr/lib/libpython3.5m.so.1.0"), "3.5"),
        ("/usr/bin/sleep", ("/lib/libc.so.6",), None),
    ],
)
def test_a_processs_python_is_told_from_outside(tmp_path, exe, mapped, version):
    assert python_version(7, proc_of(tmp_path, 7, exe, *mapped)) == version


def test_our_own_python_is_told():
    import sys

    assert python_version(os.getpid()) == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_pythons_it_does_not_know_are_refused_with_the_reason(start, program):
    process = start(program.IDLE)
    needs = {need.what: need for need in Pyflame(Path("/usr/bin/pyflame")).needs(process.pid)}
    assert not needs["the agent runs Python 2.6, 2.7, 3.4, 3.5, 3.6"].met
    with pytest.raises(BackendFailed, match=r"runs Python 3\.\d+; pyflame knows 2.6, 2.7, 3.4, 3.5, 3.6 and no other"):
        record(Pyflame(Path("/usr/bin/pyflame")), process.pid, Kind.WALL)


def test_its_text_is_read():
    stacks, failed = read(SAID)
    assert stacks[("<module> (a.py:3)", "busy (a.py:9)")] == 55
    assert (sum(stacks.values()), failed) == (60, 2)


def run(tmp_path: Path, pid: int, script: str, kind: Kind = Kind.WALL):
    backend = Pyflame(
        program_of(tmp_path, "pyflame", script), proc=proc_of(tmp_path / "proc", pid, "/usr/bin/python2.7")
    )
    return record(backend, pid, kind)


def test_one_it_knows_is_recorded(tmp_path, start, program):
    recording = run(tmp_path, start(program.IDLE).pid, f'echo "$@" > {tmp_path}/said\ncat <<E\n{SAID}E')
    assert (recording.samples, recording.missed) == (60, 2)
    assert "--threads" in (tmp_path / "said").read_text()


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo Failed to seize PID 7; exit 1", ProfilingRefused, "refused to let pyflame attach"),
        ("echo some rubbish; exit 0", BackendFailed, "some rubbish"),
        ("exec yes 'Unexpected ptrace(2) exception'", BackendFailed, "status None: Unexpected ptrace"),
        ("exit 3", BackendFailed, "status 3: no word"),
    ],
)
def test_its_failures_are_told_apart(tmp_path, start, program, script, error, words):
    with pytest.raises(error, match=words):
        run(tmp_path, start(program.IDLE).pid, script)
