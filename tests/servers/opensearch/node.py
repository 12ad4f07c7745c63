"""A real OpenSearch 2.19 for tests and benchmarks: Maven's jars, a launcher of ours, loopback only, 256 MB of heap."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from servers.missing import PeerMissing

HERE = Path(__file__).resolve().parent
VERSION = "2.19.1.0"
START_S = 60.0  # 6 s on an idle machine


class OpenSearch:
    """One node, its data below `folder`. After `kill`, `start` brings it back with what it had, on the same port."""

    def __init__(self, folder: Path, longest_request: str = "100mb") -> None:
        self._folder, self._longest = folder, longest_request
        self._classpath = classpath()
        self.port, self._transport_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> OpenSearch:
        """Returns when it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "console.log").open("ab") as console:
            options = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self._classpath]
            arguments = [str(self._folder), str(self.port), str(self._transport_port), self._longest]
            self._process = subprocess.Popen(
                ["java", *options, "Launcher", *arguments],
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                cwd=self._folder,
            )
        until = time.monotonic() + START_S
        while True:
            # after a restart its indices come back one by one, and a search in between would not find all
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                health = self.ask("GET", "/_cluster/health")
                if health["status"] != "red" and not health["initializing_shards"]:
                    return self
            if self._process.poll() is not None or time.monotonic() > until:
                said = (self._folder / "console.log").read_text("utf-8", "replace")[-2000:]
                self.kill()
                raise RuntimeError(f"OpenSearch does not start: {said}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL: nothing is said to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None

    stop = kill  # nobody needs its data afterwards

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer, whatever its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read() or b"null")
        finally:
            connection.close()

    def documents(self, index: str) -> list[dict[str, Any]]:
        """All hits in the indices of that pattern, by `event.sequence`."""
        self.ask("POST", f"/{index}/_refresh")
        hits: list[dict[str, Any]] = []
        query: dict[str, Any] = {"size": 10_000, "sort": [{"event.sequence": "asc"}, {"_index": "asc"}]}
        while page := self.ask("POST", f"/{index}/_search", query)["hits"]["hits"]:
            hits += page
            query["search_after"] = page[-1]["sort"]
        return hits


def classpath() -> str:
    """The jars and the compiled launcher, fetched and made once a machine and version. Raises PeerMissing."""
    for program in ("java", "javac", "mvn"):
        if shutil.which(program) is None:
            raise PeerMissing(f"{program} is not on PATH")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "voltscope-tests"
    jars, classes = cache / f"opensearch-{VERSION}", cache / f"opensearch-{VERSION}-launcher"
    cache.mkdir(parents=True, exist_ok=True)
    source = HERE / "Launcher.java"
    with (cache / "opensearch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            part = cache / "opensearch.part"
            shutil.rmtree(part, ignore_errors=True)
            fetch = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
            _run([*fetch, "-DincludeScope=runtime", f"-DoutputDirectory={part}"])
            part.rename(jars)
        made = classes / "Launcher.class"
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            _run(["javac", "-cp", f"{jars}/*", "-d", str(classes), str(source)])
    return f"{classes}:{jars}/*"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise PeerMissing(f"{command[0]} failed: {(done.stdout + done.stderr)[-1000:]}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    classpath()  # before tests that have a time limit
