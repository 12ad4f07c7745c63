"""Running a bpftrace program as a child that ends when we do, and reading what it says as it says it."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from voltscope.errors import BackendFailed, ProfilingRefused, ProgramRefused, VoltscopeError
from voltscope.live.syscall_names import name_of
from voltscope.profiling.backends.refusal import CAP_SYS_ADMIN, capable
from voltscope.profiling.backends.running import ATTACH_DEADLINE_S, WRITE_DEADLINE_S, find_program, tied_to_us

# A map of 4,096 keys with stacks of 127 frames each in its lines; longer ones are passed over and counted.
LONGEST_LINE = 16_000_000
_POLL_S, _ASK_AGAIN_S = 0.1, 0.5
_CAP_BPF = 39  # <linux/capability.h>
_TAIL, _STRANGE = 64 * 1024, 1000
_INSTALL = "Run: sudo apt-get install bpftrace."
_TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
# bpftrace 0.17 writes a byte over 127 as the eight digits of a negative number
_BYTE = re.compile(rb"\\(?:uffffff([0-9a-f]{2})|(.))", re.DOTALL)
_STRING_OR_HEX = re.compile(r'"(?:[^"\\]|\\.)*"|\b0x[0-9a-f]+\b')
_COMPLAINT = re.compile(r"^(?:stdin|[^\s:]+):(?P<line>\d+)(?::\d+(?:-\d+)?|-\d+)?: ERROR: (?P<what>.*)$", re.MULTILINE)
_NO_BTF = ("BTF", "vmlinux.h", "linux/types.h", "kernel headers")
# said in every run where the limit cannot be raised, and without meaning since Linux 5.11
_NOISE = "couldn't set RLIMIT_MEMLOCK"
_REFUSED = ("Operation not permitted", "Permission denied", "EPERM", "lockdown")


@dataclass(frozen=True)
class Message:
    """One thing a program said. `kind`: `printf`, `map`, `hist`, `stats`, `value`, `attached_probes`, `lost_events`,
    `helper_error` and what else bpftrace calls it; `data`: what it said, as JSON has it.
    """

    kind: str
    data: Any


class Feed(Protocol):
    """What a program says, wherever it runs. `lost`: events the kernel had no room for, so far. `unreadable`: lines."""

    @property
    def lost(self) -> int: ...

    @property
    def unreadable(self) -> int: ...

    def batches(self) -> Generator[list[Message], None, None]:
        """What was said since the last one, ten times a second at least, so at times nothing. Blocks; one thread."""

    def stop(self) -> None:
        """End `batches` soon, from any thread: the program still says what it says at its end."""


@dataclass(frozen=True)
class Program:
    """What to run: its text, its positional parameters, and what it is told besides.

    `pid`: the process it belongs to: it ends with that, and USDT probes are switched on in it. `environment`:
    BPFTRACE_STRLEN and the like.
    """

    text: str
    arguments: tuple[str, ...] = ()
    pid: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """Messages from the JSON lines of `bpftrace -f json`, cut anywhere. `strange`: the end of what is no message."""

    def __init__(self) -> None:
        self.lost = self.unreadable = 0
        self.strange = ""
        self._rest = b""
        self._skipping = False

    def hear(self, chunk: bytes) -> list[Message]:
        """More of the text, and the messages that are whole with it."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self._skipping and lines:
            lines, self._skipping = lines[1:], False
        if len(self._rest) > LONGEST_LINE:
            self.unreadable += not self._skipping
            self._rest, self._skipping = b"", True
        return [message for line in lines if line.strip() for message in self._message(line)]

    def _message(self, line: bytes) -> list[Message]:
        message = read_line(line)
        if message is None:
            self.unreadable += 1
            self.strange = (self.strange + line[-_STRANGE:].decode(errors="replace") + "\n")[-_STRANGE:]
            return []
        if message.kind == "lost_events":
            self.lost += message.data.get("events", 0) if isinstance(message.data, dict) else 0
        return [message]


def read_line(line: bytes) -> Message | None:
    """One line; None when there is no reading it. What bpftrace 0.17 writes wrong is put right where that is clear."""
    if b"\\uffffff" in line:
        line = _BYTE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[0], line)
    text = line.decode(errors="replace")
    try:
        told = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        try:  # pointers stand there as bare hexadecimal numbers
            told = json.loads(_STRING_OR_HEX.sub(_number, text), strict=False)
        except (ValueError, RecursionError):
            return None
    if not isinstance(told, dict) or not isinstance(told.get("type"), str):
        return None
    kind = told.pop("type")
    return Message(kind, told.get("data", told))


def _number(found: re.Match[str]) -> str:
    return str(int(found[0], 16)) if found[0].startswith("0x") else found[0]


