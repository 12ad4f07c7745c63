"""A TCP receiver that reads as fast as it can and counts newlines: records, where they are framed so.

Run as a program it prints its port, then a line for each connection that ended: bytes and newlines.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType


class Sink:
    """The receiver in a process of its own; `keep`: a file to which everything goes that came."""

    def __init__(self, keep: Path | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), *([str(keep)] if keep else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None and self._process.stdin is not None
        self.port = int(self._process.stdout.readline())

    def lines(self) -> int:
        """Newlines so far."""
        return self._ask()[1]

    def bytes(self) -> int:
        """Bytes so far."""
        return self._ask()[0]

    def _ask(self) -> tuple[int, int]:
        assert self._process.stdout is not None and self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        size, lines = self._process.stdout.readline().split()
        return int(size), int(lines)

    def wait(self, lines: int, timeout: float, alive: subprocess.Popen[str] | None = None) -> float:
        """Returns the moment (time.perf_counter) at which `lines` had come. Raises TimeoutError."""
        until = time.monotonic() + timeout
        while (found := self.lines()) < lines:
            if time.monotonic() > until or (alive is not None and alive.poll() not in (None, 0)):
                raise TimeoutError(f"{found} of {lines} records came")
            time.sleep(0.01)
        return time.perf_counter()

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)


def main(keep: str | None) -> None:
    """Serve until standard input ends."""
    count = [0, 0]
    file = Path(keep).open("wb") if keep else None  # noqa: SIM115  (open as long as the process)
    server = socket.create_server(("127.0.0.1", 0))

    def receive(connection: socket.socket) -> None:
        buffer = bytearray(1 << 20)
        view = memoryview(buffer)
        while size := connection.recv_into(buffer):
            count[0] += size
            count[1] += buffer.count(b"\n", 0, size)
            if file is not None:
                file.write(view[:size])
        if file is not None:
            file.flush()

    def accept() -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=receive, args=(connection,), daemon=True).start()

    print(server.getsockname()[1], flush=True)
    threading.Thread(target=accept, daemon=True).start()
    for _ in sys.stdin:
        print(*count, flush=True)
    if file is not None:
        file.flush()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
