"""A real OpenSearch for tests and benchmarks, the one the quickstart brings: ports of its own, killed and restarted."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from servers.missing import PeerMissing
from servers.ports import free_port

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy"))

from quickstart_lib import opensearch
from quickstart_lib.failure import StepFailed


class OpenSearch:
    """One node, its data below `folder`. After `kill`, `start` brings it back with what it had, on the same port."""

    def __init__(self, folder: Path, longest_request: str = "100mb") -> None:
        self._folder, self._longest = folder, longest_request
        self._classpath = classpath()
        self.port, self._transport_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> OpenSearch:
        """Returns when it answers."""
        (self._folder / "tmp").mkdir(parents=True, exist_ok=True)
        with (self._folder / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                opensearch.command(self._classpath, self._folder, self.port, self._transport_port, self._longest),
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                cwd=self._folder,
            )
        until = time.monotonic() + opensearch.START_S
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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)
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
    try:
        opensearch.install(opensearch.cache())
    except StepFailed as error:
        raise PeerMissing(f"{error.why} {error.remedy} {error.output[-1000:]}") from error
    return opensearch.class_path(opensearch.cache())
