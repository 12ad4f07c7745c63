"""Nothing of the probe stays in an agent when its client is gone, nor in what the agent forks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from probed_agent import WAIT_S, ProbedAgent, until

# Says for each line it reads what there is of the probe in it; forks first when the line says so. Begins and ends a
# native thread with a hub of its own.
TELLS = """
import gc, json, os, sys, threading
import gevent.monkey, gevent.os, greenlet

OURS = {"Spawns", "Switches", "Watch", "Recorder", "Profile", "Monitor", "Flow", "Told"}

def ours():
    gc.collect()
    tools = [sys.monitoring.get_tool(n) for n in range(6)] if sys.version_info >= (3, 12) else []
    return {
        "trace": getattr(greenlet.gettrace(), "__module__", None),
        "profile": getattr(sys.getprofile(), "__module__", None),
        "tools": [tool for tool in tools if tool == "voltscope"],
        "objects": sorted(type(each).__name__ for each in gc.get_objects() if type(each).__name__ in OURS),
    }

def forked():
    gevent.sleep(0)
    sockets = [name for name in os.listdir("/proc/self/fd") if "socket:" in link(name)]
    return {**ours(), "sockets": sockets, "gc": gc.isenabled(), "threads": threads()}

def link(name):
    try:
        return os.readlink("/proc/self/fd/" + name)
    except OSError:
        return ""

def busy():
    while True:
        gevent.sleep(0.01)

apart = []

def lives_apart():
    apart.append(True)
    while apart:
        gevent.sleep(0.01)

def threads():
    return len(os.listdir("/proc/self/task"))

gevent.spawn(busy)
print("ready", flush=True)
while True:
    line = gevent.os.tp_read(0, 100)
    if b"begin" in line:
        gevent.monkey.get_original("_thread", "start_new_thread")(lives_apart, ())
        while not apart:
            gevent.sleep(0.01)
        print("{}", flush=True)
    elif b"end" in line:
        there = threads()
        apart.clear()
        while threads() == there:
            gevent.sleep(0.01)
        print("{}", flush=True)
    elif b"fork" in line:
        pid = os.fork()
        if pid == 0:
            print(json.dumps(forked()), flush=True)
            os._exit(0)
        gevent.os.waitpid(pid, 0)
    else:
        print(json.dumps(ours()), flush=True)
"""

# Watches, or has calls told, until it is killed.
CLIENT = """
import sys
from pathlib import Path
from probed_agent import Client
stream = Client(Path(sys.argv[1])).stream(sys.argv[2], seconds=60)
next(stream)
print("streams", flush=True)
for update in stream:
    pass
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedAgent]:
    agent = ProbedAgent(tmp_path_factory.mktemp("tells"), TELLS)
    try:
        assert agent.heard() == "ready"
        yield agent.listening()
    finally:
        agent.end()


def _ours(agent: ProbedAgent, line: str = "") -> dict[str, Any]:
    agent.tell(line)
    found: dict[str, Any] = json.loads(agent.heard())
    return found


def _nothing(agent: ProbedAgent) -> bool:
    found = _ours(agent)
    return not any(found.values())


@pytest.mark.parametrize("ask", ["watch", "calls"])
def test_a_killed_client_leaves_nothing_behind(agent: ProbedAgent, ask: str) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(agent.socket), ask],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    with client.stdout:
        assert client.stdout.readline() == "streams\n"
        found = _ours(agent)
        if ask == "watch":
            assert found["trace"] == "voltscope.probe.switches" and "Spawns" in found["objects"]
        else:
            assert found["profile"] == "voltscope.probe.calls" or found["tools"]
        client.kill()
        client.wait(WAIT_S)
    until(lambda: _nothing(agent), "the end of what the probe put in")
    # our thread, the main one, and the one of gevent's pool that reads
    until(lambda: agent.threads() == 3, "the end of the connection's thread")


def test_a_watch_that_outlives_a_thread_with_a_hub_leaves_nothing_behind(agent: ProbedAgent) -> None:
    _ours(agent, "begin")
    with agent.connect() as client:
        watch = client.stream("watch", seconds=60, every=0.05, rate=20)
        for _ in range(3):
            next(watch)
        _ours(agent, "end")
        next(watch)
    until(lambda: _nothing(agent), "the end of what the probe put in")


def test_a_forked_child_has_nothing_of_the_probe(agent: ProbedAgent) -> None:
    with agent.connect() as one, agent.connect() as other:
        watch, calls = one.stream("watch", seconds=60), other.stream("calls", seconds=60)
        next(watch)
        next(calls)
        child = _ours(agent, "fork")
        assert child["sockets"] == [] and child["threads"] == 1 and child["gc"] is True
        assert child["trace"] is None and child["profile"] is None and child["tools"] == []
        next(watch)
    until(lambda: _nothing(agent), "the end of what the probe put in")
    assert agent.ask("hello")["pid"] == agent.pid


def test_two_hundred_connections_leave_neither_memory_nor_descriptors(agent: ProbedAgent) -> None:
    def connections(count: int) -> None:
        for _ in range(count):
            agent.ask("dump")

    def settled() -> bool:
        return agent.threads() == 3

    connections(20)
    until(settled, "the end of the connections' threads")
    descriptors, memory = agent.descriptors(), _resident(agent.pid)
    connections(200)
    until(settled, "the end of the connections' threads")
    assert agent.descriptors() == descriptors
    assert _resident(agent.pid) - memory < 2_000_000


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
