"""The client of the probe inside an agent: finds it, asks it, listens to its streams (docs/probe.md)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from voltscope.errors import ProbeAbsent, ProbeFailed, TargetGone
from voltscope.platform.processes import ProcessTable

PROTOCOL = 1
REMEDY = "Run `voltscope probe enable`, then restart the agent."
MAX_REQUEST_BYTES, MAX_ANSWER_BYTES = 64 * 1024, 16 * 1024 * 1024
# A probe answers within milliseconds, unless native code of the agent's keeps the interpreter to itself.
TIMEOUT_S = 5.0
CONNECT_S = 1.0
# Beyond a stream's own `every`: how long it may be silent before it counts as dead.
SILENCE_S = 10.0
# An agent that has hung up: how long it may take to end for good, and how often we look.
_ENDING_S, _LOOK_S = 0.5, 0.02
_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("iII")  # struct ucred of <linux/socket.h>: pid, uid, gid


class Probe:
    """The probe of one process. Each question has a connection of its own: use it from any thread."""

    def __init__(self, volttron_home: Path, pid: int, proc: Path = Path("/proc")) -> None:
        self.pid, self._proc = pid, proc
        self._folder = volttron_home / "voltscope" / "probe"

    @classmethod
    def of(cls, volttron_home: Path, pid: int, proc: Path = Path("/proc")) -> Probe:
        """The probe of process `pid` below that VOLTTRON_HOME. Raises ProbeAbsent when none listens, ProbeFailed."""
        probe = cls(volttron_home, pid, proc)
        probe.connect(CONNECT_S).close()
        return probe

    @classmethod
    def inside(cls, pid: int, proc: Path = Path("/proc")) -> Probe:
        """The same, with the VOLTTRON_HOME the process was started with."""
        home = volttron_home_of(pid, proc)
        if home is None:
            raise _absent(pid)
        return cls.of(home, pid, proc)

    def ask(self, name: str, timeout_s: float = TIMEOUT_S, **params: Any) -> dict[str, Any]:
        """The answer to one question. Raises ProbeAbsent, ProbeFailed, and TargetGone when the process ends."""
        with self.held(name, timeout_s, **params) as answer:
            return answer

    @contextlib.contextmanager
    def held(self, name: str, timeout_s: float = TIMEOUT_S, **params: Any) -> Iterator[dict[str, Any]]:
        """The same for an answer that holds as long as the connection does, as that to `allow`."""
        deadline = time.monotonic() + timeout_s
        with contextlib.closing(self.connect(min(timeout_s, CONNECT_S))) as connection:
            _send(connection, {"ask": name, **params}, self.pid, deadline)
            told = self.receive(connection, deadline)
            answer = told.get("answer")
            if not isinstance(answer, dict):
                raise _failed(self.pid, told, name)
            yield answer

    def stream(self, name: str, silence_s: float = SILENCE_S, **params: Any) -> ProbeStream:
        """Begin a stream. Raises ProbeAbsent and ProbeFailed; what goes wrong later, iterating raises."""
        connection = self.connect(CONNECT_S)
        try:
            _send(connection, {"ask": name, **params}, self.pid, time.monotonic() + TIMEOUT_S)
        except BaseException:
            connection.close()
            raise
        return ProbeStream(connection, self, name, silence_s)

    def connect(self, timeout_s: float) -> socket.socket:
        """A connection whose other end is that process, of its own user. Raises ProbeAbsent and ProbeFailed.

        Who listens is the kernel's word (SO_PEERCRED): anybody may have left a socket of any name in a folder.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            # The paths of sockets end at 107 bytes, those of folders do not.
            folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{folder}/{self.pid}.sock")
            finally:
                os.close(folder)
            self._check_peer(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, (FileNotFoundError, NotADirectoryError, ConnectionRefusedError)):
                raise _absent(self.pid) from error
            if isinstance(error, PermissionError):
                remedy = "Ask as the user whose agent it is, or as root."
                raise ProbeFailed(f"the probe of process {self.pid} is another user's.", remedy) from error
            if isinstance(error, OSError):
                raise ProbeFailed(f"the probe of process {self.pid} takes no connection: {error}.") from error
            raise
        return connection

    def gone(self, patience_s: float = 0.0) -> bool:
        """Whether the process has ended, or does within so long: its sockets close some time before that shows."""
        deadline = time.monotonic() + patience_s
        while ProcessTable(self._proc).birth(self.pid) is not None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        return True

    def _check_peer(self, connection: socket.socket) -> None:
        pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        owner = _uid(self.pid, self._proc)
        if pid != self.pid or uid != owner:
            raise ProbeFailed(
                f"what listens as the probe of process {self.pid} is process {pid} of user {uid}.",
                f"Somebody put it there: look into {self._folder}.",
            )

    def receive(self, connection: socket.socket, deadline: float) -> dict[str, Any]:
        """One frame, by `deadline` (monotonic seconds). Raises ProbeFailed, TargetGone."""
        (length,) = _LENGTH.unpack(self._exactly(connection, _LENGTH.size, deadline))
        if length > MAX_ANSWER_BYTES:
            raise ProbeFailed(f"the probe of process {self.pid} sends {length} bytes; {MAX_ANSWER_BYTES} are allowed.")
        raw = self._exactly(connection, length, deadline)
        try:
            told = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise ProbeFailed(f"the probe of process {self.pid} sends what is no JSON: {error}.") from error
        if not isinstance(told, dict):
            raise ProbeFailed(f"the probe of process {self.pid} sends what is no object.")
        return told

    def _exactly(self, connection: socket.socket, count: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < count:
            left = deadline - time.monotonic()
            try:
                if left <= 0:
                    raise TimeoutError
                connection.settimeout(left)
                chunk = connection.recv(min(count - len(received), 1 << 16))
            except TimeoutError as error:
                raise ProbeFailed(
                    f"the probe of process {self.pid} does not answer in time.",
                    "Native code may hold the interpreter: `voltscope profile AGENT --kind gil --native` shows it.",
                ) from error
            except OSError as error:
                chunk = b""
                if not isinstance(error, ConnectionError):
                    raise ProbeFailed(f"the probe of process {self.pid} cannot be heard: {error}.") from error
            if not chunk:
                if self.gone(_ENDING_S):
                    raise TargetGone(f"process {self.pid} ended.", "Look at the agent's log.")
                raise ProbeFailed(f"the probe of process {self.pid} hung up.", "Ask again.")
            received += chunk
        return bytes(received)


class ProbeStream:
    """Updates of one stream: iterate once, in one thread. `ending` says why it ended: `time` or `stopped`."""

    def __init__(self, connection: socket.socket, probe: Probe, name: str, silence_s: float) -> None:
        self._connection, self._probe, self._name, self._silence_s = connection, probe, name, silence_s
        self._stopped = False
        self.ending: str | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Updates as they come. Raises TargetGone when the process ends, ProbeFailed."""
        try:
            while True:
                told = self._next()
                update = told.get("update") if told is not None else None
                if told is None or "end" in told:
                    self.ending = self._ended(told)
                    return
                if not isinstance(update, dict):
                    raise _failed(self._probe.pid, told, self._name)
                yield update
        finally:
            self._connection.close()

    def stop(self) -> None:
        """End the stream, from any thread, any number of times. The probe takes down what it had set up."""
        self._stopped = True
        with contextlib.suppress(OSError):  # it has ended meanwhile
            self._connection.shutdown(socket.SHUT_RDWR)

    def _next(self) -> dict[str, Any] | None:
        """The next frame, None once it is stopped."""
        if self._stopped:
            return None
        try:
            return self._probe.receive(self._connection, time.monotonic() + self._silence_s)
        except (ProbeFailed, TargetGone):
            if self._stopped:
                return None
            raise

    def _ended(self, told: dict[str, Any] | None) -> str:
        ending = "stopped" if told is None else str(told["end"])
        if ending not in ("time", "stopped"):
            words = ending.removeprefix("failed:").strip()[:300].rstrip(".")
            raise ProbeFailed(f"the probe of process {self._probe.pid} failed at {self._name}: {words}.")
        return ending


def counts(volttron_home: Path, pids: Mapping[str, int], deadline_s: float) -> dict[str, dict[str, Any]]:
    """`count` of many probes at once, by the names of `pids`: of those that have answered when the deadline is over;
    empty of one that refuses, as when all its connections are taken.

    One thread and no waiting beyond it, whatever an agent does: for scrapes.
    """
    waiting: dict[int, tuple[str, socket.socket, Probe]] = {}
    found: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + deadline_s
    try:
        with contextlib.closing(select.epoll()) as ready:
            for name, pid in pids.items():
                probe = Probe(volttron_home, pid)
                try:
                    connection = probe.connect(0)  # a Unix socket's connects at once or not at all
                except (ProbeAbsent, ProbeFailed):
                    continue
                waiting[connection.fileno()] = (name, connection, probe)
                with contextlib.suppress(ProbeFailed):
                    _send(connection, {"ask": "count"}, pid, deadline)
                ready.register(connection, select.EPOLLIN)
            left = len(waiting)
            while left and (rest := deadline - time.monotonic()) > 0:
                for number, _ in ready.poll(rest):
                    ready.unregister(number)
                    left -= 1
                    name, connection, probe = waiting[number]
                    with contextlib.suppress(ProbeFailed, TargetGone):
                        told = probe.receive(connection, deadline)  # some hundred bytes, which come whole
                        answer = told.get("answer")
                        found[name] = answer if isinstance(answer, dict) else {}
    finally:
        for _, connection, _ in waiting.values():
            connection.close()
    return found


def volttron_home_of(pid: int, proc: Path = Path("/proc")) -> Path | None:
    """The VOLTTRON_HOME a process was started with; None where it is gone, has none, or may not be looked at."""
    try:
        environment = (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    told = next((entry for entry in environment if entry.startswith(b"VOLTTRON_HOME=")), None)
    return Path(os.fsdecode(told.partition(b"=")[2])) if told else None


def _send(connection: socket.socket, request: Mapping[str, Any], pid: int, deadline: float) -> None:
    raw = json.dumps(request).encode()
    if len(raw) > MAX_REQUEST_BYTES:
        raise ProbeFailed(f"a question of {len(raw)} bytes is too long for a probe; {MAX_REQUEST_BYTES} are allowed.")
    try:
        connection.settimeout(max(0.0, deadline - time.monotonic()))
        connection.sendall(_LENGTH.pack(len(raw)) + raw)
    except OSError as error:
        raise ProbeFailed(f"the probe of process {pid} takes no question: {error}.") from error


def _failed(pid: int, told: Mapping[str, Any], name: str) -> ProbeFailed:
    """The error a frame stands for that is neither answer nor update."""
    error = told.get("error")
    if isinstance(error, dict):
        words = str(error.get("message") or error.get("code") or "no word")[:300].rstrip(".")
        return ProbeFailed(f"the probe of process {pid} refuses {name}: {words}.")
    return ProbeFailed(f"the probe of process {pid} answers {name} with what is no answer.", "Are both of one version?")


def _absent(pid: int) -> ProbeAbsent:
    return ProbeAbsent(f"process {pid} has no probe.", REMEDY)


def _uid(pid: int, proc: Path) -> int | None:
    """The effective user of a process; None when it is gone."""
    try:
        lines = (proc / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[2]) for line in lines if line.startswith("Uid:")), None)
