"""The probe costs nothing until asked, is active in agents only, and lets in nobody but its user and root."""

from __future__ import annotations

import _socket
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from probed_agent import WAIT_S, Client, ProbedAgent, until

from voltscope.probe import conversation, listener
from voltscope.probe.start import is_agent

ROOT = Path(__file__).parents[3]
NOBODY = 65534

QUIET = """
print("ready", flush=True)
gevent.sleep(10_000)
"""

# Says whether the process it starts, which has all its environment, is taken for an agent.
WITH_CHILD = """
import os, subprocess, sys
code = (
    "import os, voltscope.probe.start as start; start.begin();"
    "print(start.is_agent(os.environ['VOLTTRON_HOME'], os.getppid(), 0.3), os.getpid(), flush=True); input()"
)
child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(child.stdout.readline().strip(), flush=True)
gevent.sleep(1000)
"""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedAgent]:
    agent = ProbedAgent(tmp_path_factory.mktemp("a" * 100), QUIET)  # longer than the path of a socket may be
    try:
        assert agent.heard() == "ready"
        yield agent.listening()
    finally:
        agent.end()


def test_starting_loads_nothing_the_interpreter_has_not() -> None:
    code = (
        "import sys; before = set(sys.modules); import voltscope.probe.start as start;"
        "start.start_new_thread = lambda *_: None; start.begin(); print(start._begun, *set(sys.modules) - before)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VOLTTRON_HOME": "/nowhere", "AGENT_VIP_IDENTITY": "an.agent"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    begun, *loaded = told.stdout.split()
    assert begun == "True"
    assert set(loaded) <= {"voltscope", "voltscope.version", "voltscope.probe", "voltscope.probe.start"}


def test_an_agent_is_what_the_platform_has_started(tmp_path: Path) -> None:
    parent, home = os.getppid(), str(tmp_path)
    assert not is_agent(home, parent, 0.0)
    (tmp_path / "VOLTTRON_PID").write_text("no number\n")
    assert not is_agent(home, parent, 0.0)
    (tmp_path / "VOLTTRON_PID").write_text(str(os.getpid()))
    assert not is_agent(home, parent, 0.0)
    (tmp_path / "VOLTTRON_PID").write_text(f"{parent}\n")
    assert is_agent(home, parent, 0.0)
    # whoever has lost its parent meanwhile is no child of the platform
    assert not is_agent(home, os.getpid(), 0.0)


def test_the_platform_may_write_its_pid_later(tmp_path: Path) -> None:
    late = threading.Timer(0.3, (tmp_path / "VOLTTRON_PID").write_text, [str(os.getppid())])
    late.start()
    assert is_agent(str(tmp_path), os.getppid(), WAIT_S)


def test_a_child_of_an_agent_is_none(tmp_path: Path) -> None:
    agent = ProbedAgent(tmp_path, WITH_CHILD)
    try:
        told, child = agent.heard().split()
        assert told == "False"
        agent.listening()
        assert not (agent.socket.parent / f"{child}.sock").exists()
    finally:
        agent.end()


def test_an_idle_probe_is_one_thread_and_one_private_socket(quiet: ProbedAgent) -> None:
    assert quiet.threads() == 2
    assert quiet.socket.stat().st_mode & 0o777 == 0o600
    assert quiet.socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_agents_usual_timeout_is_none_of_the_probes(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    socket.setdefaulttimeout(0.5)
    try:
        listening = listener._listen(folder)
        assert listening.gettimeout() is None
        listening.close()
    finally:
        socket.setdefaulttimeout(None)
        os.close(folder)


def test_another_user_is_hung_up_on(tmp_path: Path) -> None:
    agent = ProbedAgent(tmp_path, QUIET)
    try:
        agent.listening()
        # as if somebody had opened the folder: the probe looks at who connects all the same
        agent.socket.parent.chmod(0o755)
        agent.socket.chmod(0o666)
        folder = os.open(agent.socket.parent, os.O_RDONLY)
        child = os.fork()
        if child == 0:
            os._exit(_asks_as_nobody(folder, agent.pid))
        os.close(folder)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert agent.ask("hello")["pid"] == agent.pid
    finally:
        agent.end()


def _asks_as_nobody(folder: int, pid: int) -> int:
    """7 when connected and hung up on without an answer."""
    try:
        os.setgroups([])
        os.setuid(NOBODY)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(f"/proc/self/fd/{folder}/{pid}.sock")
            try:
                client.sendall(b'\0\0\0\x10{"ask": "hello"}')
                return 1 if client.recv(1) else 7
            except (BrokenPipeError, ConnectionResetError):
                return 7
    except BaseException:
        return 2


def test_garbage_is_answered_and_what_cannot_be_a_frame_ends_the_connection(quiet: ProbedAgent) -> None:
    with quiet.connect() as client:
        for raw in (b"", b"{", b"[]", b'"ask"', b"\xff\xfe", b"[" * 60_000, b"{}", b'{"ask": ["hello"]}'):
            client.send(raw)
            told = client.receive()
            assert told is not None and told["error"]["code"] in ("bad-request", "unknown-ask"), raw
        wrong = ({"seconds": -1}, {"seconds": "1"}, {}, {"seconds": True})
        for params in (*wrong, {"seconds": 1, "rate": 1e9}, {"seconds": 1, "share": 0.5}):
            assert client.ask("watch", **params)["error"]["code"] == "bad-request", params
        assert client.ask("calls", seconds=61)["error"]["code"] == "bad-request"
        assert client.answer("hello")["pid"] == quiet.pid
        client.socket.sendall((64 * 1024 + 1).to_bytes(4, "big"))
        told = client.receive()
        assert told is not None and told["error"]["code"] == "too-large"
        assert client.receive() is None


def test_a_few_clients_at_once_and_no_more(quiet: ProbedAgent) -> None:
    until(lambda: quiet.threads() == 2, "the end of other connections")
    clients = [quiet.connect() for _ in range(8)]
    try:
        assert {client.answer("hello")["pid"] for client in clients} == {quiet.pid}
        with quiet.connect() as one_too_many:
            assert one_too_many.ask("hello")["error"]["code"] == "busy"
    finally:
        for client in clients:
            client.socket.close()
    until(lambda: quiet.threads() == 2, "the end of the connections' threads")
    assert quiet.ask("hello")["pid"] == quiet.pid


def test_the_sockets_of_the_dead_are_swept(tmp_path: Path) -> None:
    folder = tmp_path / "voltscope" / "probe"
    folder.mkdir(parents=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    for name in (f"{gone.pid}.sock", f"{os.getpid()}.sock", "other"):
        (folder / name).touch()
    agent = ProbedAgent(tmp_path, QUIET)
    try:
        agent.listening()
        assert {path.name for path in folder.iterdir()} == {f"{agent.pid}.sock", f"{os.getpid()}.sock", "other"}
    finally:
        agent.end()


def test_a_client_that_never_reads_does_not_keep_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "SEND_S", 0.2)
    ours, theirs = socket.socketpair()
    with ours:
        held = conversation.Conversation(_socket.socket(fileno=theirs.detach()), os.getpid(), "an.agent")
        thread = threading.Thread(target=held.hold)
        thread.start()
        ours.settimeout(0.2)
        request = b'{"ask": "hello"}'
        try:
            while True:
                ours.sendall(len(request).to_bytes(4, "big") + request)
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            thread.join(WAIT_S)
        assert not thread.is_alive()


def test_a_client_without_a_question_gets_none_of_the_others_time(quiet: ProbedAgent) -> None:
    with quiet.connect() as silent, Client(quiet.socket) as other:
        silent.socket.sendall(b"\0\0")
        assert other.answer("hello")["pid"] == quiet.pid