class Bpftrace:
    """One run of a program. `attached`: bpftrace took it and puts its probes in place. `said`: what it wrote besides,
    `overdue`: whether its time was over.
    """

    def __init__(
        self, program: Program, seconds: float, binary: Path | None = None, through: Sequence[str] | None = None
    ) -> None:
        """`seconds`: how long from when its probes are in place, after which it is told to end. `through`: the command
        it is run by, in place of the one that ends it when we are killed.
        """
        self._program, self._seconds = program, seconds
        self._binary = binary or find_program("bpftrace")
        self._through = _gone_with_us() if through is None else through
        self._reader = Reader()
        self._stopped = threading.Event()
        self.attached = False
        self.said = ""
        self.overdue = False

    @property
    def lost(self) -> int:
        return self._reader.lost

    @property
    def unreadable(self) -> int:
        return self._reader.unreadable

    def stop(self) -> None:
        self._stopped.set()

    def batches(self) -> Generator[list[Message], None, None]:
        """As Feed has it. The program is started by the thread that asks first, and is gone when that ends.

        Raises ProgramRefused, ProfilingRefused and BackendFailed.
        """
        if self._stopped.is_set():
            return
        process = self._started()
        try:
            yield from self._hear(process)
            status = process.wait(timeout=WRITE_DEADLINE_S)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)
        self.said = "".join(line for line in self.said.splitlines(keepends=True) if _NOISE not in line)
        if self._stopped.is_set() or (self.attached and (self.overdue or status == 0)):
            return
        if self.overdue:
            raise BackendFailed(f"bpftrace was not ready within {ATTACH_DEADLINE_S:.0f} s.", "Use fewer probes.")
        raise complaint(self._program.text, self.said + self._reader.strange, status)

    def _hear(self, process: subprocess.Popen[bytes]) -> Generator[list[Message], None, None]:
        launched, until, kill_at, ask_at = time.monotonic(), None, None, 0.0
        assert process.stdout is not None  # noqa: S101 - for the type checker: both are pipes
        assert process.stderr is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            while selector.get_map():
                batch: list[Message] = []
                for key, _ in selector.select(_POLL_S):
                    chunk = os.read(key.fd, 1 << 16)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is process.stdout:
                        batch += self._reader.hear(chunk)
                    else:
                        self.said = (self.said + chunk.decode(errors="replace"))[-_TAIL:]
                yield batch
                now = time.monotonic()
                self.attached = self.attached or any(message.kind == "attached_probes" for message in batch)
                if until is None and self.attached and (_says_something(batch) or _polls(process.pid)):
                    until = now + self._seconds
                self.overdue = now > (until if until is not None else launched + ATTACH_DEADLINE_S)
                if kill_at is not None and now > kill_at:
                    process.kill()
                elif self._stopped.is_set() or self.overdue:
                    kill_at = kill_at or now + WRITE_DEADLINE_S
                    if now >= ask_at:
                        ask_at = now + _ASK_AGAIN_S
                        _interrupt(process)

    def _started(self) -> subprocess.Popen[bytes]:
        obstacle = why_not(self._binary)
        if obstacle is not None or self._binary is None:
            raise ProfilingRefused("bpftrace cannot be run.", obstacle)
        command = [*self._through, str(self._binary), "-f", "json"]
        command += ["-p", str(self._program.pid)] if self._program.pid is not None else []
        command += ["-e", self._program.text, "--", *self._program.arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", **self._program.environment}
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
            )
        except OSError as error:
            raise BackendFailed(f"cannot start {command[0]}: {error.strerror}.", _INSTALL) from error


def complaint(text: str, said: str, status: int | None) -> VoltscopeError:
    """The error for a program that bpftrace did not run: `said` is what it wrote to its standard error."""
    if not any(Path(place, "events").is_dir() for place in _TRACEFS):
        remedy = "Run: sudo mount -t tracefs nodev /sys/kernel/tracing."
        return ProfilingRefused("the kernel's tracing filesystem is not mounted, which bpftrace reads.", remedy)
    if any(words in said for words in _NO_BTF) and not Path("/sys/kernel/btf/vmlinux").exists():
        remedy = "Use a kernel built with CONFIG_DEBUG_INFO_BTF (Debian's and Ubuntu's are), or install its headers."
        return ProfilingRefused("the kernel does not tell its types (no BTF), which the program asks for.", remedy)
    found = _COMPLAINT.search(said)
    if found is not None:
        number = int(found["line"])
        lines = text.splitlines()
        shown = lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
        return ProgramRefused(f"bpftrace refuses line {number} of the program: {found['what']}: {shown}", number)
    if any(words in said for words in _REFUSED):
        remedy = "In a container, start it privileged; with kernel lockdown, only another boot helps."
        return ProfilingRefused(f"the kernel refused bpftrace: {_last(said)}", remedy)
    if "ERROR" in said or "No probes to attach" in said:
        return ProgramRefused(f"bpftrace refuses the program: {_last(said)}")
    return BackendFailed(f"bpftrace ended with status {status}: {_last(said)}")


def why_not(binary: Path | None = None) -> str | None:
    """Why we cannot run bpftrace ourselves and what to do; None when nothing is known against it. Cheap."""
    if (binary or find_program("bpftrace")) is None:
        return f"bpftrace is not installed. {_INSTALL}"
    if os.geteuid() != 0 or not capable(Path("/proc"), CAP_SYS_ADMIN, _CAP_BPF):
        return "bpftrace needs root: run this as root, or let `voltscope probed` run it."
    return None


def _last(said: str) -> str:
    """The last things said, errors before all else, in one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    kept = [line for line in lines if line.startswith("ERROR")] or lines
    return " ".join(kept)[-300:].rstrip(".") + "." if kept else "no word."


def _says_something(batch: list[Message]) -> bool:
    return any(message.kind != "attached_probes" for message in batch)


def _polls(pid: int) -> bool:
    """Whether bpftrace waits for events: all its probes are in place then. It says how many, but before it begins."""
    try:
        number = Path(f"/proc/{pid}/syscall").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError):
        return True  # not ours to see: what it has said must do
    return number.isdigit() and name_of(int(number)) in ("epoll_wait", "epoll_pwait")


def _gone_with_us() -> tuple[str, ...]:
    """What ends bpftrace when we are killed, at once: the kernel itself takes its probes away. See _interrupt."""
    command = tied_to_us()
    return (*command[:-1], "KILL") if command else ()


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ask for the end, which bpftrace 0.17 does not hear unless it waits for events just then: it is asked again.

    When it has heard it gives the signal back its own meaning, and asking again would cut short what it prints.
    """
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")), 0)
    if caught >> (signal.SIGINT - 1) & 1:
        process.send_signal(signal.SIGINT)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Gone, whatever happens: the kernel takes its probes away with it."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
