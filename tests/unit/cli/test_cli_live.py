"""`voltscope live` against a peer that serves the live sessions' HTTP, as a user runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import pytest
from cli_live_peer import ID, Peer, PeerServer, offer
from cli_site import OPERATOR_SECRET, Cli, SiteParts
from waiting import until

from voltscope.cli.program import run as run_program
from voltscope.live.views import (
    Block,
    CallGraph,
    Edge,
    Flow,
    Greenlet,
    Greenlets,
    Node,
    Place,
    Step,
    Switches,
    Syscall,
    Syscalls,
)

SITE = "/vh/venv/lib/python3.11/site-packages"
SWITCH = Place("switch", f"{SITE}/gevent/hub.py", 64)
GET = Place("get", f"{SITE}/gevent/queue.py", 319)
STANDARD = Place("wait", "/usr/lib/python3.11/threading.py", 324)
HISTORIAN = Place("Historian.<locals>._process_loop", f"{SITE}/volttron/historian/base.py", 812)
OUTER = Place("run", f"{SITE}/gevent/greenlet.py", 900)
POLL = Place("poll", "/opt/site/agents/driver/driver.py", 12)
SPAWN = Place("BasicCore.spawn", f"{SITE}/volttron/core.py", 349)
SPIN = Place("spin", "/opt/site/agents/driver/driver.py", 30)


def greenlet(number: int, **changes: object) -> Greenlet:
    told = {
        "number": number, "name": f"Greenlet-{number}", "state": "waiting", "waits_s": 2.0 * number, "at_least": False,
        "age_s": 60.0, "spawned": (SPAWN, POLL), "stack": (SWITCH, GET, HISTORIAN, OUTER), **changes,
    }  # fmt: skip
    return Greenlet(**told)  # type: ignore[arg-type]


GREENLETS = Greenlets(
    at=1.0, count=8, left_out=2,
    greenlets=(
        greenlet(1), greenlet(2, at_least=True), greenlet(3, stack=(SWITCH, STANDARD, POLL, OUTER)),
        greenlet(6, state="running", waits_s=None, stack=(Place("Hub.run", f"{SITE}/gevent/hub.py", 647),)),
        greenlet(4, state="running", waits_s=None, stack=(SPIN,)), greenlet(5, state="new", waits_s=None, stack=()),
    ),
    folded={"poll;get": 3}, samples=3,
    switches=Switches(
        buckets=((0.001, 40), (0.1, 3), (None, 1)),
        blocks=(Block(at=1.0, seconds=1.25, greenlet="Greenlet-4", stack=(SPIN, POLL)),),
    ),
)  # fmt: skip
GRAPH = CallGraph(
    at=1.0, seconds=4.0, samples=400, unit="samples", left_out=3,
    nodes=(Node(0, POLL, 0.1, 1.0), Node(1, SPIN, 0.9, 0.9), Node(2, Place('a"\\N', "<string>", 1), 0.0, 0.0),
           Node(3, Place("[hub idle]", "", 0), 0.0, 0.0)),
    edges=(Edge(0, 1, 360), Edge(0, 2, 1), Edge(0, 9, 1)),
)  # fmt: skip
SYSCALLS = Syscalls(
    at=1.0, seconds=4.0,
    calls=(
        Syscall(name="read", count=8000, recent=2000.0, errors=12, seconds=0.4, slowest_s=0.0123),
        Syscall(name="futex", count=10, recent=0.0, errors=None, seconds=None, slowest_s=None),
    ),
)  # fmt: skip
FLOW = (
    Flow(
        at=1.0, dropped=0, places={0: POLL, 1: SPIN}, tracks={7: "Greenlet-7", 8: "Greenlet-8"},
        steps=(Step(0.0, 7, "call", 0, 12, 0), Step(0.001, 7, "call", 1, 30, 1), Step(0.003, 7, "return", 1, 33, 1),
               Step(0.004, 8, "call", 1, 30, 5)),
    ),
    Flow(
        at=2.0, dropped=9, places={}, tracks={},
        steps=(Step(0.1, 7, "call", 1, 30, 1), Step(0.125, 7, "return", 1, 33, 1), Step(0.2, 7, "return", 0, 14, 0),
               Step(0.3, 7, "seen", 0, 13, 0)),
    ),
)  # fmt: skip


@pytest.fixture
def peer(parts: SiteParts) -> Iterator[Peer]:
    found = Peer()
    server = PeerServer(found)
    parts.update(profiler=server.url)
    yield found
    found.stopped.set()
    server.shutdown()
    server.server_close()


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(parts: SiteParts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command in this process: a process each would take most of these tests' time."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("VOLTSCOPE_SITE", str(parts.file))

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        code = run_program(list(arguments))
        return Done(code, *capsys.readouterr())

    return command


def test_greenlets_are_grouped_by_the_place_they_wait_at(run: Callable[..., Done], peer: Peer) -> None:
    peer.updates = [GREENLETS]
    done = run("live", "greenlets", "listener", "--rate", "3")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ("listener (pid 42), greenlets for 60 s by probe: sees everything, slows it ×1.01. Little.\n")
    lines = done.stdout.splitlines()
    assert lines[0] == "8 greenlets: 1 running, 3 waiting, 1 new, 1 idle hub; 2 that wait the shortest are not shown"
    places = [line.split("  ")[0] for line in lines[3:7]]
    assert places == ["spin (driver/driver.py:30)", "poll (driver/driver.py:12)",
                      "Historian._process_loop (historian/base.py:812)", "not begun"]  # fmt: skip
    assert re.search(r"base.py:812\) +2 +≥ 4 s +get \(gevent/queue.py:319\) +poll ", lines[5]), lines[5]
    assert "wait (threading.py:324)" in lines[4]
    assert re.search(r"to 1 ms +█{24} +40\n", done.stdout)
    assert re.search(r"over 100 ms +▋ +1\n", done.stdout)
    assert "1.2 s at " in done.stdout and "spin (driver/driver.py:30) ← poll (driver/driver.py:12)" in done.stdout
    assert ("POST", "/api/live", {"agent": "listener", "view": "greenlets", "seconds": 60, "source": "probe",
                                  "rate": 3.0}) in peer.asked  # fmt: skip
    assert not peer.stopped.is_set()
    assert OPERATOR_SECRET not in done.stdout + done.stderr


def test_a_call_graph_is_a_table_and_a_graph_for_graphviz(run: Callable[..., Done], peer: Peer) -> None:
    peer.updates = [GRAPH]
    done = run("live", "call-graph", "listener")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "400 samples in 4 s, the numbers beside names are samples"
    assert re.match(r"spin +90.0% +90.0% +poll ×360 +– +driver/driver.py:30$", lines[3]), lines[3]
    assert re.match(r"poll +10.0% +100.0% +– +spin ×360, a", lines[4]), lines[4]
    assert re.fullmatch(r"\[hub idle\] +0.0% +0.0% +– +–", lines[6]), lines[6]
    assert lines[7] == "… and 3 more functions"
    drawn = run("live", "call-graph", "listener", "--format", "dot").stdout
    assert drawn.startswith('digraph "listener" {\n') and drawn.endswith("\n}\n")
    assert 'n0 -> n1 [label="360"' in drawn and "n9" not in drawn
    assert r'label="a\"\\N (<string>:1)\nself 0.0%, total 0.0%"' in drawn


def test_a_flow_is_a_tree_with_times_and_its_gaps(run: Callable[..., Done], peer: Peer) -> None:
    peer.updates = FLOW
    done = run("live", "flow", "listener", "--seconds", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "── Greenlet-7",
        "  poll (driver/driver.py:12)",
        "    spin (driver/driver.py:30)  2 ms",
        "── Greenlet-8",
        "            spin (driver/driver.py:30)",
        "… 9 steps are missing: there was no room for them",
        "── Greenlet-7",
        "    spin (driver/driver.py:30)  25 ms",
        "  ← poll (driver/driver.py:14)",
        "  poll (driver/driver.py:13)",
    ]
    once = json.loads(run("live", "flow", "listener", "--once", "--json").stdout)
    assert (len(once["steps"]), len(once["places"]), once["dropped"]) == (8, 2, 9)


def test_system_calls_are_a_table_with_bars(run: Callable[..., Done], peer: Peer) -> None:
    peer.updates = [SYSCALLS]
    done = run("live", "syscalls", "listener", "--once")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "8,010 calls in 4 s, 12 failed; 2,000 a second"
    assert re.match(r"read +█{20} +2,000 +8,000 +12 +400 ms +50 µs +12.3 ms$", lines[3]), lines[3]
    assert re.match(r"futex +0 +10 +– +– +– +–$", lines[4]), lines[4]


def test_calls_are_timed_where_that_is_asked_for_and_its_price_is_said(run: Callable[..., Done], peer: Peer) -> None:
    counted = tuple(msgspec.structs.replace(call, seconds=None, slowest_s=None) for call in SYSCALLS.calls)
    peer.updates = [msgspec.structs.replace(SYSCALLS, calls=counted)]
    peer.offers[0] = offer("probe", timed={"slowdown": 1.09, "words": "Timed as well."})
    done = run("live", "syscalls", "listener", "--once")
    assert done.returncode == 0, done.stderr
    assert "×1.01. Little." in done.stderr
    assert done.stdout.splitlines()[2].split()[-1] == "ERRORS"
    assert "latency" not in next(body for method, _, body in peer.asked if method == "POST")
    peer.asked.clear()
    timed = run("live", "syscalls", "listener", "--once", "--latency")
    assert "×1.09. Timed as well." in timed.stderr
    assert next(body for method, _, body in peer.asked if method == "POST")["latency"] is True


def test_json_is_a_document_a_line_that_says_where_it_is_from(run: Callable[..., Done], peer: Peer) -> None:
    peer.updates = [SYSCALLS, SYSCALLS]
    done = run("live", "syscalls", "listener", "--json", "--source", "py-spy")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["view"], one["agent"], one["source"], one["exact"]) for one in documents] == [
        ("syscalls", "listener", "py-spy", True)
    ] * 2
    assert "sees samples" in done.stderr


def test_ctrl_c_ends_the_session_in_the_profiler(cli: Cli, peer: Peer) -> None:
    peer.updates, peer.end = [SYSCALLS], None
    with subprocess.Popen(
        [sys.executable, "-m", "voltscope.cli", "live", "syscalls", "listener", "--json"],
        env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["view"] == "syscalls"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read().endswith("\nStopped.\n")
    assert peer.asked[-1] == ("DELETE", f"/api/live/{ID}", None)


def test_a_terminal_is_drawn_in_place_and_left_whole(cli: Cli, peer: Peer) -> None:
    peer.updates, peer.end = [GREENLETS], None

    def interrupt(seen: bytes, process: subprocess.Popen[bytes]) -> bytes | None:
        if b"Kept the others" not in seen:
            return None
        process.send_signal(signal.SIGINT)
        return b""

    code, sent = cli.on_terminal("live", "greenlets", "listener", keys=interrupt)
    assert code == 130, sent
    assert sent.index("\x1b[?25l") < sent.index("\x1b[H") < sent.rindex("\x1b[?25h")
    assert "listener · greenlets by probe, all seen" in sent
    assert peer.stopped.is_set()


@pytest.mark.parametrize(("key", "begun"), [(b"n\n", False), (b"y\n", True)])
def test_what_slows_the_agent_is_asked_for_first(cli: Cli, peer: Peer, key: bytes, begun: bool) -> None:
    peer.offers[0] = offer("probe", slowdown=5.0, words="It will be slow.")
    code, sent = cli.on_terminal("live", "flow", "listener", keys=lambda seen, _: key if b"Begin?" in seen else None)
    assert code == 0, sent
    assert "slows it ×5.00. It will be slow." in sent
    assert any(method == "POST" for method, _, _ in peer.asked) is begun


def test_nobody_to_ask_is_a_refusal_unless_yes_is_said(run: Callable[..., Done], peer: Peer) -> None:
    peer.offers[0] = offer("probe", slowdown=5.0)
    done = run("live", "flow", "listener")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert run("live", "flow", "listener", "--yes", "--once").stdout == "Nothing was seen.\n"


def test_a_lesser_source_says_what_is_missing_for_the_better_one(run: Callable[..., Done], peer: Peer) -> None:
    peer.offers[0] = offer("probe", unavailable="it has no probe. Say voltscope probe enable, and restart it.")
    peer.chosen, peer.updates = "py-spy", [GREENLETS]
    done = run("live", "greenlets", "listener", "--once")
    assert "by py-spy: sees samples" in done.stderr
    assert "Not by probe: it has no probe. Say voltscope probe enable, and restart it.\n" in done.stderr
    told = run("live", "sources", "listener")
    assert told.returncode == 0
    assert told.stdout.startswith("listener (pid 42)\n\ngreenlets\n    probe\n      not here: it has no probe. Say")
    assert "\n  • py-spy\n      sees samples, slows it ×1.01. Little.\n" in told.stdout
    done = run("live", "greenlets", "listener", "--source", "probe")
    assert (done.returncode, "probe cannot watch listener. it has no probe" in done.stderr) == (1, True)


def test_no_source_at_all_is_refused_with_all_reasons(run: Callable[..., Done], peer: Peer) -> None:
    peer.offers, peer.chosen = (
        [offer("bpftrace", unavailable="not installed."), offer("strace", unavailable="no.")],
        None,
    )
    done = run("live", "syscalls", "listener", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["remedy"] == "bpftrace: not installed. strace: no."
    assert run("live", "sources", "listener", "--json").returncode == 1


@pytest.mark.parametrize(
    ("end", "error", "code", "words"),
    [
        ("target-ended", None, 1, "listener (pid 42) has ended"),
        ("unwatched", None, 1, "nobody had read it"),
        ("stopped", None, 0, "Somebody ended the session"),
        (
            "failed",
            {"code": "profiling-refused", "message": "the kernel said no.", "remedy": "Ask root."},
            4,
            "Ask root.",
        ),
    ],
)
def test_each_end_has_its_words_and_exit_code(
    run: Callable[..., Done], peer: Peer, end: str, error: dict[str, str] | None, code: int, words: str
) -> None:
    peer.end, peer.error = end, error
    done = run("live", "syscalls", "listener")
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    once = run("live", "syscalls", "listener", "--once", "--json")
    assert once.returncode == code
    assert ("error" in json.loads(once.stdout.splitlines()[-1])) is (end in ("failed", "target-ended"))


def test_refusals_of_the_profiler_are_said_in_its_words(run: Callable[..., Done], peer: Peer, parts: SiteParts) -> None:
    peer.refuses = (429, {"code": "too-many-captures", "message": "four sessions run.", "remedy": "End one."})
    done = run("live", "syscalls", "listener")
    assert (done.returncode, "four sessions run. End one." in done.stderr) == (1, True)
    assert run("live", "syscalls", "listener", "--source", "dtrace").returncode == 2
    parts.update(credentials=None)
    assert run("live", "syscalls", "listener").returncode == 4


def test_the_real_profiler_is_watched(run: Callable[..., Done], profiler: str, busy: int) -> None:
    def hot() -> float:
        """Its share: a busy machine may take most of a session's time to attach."""
        done = run("live", "call-graph", "listener", "--once", "--seconds", "2", "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["view"], found["agent"]) == ("call-graph", "listener")
        return max(
            (node["total"] for node in found["nodes"] if node["place"]["function"] == "spin_the_wheel"), default=0
        )

    until(lambda: hot() > 0.5, "the hot function")
    told = run("live", "sources", "listener")
    assert f"listener (pid {busy})" in told.stdout
