"""memray put into a process of gevent's: what it holds is told, and nothing is tried that would not work."""

from __future__ import annotations

import importlib.util
import threading

import pytest
from profilers import ALLOCATING, program_of, record
from servers.missing import without

from voltscope.errors import BackendFailed, BadRequest, TargetGone
from voltscope.profiling.backends.base import Ending, Kind
from voltscope.profiling.backends.interpreter import package_folders
from voltscope.profiling.backends.memray import Memray, read
from voltscope.profiling.backends.registry import Backends

HEAD = "allocator,num_allocations,size,tid,thread_name,stack_trace\n"


@pytest.fixture
def memray() -> Memray:
    found = Memray()
    if not found.available() or importlib.util.find_spec("gevent") is None:
        without("memray or gevent is missing: the extras profilers and test have them")
    if not found.needs()[1].met:
        without("gdb is missing: install the package gdb")
    return found


def test_its_table_becomes_stacks_by_bytes():
    rows = HEAD + (
        "MALLOC,2,520,4,0x4,run;/v/hub.py;647|main;/opt/a.py;3\n"
        "MALLOC,1,80,4,0x4,run;/v/hub.py;647|main;/opt/a.py;3\n"
        "MMAP,1,100,1,0x1,\nMALLOC,1,0,1,0x1,f;g;1\n"
        'MALLOC,1,7,1,0x1,"<script>;/o\n;;9|x"\n'
    )
    stacks, allocations = read(iter(rows.splitlines(keepends=True)))
    assert stacks[("main (a.py:3)", "run (hub.py:647)")] == 600
    assert stacks[("[no Python frames]",)] == 100
    assert (sum(stacks.values()), allocations) == (707, 5)
    assert all(frame.isprintable() and ";" not in frame for stack in stacks for frame in stack)


@pytest.mark.parametrize("rows", ["", "rubbish\n", "a,b\n1,2\n", HEAD + "MALLOC,x,y,1,0x1,f;g;1\n"])
def test_what_is_no_table_is_told(rows):
    with pytest.raises(ValueError):
        read(iter(rows.splitlines(keepends=True)))


def test_what_a_process_holds_is_told_by_who_allocated_it(memray, start):
    process = start(ALLOCATING)
    recording = record(memray, process.pid, Kind.MEMORY)
    held = sum(recording.stacks.values())
    hoarded = sum(count for stack, count in recording.stacks.items() if "hoard (" in str(stack))
    assert hoarded > 1_000_000
    assert hoarded / held > 0.5
    assert recording.ending is Ending.COMPLETE
    assert process.poll() is None


def test_a_cancel_ends_it_and_the_process_goes_on(memray, start):
    process, cancel = start(ALLOCATING), threading.Event()
    cancel.set()
    assert record(memray, process.pid, Kind.MEMORY, 60, cancel=cancel).ending is Ending.CANCELLED
    assert process.poll() is None


def test_a_process_that_ends_meanwhile_is_gone(memray, start):
    process = start(ALLOCATING)

    def kill(share: float) -> None:
        process.kill()
        process.wait()

    with pytest.raises(TargetGone):
        record(memray, process.pid, Kind.MEMORY, 60, progress=kill)


def test_it_is_taken_by_name_only_and_warned_of(tmp_path):
    memray = Memray(program_of(tmp_path, "memray", "echo 1.20.0"))
    with pytest.raises(BadRequest, match="development machines only") as raised:
        Backends([memray]).choose(Kind.MEMORY)
    assert "memray" in raised.value.remedy
    assert Backends([memray]).choose(Kind.MEMORY, "memray") is memray


def test_a_process_whose_python_has_no_memray_is_left_alone(tmp_path, start, program):
    """The folders are told from what the process has in memory, so this one's are somebody else's."""
    process = start(program.IDLE)

    class Elsewhere(Memray):
        def _importable(self, pid):
            need = super()._importable(pid)
            return type(need)(need.what, False, need.remedy)

    attached = tmp_path / "attached"
    backend = Elsewhere(program_of(tmp_path, "memray", f"touch {attached}; echo 1.20.0"), debugger=tmp_path)
    attached.unlink(missing_ok=True)
    with pytest.raises(BackendFailed, match="installed in the agent's Python") as raised:
        record(backend, process.pid, Kind.MEMORY)
    assert "pip install memray" in raised.value.remedy


def test_the_folders_of_a_process_are_told_from_outside(start):
    process = start("import msgspec\nprint('ready', flush=True)\nimport time\ntime.sleep(100)")
    assert any((folder / "msgspec").is_dir() for folder in package_folders(process.pid))
