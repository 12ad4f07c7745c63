"""A process that has all an agent has for the probe: its environment, its parent, gevent; and a bare client."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from voltscope.cli.probe_environment import LINE

WAIT_S = 60.0
# What `voltscope_probe.pth` does, then what every agent does first.
HEAD = f"{LINE}import gevent.monkey; gevent.monkey.patch_all()\n"


def until(condition: Callable[[], Any], what: str = "it", limit_s: float = WAIT_S) -> Any:
    """Wait for `condition` to be true; its value."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come about in {limit_s} s"
        time.sleep(0.01)
    return value


class ProbedAgent:
    """Runs `program` as an agent of the platform that the test is. `ready`: the program has said so, by `say()`."""

    def __init__(self, home: Path, program: str, python: str = sys.executable, platform: int | None = None) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        (home / "VOLTTRON_PID").write_text(str(os.getpid() if platform is None else platform))
        self.script = home / "agent.py"
        self.script.write_text(HEAD + program)
        environment = {**os.environ, "VOLTTRON_HOME": str(home), "AGENT_VIP_IDENTITY": "an.agent"}
        environment["PYTHONPATH"] = str(Path(__file__).parents[3])
        command = [python, str(self.script)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid
        self.socket = home / "voltscope" / "probe" / f"{self.pid}.sock"

    def heard(self) -> str:
        """The next line the program says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the agent ended with {self.process.wait(WAIT_S)}"
        return line.strip()

    def tell(self, line: str = "") -> None:
        """Say a line to the program."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def listening(self) -> ProbedAgent:
        """Wait until its probe listens."""
        until(lambda: self.process.poll() is not None or self.socket.exists(), "a socket of the probe")
        assert self.process.poll() is None, "the agent has ended"
        return self

    def connect(self) -> Client:
        """A connection to its probe."""
        return Client(self.listening().socket)

    def ask(self, ask: str, **params: Any) -> dict[str, Any]:
        """One answer over a connection of its own."""
        with self.connect() as client:
            return client.answer(ask, **params)

    def threads(self) -> int:
        """How many threads the process has."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def descriptors(self) -> int:
        """How many descriptors the process has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait(WAIT_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class Client:
    """The protocol without any comfort."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.socket.connect(f"/proc/self/fd/{folder}/{path.name}")  # the path may be too long for a socket
        finally:
            os.close(folder)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, raw: bytes) -> None:
        """One frame."""
        self.socket.sendall(len(raw).to_bytes(4, "big") + raw)

    def receive(self) -> dict[str, Any] | None:
        """One frame; None when the probe has hung up."""
        length = self._exactly(4)
        if length is None:
            return None
        body = self._exactly(int.from_bytes(length, "big"))
        return None if body is None else json.loads(body)

    def ask(self, ask: str, **params: Any) -> dict[str, Any]:
        """What comes back for a question."""
        self.send(json.dumps({"ask": ask, **params}).encode())
        told = self.receive()
        assert told is not None, "the probe has hung up"
        return told

    def answer(self, ask: str, **params: Any) -> dict[str, Any]:
        """The answer to a question, which must be one."""
        told = self.ask(ask, **params)
        assert "answer" in told, told
        return told["answer"]

    def stream(self, ask: str, **params: Any) -> Iterator[dict[str, Any]]:
        """The updates of a stream; it ends with {"end": reason}."""
        self.send(json.dumps({"ask": ask, **params}).encode())
        while True:
            told = self.receive()
            assert told is not None, "the probe has hung up"
            if "update" not in told:
                yield told
                return
            yield told["update"]

    def _exactly(self, count: int) -> bytes | None:
        received = b""
        while len(received) < count:
            chunk = self.socket.recv(count - len(received))
            if not chunk:
                return None
            received += chunk
        return received
