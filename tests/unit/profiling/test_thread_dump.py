"""Thread dumps of real processes, and of a py-spy that only pretends."""

from __future__ import annotations

import json
import os
import pwd
import time

import pytest
from profilers import as_user, program_of
from waiting import until

from voltscope.engine.service import FactsAnswer
from voltscope.errors import BackendFailed, BadRequest, ProfilingRefused, TargetGone, TooManyCaptures, UnknownAgent
from voltscope.profiling import threads as threads_module
from voltscope.profiling.backends import thread_dump
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.targets import Targets
from voltscope.profiling.threads import ThreadDumps

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")

SECRETIVE = """
import threading
def keeper(password):
    key = "hunter2-in-a-local"
    threading.Event().wait()
threading.Thread(target=keeper, args=("hunter2-in-an-argument",), name="keeper\\x1b[2J", daemon=True).start()
print("ready", flush=True)
while True:
    pass
"""


@pytest.fixture
def agent(home, start):
    return lambda source: start(source, env={"AGENT_VIP_IDENTITY": "busy", "VOLTTRON_HOME": str(home)})


def dumps(home, program=None):
    return ThreadDumps(Targets(lambda timeout: FactsAnswer(None, None, "alone"), home), program)


def pretending(folder, document, status=0):
    (folder / "said").write_text(document)
    return program_of(folder, "py-spy", f"cat {folder}/said; exit {status}")


def test_every_thread_is_told_with_its_state_and_frames_and_without_a_value(home, agent):
    process = agent(SECRETIVE)

    def settled():
        """Once the other thread has come to where it waits: the busy one goes on all the time."""
        found = dumps(home).dump("busy")
        names = [frame["function"] for thread in found["threads"] for frame in thread["frames"]]
        return found if "Condition.wait" in names else None

    found = until(settled)
    assert (found["agent"], found["pid"], found["left_out"]) == ("busy", process.pid, 0)
    threads = {thread["name"]: thread for thread in found["threads"]}
    assert set(threads) == {"MainThread", "keeper\x1b[2J"}
    assert threads["MainThread"]["id"] == process.pid
    waiting = threads["keeper\x1b[2J"]
    assert (waiting["state"], waiting["holds_gil"], waiting["in_hub"]) == ("waiting", False, False)
    names = [frame["function"] for frame in waiting["frames"]]
    assert names.index("Condition.wait") < names.index("keeper")
    keeper = next(frame for frame in waiting["frames"] if frame["function"] == "keeper")
    assert keeper == {"function": "keeper", "file": "<string>", "line": 5}
    assert "hunter2" not in json.dumps(found)
    assert "Greenlets" in found["note"]


def test_gevents_loop_is_told_apart(home, agent):
    process = agent('import gevent\ngevent.spawn(lambda: print("ready", flush=True))\ngevent.sleep(3600)\n')
    deadline = time.monotonic() + 60
    while True:  # it may be met between saying that it is ready and waiting
        threads = {thread["id"]: thread for thread in dumps(home).dump("busy")["threads"]}
        if threads[process.pid]["in_hub"]:
            break
        assert time.monotonic() < deadline, threads


def test_an_agent_with_many_threads_is_not_paused(home, agent, program):
    agent(program.MANY_THREADS)
    found = dumps(home).dump("busy")
    assert found["paused"] is False
    assert len(found["threads"]) >= 30


def test_values_are_left_out_whatever_py_spy_writes(home, agent, tmp_path, program):
    agent(program.IDLE)
    frame = {"name": "f" * 9999, "filename": "/x/y.py", "short_filename": None, "line": 7, "locals": [{"repr": "pw"}]}
    thread = {"thread_name": None, "os_thread_id": "x", "active": 1, "owns_gil": True, "frames": [frame], "more": "pw"}
    found = dumps(home, pretending(tmp_path, f"Warning: old\n{json.dumps([thread])}")).dump("busy")
    assert found["threads"] == [
        {
            "name": None, "id": None, "state": "waiting", "holds_gil": True, "in_hub": False,
            "frames": [{"function": "f" * 300, "file": "/x/y.py", "line": 7}],
        }
    ]  # fmt: skip


