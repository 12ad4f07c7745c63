"""System calls counted by strace, in short pieces: the last resort, for it stops its target at every call."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from voltscope.errors import BackendFailed, TargetGone
from voltscope.live.prices import price as price_of
from voltscope.live.source import Price, Watch, Wish
from voltscope.live.syscall_counts import Counted, Counts
from voltscope.live.views import Syscalls, View
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.refusal import may_attach, refused
from voltscope.profiling.backends.running import ask, find_program, find_target, tied_to_us
from voltscope.profiling.targets import Target

PIECE_S = 0.4
_DEADLINE_S = 10.0
_INSTALL = "Run: sudo apt-get install strace."
# the columns we ask for, in our order; strace leaves the errors out where there are none
_ROW = re.compile(
    rb"^\s*(?P<total>\d+\.\d+)\s+(?P<longest>\d+\.\d+)\s+(?P<calls>\d+)\s+(?:(?P<errors>\d+)\s+)?(?P<name>\w+)$"
)
_COLUMNS = "time-total,max-time,calls,errors,name"
_REFUSED = b"Operation not permitted"
# of the lines strace writes besides; a process may have some thousand threads
_MOST_THREADS = 500


class StraceSyscalls:
    """strace of the threads a process has; in the moments between the pieces calls are missed."""

    name, view, exact = "strace", View.SYSCALLS, False
    price: Price = price_of(view, name)

    def __init__(
        self, processes: ProcessTable | None = None, program: Path | None = None, proc: Path = Path("/proc")
    ) -> None:
        self._processes, self._proc = processes or ProcessTable(), proc
        self._program = program or find_program("strace")

    def unavailable(self, target: Target) -> str | None:
        if self._program is None:
            return f"strace is not installed. {_INSTALL}"
        if shutil.which("timeout") is None:
            return "timeout(1) is missing, which ends strace in time. Run: sudo apt-get install coreutils."
        need = may_attach(self._program, target.pid, proc=self._proc)
        return None if need.met else need.remedy or "the kernel does not let it attach."

    def watch(self, target: Target, wish: Wish) -> Watch:
        if self._program is None:
            raise BackendFailed("strace is not installed.", _INSTALL)
        _, alive = find_target(self._processes, target.pid)
        return _Pieces(self._program, target, wish, alive)


class _Pieces:
    def __init__(self, program: Path, target: Target, wish: Wish, alive: Callable[[], bool]) -> None:
        self._program, self._target, self._wish, self._alive = program, target, wish, alive
        self._stopped = threading.Event()
        self._counts = Counts()

    def stop(self) -> None:
        self._stopped.set()

    def updates(self) -> Iterator[Syscalls]:
        began = time.monotonic()
        while not self._stopped.is_set() and time.monotonic() - began < self._wish.seconds:
            said = self._piece()
            if self._stopped.is_set():
                return
            rows = [row for line in said.splitlines() if (row := _ROW.match(line)) and row["name"] != b"total"]
            if not self._alive():
                raise TargetGone(f"process {self._target.pid} ended.", "Look at the agent's state and its log.")
            if not rows and _REFUSED in said:
                raise refused(self._target.pid, self._program)
            for row in rows:
                self._counts.add(
                    row["name"].decode(),
                    Counted(int(row["calls"]), int(row["errors"] or 0), float(row["total"]), float(row["longest"])),
                )
            yield self._counts.update(time.time(), time.monotonic() - began, PIECE_S)

    def _piece(self) -> bytes:
        """What strace says of PIECE_S of the threads there are now; children and threads begun meanwhile are not in it.

        timeout(1) ends it, also when we are killed: it passes on the signal it is sent then.
        """
        said = bytearray()
        threads = ",".join(self._threads())
        command = [*tied_to_us(), "timeout", "-s", "INT", str(PIECE_S), str(self._program), "-c", "-w", "-U", _COLUMNS]
        answer = ask([*command, "-p", threads], _DEADLINE_S, self._stopped, said.extend)
        failed = answer.status not in (0, 124, 130, None) and _REFUSED not in said  # 124: timeout's own
        if failed and self._alive() and not self._stopped.is_set():
            words = " ".join(answer.said.split())[-300:]
            raise BackendFailed(f"strace failed on process {self._target.pid} with status {answer.status}: {words}")
        return bytes(said)

    def _threads(self) -> list[str]:
        try:
            return [thread.name for thread in Path(f"/proc/{self._target.pid}/task").iterdir()][:_MOST_THREADS]
        except OSError:
            return [str(self._target.pid)]
