"""pyflame (github.com/uber-archive/pyflame, ended in 2019) as a subprocess, for the Pythons it knows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from voltscope.errors import BackendFailed
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Capabilities, Ending, Kind, Need, Recording, Sampling
from voltscope.profiling.backends.interpreter import python_version
from voltscope.profiling.backends.naming import clean, frame
from voltscope.profiling.backends.refusal import may_attach, refused
from voltscope.profiling.backends.running import (
    ATTACH_DEADLINE_S,
    WRITE_DEADLINE_S,
    ProgramBackend,
    ask,
    find_target,
    gone_early,
    tied_to_us,
)
from voltscope.profiling.stacks import mark_hub, parse, samples_in

KNOWN = ("2.6", "2.7", "3.4", "3.5", "3.6")
_INSTALL = (
    "Build it from github.com/uber-archive/pyflame against such a Python, or take py-spy, which knows all Pythons."
)
_OTHER = "Leave backend out: py-spy knows this Python."
_MOST_BYTES = 4_000_000
_KIND_FLAGS = {Kind.WALL: ["--threads"], Kind.GIL: ["--exclude-idle"]}


class Pyflame(ProgramBackend):
    """Kinds wall and gil of agents in Python 2.6, 2.7 and 3.4 to 3.6; of others it says that it cannot."""

    name = "pyflame"

    def __init__(
        self, program: Path | None = None, processes: ProcessTable | None = None, proc: Path = Path("/proc")
    ) -> None:
        super().__init__(program, processes)
        self._proc = proc

    def version(self) -> str | None:
        if self._program is None:
            return None
        words = ask([str(self._program), "--version"], 10).said.split()
        return words[0] if words else None

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset(_KIND_FLAGS))

    def needs(self, pid: int | None = None) -> list[Need]:
        found = [Need("pyflame is installed", self.available(), _INSTALL), may_attach(self._program, pid)]
        if pid is not None:
            found.append(Need(f"the agent runs Python {', '.join(KNOWN)}", self._version(pid) in KNOWN, _OTHER))
        return found

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        pid = sampling.pid
        _, alive = find_target(self._processes, pid)
        version = self._version(pid)
        if version not in KNOWN:
            runs = f"runs Python {version}" if version else "runs no Python that can be recognised"
            raise BackendFailed(f"process {pid} {runs}; pyflame knows {', '.join(KNOWN)} and no other.", _OTHER)
        if self._program is None:
            raise BackendFailed("pyflame is not installed.", _INSTALL)
        command = [*tied_to_us(), str(self._program), *_KIND_FLAGS[sampling.kind], "--seconds", str(sampling.seconds)]
        command += ["--rate", f"{1 / sampling.rate:.6f}", "--pid", str(pid)]
        heard = bytearray()

        def hear(chunk: bytes) -> None:
            heard.extend(chunk)
            if len(heard) > _MOST_BYTES:  # it complains for ever of a process it cannot read, and keeps it paused
                raise self._failure(pid, None, heard[:200].decode(errors="replace"))

        answer = ask(command, sampling.seconds + ATTACH_DEADLINE_S + WRITE_DEADLINE_S, cancel, hear)
        if cancel.is_set():
            return Recording({}, 0, 0, 0.0, Ending.CANCELLED)
        progress(1.0)
        found, failed = read(heard.decode(errors="replace"))
        ending = Ending.COMPLETE if alive() else Ending.TARGET_ENDED
        if not found and (answer.status != 0 or failed or heard.strip()):
            raise self._failure(pid, answer.status, answer.said)
        stacks = mark_hub(found, idle=sampling.kind is Kind.WALL)
        return Recording(stacks, samples_in(stacks), failed, float(sampling.seconds), ending)

    def _version(self, pid: int) -> str | None:
        return python_version(pid, self._proc)

    def _failure(self, pid: int, status: int | None, said: str) -> Exception:
        if self._processes.birth(pid) is None:
            return gone_early(pid)
        if "Failed to seize" in said:
            return refused(pid, self._program or Path("pyflame"))
        words = " ".join(said.split())[:200].rstrip(".") or "no word"
        return BackendFailed(f"pyflame failed on process {pid} with status {status}: {words}.")


def read(text: str) -> tuple[dict[tuple[str, ...], int], int]:
    """Stacks from `file:function:line;… COUNT` a line, and how many rounds failed; `(idle)` rounds are nobody's."""
    found: Counter[tuple[str, ...]] = Counter()
    failed = 0
    for stack, count in parse(text).items():
        if stack == ("(failed)",):
            failed += count
        elif stack != ("(idle)",) and all(part.count(":") >= 2 for part in stack):
            found[tuple(map(_frame, stack))] += count
    return dict(found), failed


def _frame(text: str) -> str:
    file, name, line = text.rsplit(":", 2)
    return frame(name, file, line) if line.isdigit() else clean(text)
