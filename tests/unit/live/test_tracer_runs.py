"""voltscope.live.Tracer and its examples, with a real bpftrace on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from root_helper import PATIENCE_S, ended, target
from watched_program import named

from voltscope.errors import BackendFailed, ProfilingRefused, ProgramRefused, TargetGone
from voltscope.live import Aggregate, Event, Statistics, Tracer
from voltscope.live.bpftrace import why_not
from voltscope.platform.processes import ProcessTable

_EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
# What VOLTTRON's dispatcher is for the example: a method of that name in a file of that name.
_DISPATCHER = """
class Dispatcher:
    def method(self, function):
        return function()
"""
_AGENT = """
import gc, sys, time
sys.path.insert(0, {folder!r})
from subsystems.rpc import Dispatcher
def ping(): return "pong"
def ask_the_device(): time.sleep(0.005)
print("ready", flush=True)
while True:
    Dispatcher().method(ping)
    Dispatcher().method(ask_the_device)
    open("/etc/hostname").read()
    gc.collect()
"""
_EVERYTHING = """
BEGIN {
    printf("one\\ntwo "); printf("\\"%s\\"\\n", str($1)); print((1, "three"));
    @plain = 5; @counted["a,b"] = count(); @pairs[7, "x"] = sum(3); @pairs[8, "y,z"] = sum(4);
    @spread = lhist(5, 0, 10, 5); @kept[1] = stats(4); @kept[1] = stats(6);
}
interval:ms:50 { exit(); }
"""


def test_events_and_aggregates_are_walked_as_records(kernel_probes: Path) -> None:
    events: list[Event] = []
    found: list[Aggregate] = []
    tracer = Tracer(_EVERYTHING, ["hé"], binary=kernel_probes)
    outcome = tracer.run(60, events.append, found.append)
    assert [event.text for event in events] == ["one", 'two "hé"', "[1, 'three']"]
    walked = {(one.name, one.key): one.value for one in found if one.name != "@spread"}
    assert walked == {
        ("@plain", ()): 5,
        ("@counted", ("a,b",)): 1,
        ("@pairs", (7, "x")): 3,
        ("@pairs", ("8,y,z",)): 4,
        ("@kept", (1,)): Statistics(2, 5, 10),
    }
    (spread,) = (one for one in found if one.name == "@spread")
    assert [(bucket.low, bucket.high, bucket.count) for bucket in spread.value] == [(5, 9, 1)]
    assert (outcome.reason, outcome.events, outcome.aggregates) == ("exit", 3, len(found))
    assert (outcome.lost, outcome.unreadable, outcome.warnings) == (0, 0, "")


def test_it_ends_in_time_when_told_to_and_with_what_it_calls(kernel_probes: Path) -> None:
    script = 'interval:ms:10 { @ticks = count(); printf("tick\\n"); }'
    found: list[Aggregate] = []
    assert Tracer(script).run(0.2, on_aggregate=found.append).reason == "time"
    assert found[0].value > 0
    found.clear()
    ticking = threading.Event()
    with Tracer(script) as tracer:
        outcomes: list[str] = []
        thread = threading.Thread(
            target=lambda: outcomes.append(tracer.run(60, lambda _: ticking.set(), found.append).reason)
        )
        thread.start()
        assert ticking.wait(PATIENCE_S)
        with pytest.raises(ValueError, match="runs already"):
            tracer.run(1)
    assert not _bpftraces()
    thread.join(PATIENCE_S)
    assert outcomes == ["stopped"]
    assert found[-1].name == "@ticks"  # the maps are walked at every end
    assert tracer.run(60).reason == "stopped"

    def fail(event: Event) -> None:
        raise RuntimeError(event.text)

    with pytest.raises(RuntimeError, match="tick"):
        Tracer(script).run(60, fail)
    assert not _bpftraces()


def _bpftraces() -> list[int]:
    """Those that this process has started and that still run."""
    return [pid for pid in ProcessTable().children(os.getpid()) if named(pid, "bpftrace") and not ended(pid)]


def test_a_program_that_is_refused_names_the_line(kernel_probes: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.bt"
    script.write_text("BEGIN\n{\n  @x = nosuch();\n}\n")
    with pytest.raises(ProgramRefused, match=r"line 3 .*nosuch") as refused:
        Tracer(script).run(1)
    assert refused.value.line == 3


def test_the_process_it_is_about_ends_it(kernel_probes: Path) -> None:
    with target("import time\nprint('ready', flush=True)\ntime.sleep(100)\n", program=sys.executable) as pid:
        script = 'interval:ms:10 { printf("tick\\n"); }'
        outcome = Tracer(script, pid=pid).run(60, lambda _: os.kill(pid, signal.SIGKILL))
    assert outcome.reason == "target-ended"
    with pytest.raises(TargetGone):
        Tracer(script, pid=pid).run(1)


def test_what_says_rubbish_is_counted_and_what_fails_is_told(tmp_path: Path) -> None:
    program = tmp_path / "bpftrace"
    program.write_text(
        '#!/bin/sh\necho rubbish; echo \'{"type": "attached_probes", "data": {"probes": 1}}\'\nexit $4\n'
    )
    program.chmod(0o755)
    if why_not(program) is not None:
        with pytest.raises(ProfilingRefused, match="root"):
            Tracer("x", binary=program).run(1)
        return
    assert Tracer("0", binary=program).run(5).unreadable == 1
    with pytest.raises(BackendFailed, match="status 3: rubbish"):
        Tracer("3", binary=program).run(5)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="PATH"):
        Tracer("x", environment={"PATH": "/bin"})
    for seconds in (0, -1, 1e9, float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            Tracer("x").run(seconds)


def example(name: str, pid: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(_EXAMPLES / f"{name}.py"), str(pid), "0.7"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_the_examples_say_what_they_measure(usdt_python: Path, tmp_path: Path) -> None:
    (tmp_path / "subsystems").mkdir()
    (tmp_path / "subsystems" / "rpc.py").write_text(_DISPATCHER)
    names = ("reads_by_file", "rpc_latency", "gc_pauses")
    with target(_AGENT.format(folder=str(tmp_path)), program=str(usdt_python)) as pid:
        commands = {name: [sys.executable, str(_EXAMPLES / f"{name}.py"), str(pid), "1.5"] for name in names}
        running = {
            name: subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for name, command in commands.items()
        }
        said = {name: process.communicate(timeout=PATIENCE_S)[0] for name, process in running.items()}
    assert "reads  /etc/hostname" in said["reads_by_file"]
    for method in ("ping", "ask_the_device"):
        assert any(line.startswith(f"{method} ") and "the slowest" in line for line in said["rpc_latency"].splitlines())
    assert "generation 2" in said["gc_pauses"]
    assert "µs" in said["gc_pauses"]