def test_a_dump_is_bounded(home, agent, tmp_path, program):
    agent(program.IDLE)
    frames = [{"name": "f", "filename": "x.py", "line": number} for number in range(100)]
    many = [{"thread_name": "t", "frames": frames} for _ in range(300)]
    found = dumps(home, pretending(tmp_path, json.dumps(many))).dump("busy")
    assert len(found["threads"]) == 256
    assert sum(len(thread["frames"]) for thread in found["threads"]) == 5000
    assert found["left_out"] == 44 + 30000 - 5000


@pytest.mark.parametrize("said", ["", "rubbish", "[1]", '[{"frames": 3}]', '{"a": 1}', "[" * 100000])
def test_rubbish_is_refused_in_words(home, agent, tmp_path, program, said):
    agent(program.IDLE)
    with pytest.raises(BackendFailed, match="no thread dump"):
        dumps(home, pretending(tmp_path, said)).dump("busy")


def test_a_dump_without_end_is_stopped(home, agent, tmp_path, program):
    agent(program.IDLE)
    with pytest.raises(BackendFailed, match="too large"):
        dumps(home, program_of(tmp_path, "py-spy", "exec yes '[]'")).dump("busy")


def test_a_dump_that_takes_too_long_is_stopped(home, agent, tmp_path, program, monkeypatch):
    agent(program.IDLE)
    monkeypatch.setattr(thread_dump, "DEADLINE_S", 0.3)
    with pytest.raises(BackendFailed, match="gave no dump within"):
        dumps(home, program_of(tmp_path, "py-spy", "exec sleep 600")).dump("busy")


def test_what_the_kernel_refuses_comes_with_the_remedy(home, agent, program, tmp_path):
    agent(program.IDLE)
    calls = tmp_path / "calls"
    refusing = program_of(tmp_path, "py-spy", f'echo "$@" >> {calls}; echo "Error: Permission Denied"; exit 1')
    with pytest.raises(ProfilingRefused) as refused:
        dumps(home, refusing).dump("busy")
    assert refused.value.remedy
    first, second = calls.read_text().splitlines()
    assert "--nonblocking" not in first  # while a capture is attached the second way may still do
    assert "--nonblocking" in second
    assert "--locals" not in first + second


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_users_agent_is_refused(home, agent, program, tmp_path):
    agent(program.IDLE)
    target = dumps(home)
    found = target._targets.find("busy")

    class Known:
        def find(self, agent):
            return found

    other = ThreadDumps(Known(), target._program)
    error = as_user(pwd.getpwnam("nobody"), lambda: other.dump("busy"))
    assert isinstance(error, ProfilingRefused | BackendFailed), error


def test_who_is_not_there_and_what_is_no_name(home, agent, program):
    with pytest.raises(UnknownAgent):
        dumps(home).dump("nobody")
    for wrong in (None, "", 3, ["busy"]):
        with pytest.raises(BadRequest):
            dumps(home).dump(wrong)


def test_an_agent_that_ends_meanwhile_is_gone(home, agent, tmp_path, program):
    process = agent(program.IDLE)
    killing = program_of(tmp_path, "py-spy", f"kill -9 {process.pid}; sleep 0.2; echo gone; exit 1")
    dumping = dumps(home, killing)
    with pytest.raises(TargetGone):
        try:
            dumping.dump("busy")
        finally:
            process.wait()


def test_no_more_than_two_at_once(home, agent, program):
    agent(program.IDLE)
    dumping = dumps(home)
    for _ in range(threads_module.MOST_AT_ONCE):
        assert dumping._free.acquire(blocking=False)
    with pytest.raises(TooManyCaptures):
        dumping.dump("busy")
    dumping._free.release()
    assert dumping.dump("busy")["threads"]
