"""A real Beats input for tests: a small server on Elastic's own Go library, built once a machine and source."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from servers.missing import PeerMissing
from servers.ports import free_port

HERE = Path(__file__).resolve().parent


class Lumberjack:
    """Keeps what it receives in `out`. After `kill`, `start` listens on the same port."""

    def __init__(self, out: Path, *options: str) -> None:
        """`options`: as in main.go."""
        self.out, self._options = out, options
        self._program = _built()
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()

    def start(self) -> Lumberjack:
        """Returns when it listens."""
        command = [str(self._program), "-out", str(self.out), "-listen", f"127.0.0.1:{self.port}", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        address = self._process.stdout.readline()
        assert address.strip() == f"127.0.0.1:{self.port}", "it does not listen"
        return self

    def kill(self) -> None:
        """SIGKILL. A line it was cut off in was never acknowledged: it is taken away, lest the next one go on in it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self.out.exists():
            with self.out.open("r+b") as file:
                file.truncate(self.out.read_bytes().rfind(b"\n") + 1)

    def received(self) -> int:
        """How many bytes it has written."""
        return self.out.stat().st_size if self.out.exists() else 0

    def events(self) -> list[dict[str, Any]]:
        """What it has written, in that order."""
        lines = self.out.read_bytes().split(b"\n")
        return [json.loads(line) for line in lines[:-1]] if self.out.exists() else []


def _built() -> Path:
    """Raises PeerMissing."""
    if shutil.which("go") is None:
        raise PeerMissing("go is not on PATH")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "voltscope-tests"
    cache.mkdir(parents=True, exist_ok=True)
    source = b"".join((HERE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    program = cache / f"lumberjack-{hashlib.sha256(source).hexdigest()[:12]}"
    with (cache / "lumberjack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            done = subprocess.run(
                ["go", "build", "-o", str(program), "."], cwd=HERE, capture_output=True, text=True, timeout=300
            )
            if done.returncode:
                raise PeerMissing(f"go build failed: {done.stderr[-1000:]}")
    return program
