"""A receiver of Elasticsearch's bulk requests that keeps documents by id in a file, and may be killed at any moment.

usage: receiver.py PORT FILE. An id it has is answered with 409, as `create` asks for.
"""

from __future__ import annotations

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


class Documents:
    """The documents of a file, by id. A line that was cut off when the receiver was killed was never confirmed."""

    def __init__(self, path: Path) -> None:
        self.ids: set[str] = set()
        kept = path.read_bytes() if path.exists() else b""
        whole = kept[: kept.rfind(b"\n") + 1]
        if len(whole) != len(kept):
            path.write_bytes(whole)
        for line in whole.splitlines():
            self.ids.add(json.loads(line)["id"])
        self._file = path.open("ab", buffering=0)

    def create(self, identifier: str, index: str, source: Any) -> int:
        """201, or 409 for an id there is; the document is in the file when this returns."""
        if identifier in self.ids:
            return 409
        self._file.write(json.dumps({"id": identifier, "index": index, "source": source}).encode() + b"\n")
        self.ids.add(identifier)
        return 201


class Handler(BaseHTTPRequestHandler):
    """POST …/_bulk, and GET / as clients look for."""

    protocol_version = "HTTP/1.1"
    documents: Documents

    def do_GET(self) -> None:
        self._answer({"version": {"number": "8.0.0"}, "tagline": "You Know, for Search"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        lines = body.splitlines()
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            asked = json.loads(action)["create"]
            status = self.documents.create(asked["_id"], asked.get("_index", self.path), json.loads(source))
            items.append({"create": {"_id": asked["_id"], "status": status}})
        self._answer({"took": 1, "errors": any(item["create"]["status"] != 201 for item in items), "items": items})

    def _answer(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: it is asked thousands of times."""


def main(port: int, path: str) -> None:
    """Serve until killed; prints `ready` when it listens."""
    Handler.documents = Documents(Path(path))
    server = HTTPServer(("127.0.0.1", port), Handler)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
