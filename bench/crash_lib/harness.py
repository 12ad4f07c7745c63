"""Kills the shipper at every system call that touches its files, and the receiver at random; judges by payloads."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from crash_lib.workload import Workload

# What a shipper can do to a file, a folder or its receiver. `when` of strace counts each call by itself.
CALLS = (
    "openat", "close", "read", "pread64", "write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync",
    "rename", "renameat2", "unlink", "unlinkat", "mkdir", "ftruncate", "flock", "fcntl", "lseek", "getdents64",
    "newfstatat", "fstat", "chmod", "fchmod", "connect", "sendto", "recvfrom",
)  # fmt: skip
_PAYLOAD = re.compile(rb"payload-\d{8}")
_RECEIVER_DIES = 0.04
_JUDGE_EVERY = 250
_KEEP_ROTATED = 2

Shipper = Callable[[Path, int], int]


@dataclass
class Verdict:
    """What many cuts came to. `lost`, `duplicated`: payloads; `unrecoverable`: starts that did not come up again."""

    cuts: int = 0
    lost: int = 0
    duplicated: int = 0
    unrecoverable: int = 0
    payloads: int = 0
    receiver_kills: int = 0
    by_call: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


class Receiver:
    """The receiver's process, on one port and one file whatever happens to it."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.file = folder / "documents.ndjson"
        self._start()

    def _start(self) -> None:
        program = Path(__file__).with_name("receiver.py")
        command = [sys.executable, str(program), str(self.port), str(self.file)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        """As kill -9."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def revive(self) -> None:
        """Start it when it is dead."""
        if self._process.poll() is not None:
            self._start()

    def counts(self) -> Counter[str]:
        """In how many documents of the store each payload is."""
        documents = self.file.read_bytes().splitlines()
        return Counter(found.decode() for document in documents for found in set(_PAYLOAD.findall(document)))


class Matrix:
    """One lane of cuts in `folder`. `ship(folder, port)`: the shipper, run in a forked child until all is sent."""

    def __init__(self, folder: Path, ship: Shipper, seed: int, started: Callable[[], None] = lambda: None) -> None:
        self._folder, self._ship, self._started = folder, ship, started
        self._chance = random.Random(seed)
        self._log = folder / "platform" / "volttron.log"
        self._log.parent.mkdir(parents=True)
        self._work = Workload(self._log, seed)
        self._receiver = Receiver(folder)
        self.verdict = Verdict()
        self._judged = 0

    def run(self, cuts: int, seconds: float | None = None) -> Verdict:
        """Cut `cuts` times, or until `seconds` are over; then let all arrive, and judge."""
        until = None if seconds is None else time.monotonic() + seconds
        try:
            self._work.write()  # a log rotated before it was ever seen is not the shipper's
            self._judge()
            while self.verdict.cuts < cuts and (until is None or time.monotonic() < until):
                for call in CALLS:
                    self._cut_every(call, cuts)
            self._judge()
        finally:
            self._receiver.kill()
        return self.verdict

    def _cut_every(self, call: str, cuts: int) -> None:
        """Kill at the first such call, in the next run at the second, and so on until a run has no more of them."""
        number = 1
        while self.verdict.cuts < cuts:
            self._work.write()
            self._receiver.revive()
            dies = self._chance.random() < _RECEIVER_DIES
            if dies and self._chance.random() < 0.5:
                self._receiver.kill()  # it is away from the beginning
            status = self._run(call, number, kill_receiver=dies)
            self.verdict.receiver_kills += dies
            if not os.WIFSIGNALED(status):
                if not dies and os.WEXITSTATUS(status) != 0:
                    self._complain(f"the run after {number - 1} x {call} ended with {os.WEXITSTATUS(status)}")
                    self.verdict.unrecoverable += 1
                return
            self.verdict.cuts += 1
            self.verdict.by_call[call] += 1
            number += 1
            if self.verdict.cuts - self._judged >= _JUDGE_EVERY:
                self._judge()

    def _run(self, call: str, number: int, kill_receiver: bool) -> int:
        """The status of a shipper that is killed at its `number`th `call`."""
        pid, gate = self._fork()
        command = ["strace", "-f", "-qqq", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
        command += ["-e", "status=none", "-o", "/dev/null", "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
            _await_tracer(pid, tracer)
            os.close(gate)
            if kill_receiver:
                time.sleep(self._chance.uniform(0, 0.05))
                self._receiver.kill()
            status = os.waitpid(pid, 0)[1]
            tracer.wait(timeout=30)
        return status

    def _fork(self) -> tuple[int, int]:
        """A child's pid, and the descriptor at whose closing it begins: stopped children would get their group hung
        up where it has no terminal.
        """
        wait, gate = os.pipe()
        pid = os.fork()
        if pid:
            os.close(wait)
            return pid, gate
        code = 70
        try:
            os.close(gate)
            os.read(wait, 1)
            os.close(wait)
            code = self._ship(self._folder, self._receiver.port)
        except BaseException as error:  # the child of a fork must not run on into the parent's code
            (self._folder / "last-error").write_text(f"{type(error).__name__}: {error}")
        finally:
            os._exit(code)

    def _judge(self) -> None:
        """Without cuts everything arrives, once."""
        self._judged = self.verdict.cuts
        self._receiver.revive()
        pid, gate = self._fork()
        os.close(gate)
        status = os.waitpid(pid, 0)[1]
        if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != 0:
            error = self._folder / "last-error"
            self._complain(f"a run without cuts ended with {status}: {error.read_text() if error.exists() else ''}")
            self.verdict.unrecoverable += 1
        counts = self._receiver.counts()
        lost = [payload for payload in self._work.payloads if payload not in counts]
        doubled = [payload for payload, count in counts.items() if count > 1]
        self.verdict.lost, self.verdict.duplicated = len(lost), len(doubled)
        self.verdict.payloads = len(self._work.payloads)
        for what, some in (("lost", lost), ("duplicated", doubled)):
            if some:
                self._complain(f"after {self.verdict.cuts} cuts {what}: {', '.join(some[:5])}")
        self._work.forget_old(_KEEP_ROTATED)

    def _complain(self, text: str) -> None:
        if len(self.verdict.complaints) < 50:
            self.verdict.complaints.append(text)


def _await_tracer(pid: int, tracer: subprocess.Popen[bytes]) -> None:
    """Until strace has seized the process: /proc tells the tracer's pid. Raises RuntimeError."""
    until = time.monotonic() + 20
    path = Path(f"/proc/{pid}/status")
    while True:
        text = path.read_text("ascii", "replace")
        if re.search(r"^TracerPid:\t[1-9]|^State:\tZ", text, re.M):
            return  # or dead already, where the waiting itself was to be cut
        if tracer.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"strace did not attach (status {tracer.poll()}): is it installed and allowed to?")
        time.sleep(0.001)
