"""Makes the quickstart's package importable, and gives homes and package indices to try it on."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy"))

from quickstart_lib.state import Home, Ports

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with its folders, and nothing in it."""
    made = Home(tmp_path / "home", Ports(21930))
    for folder in (made.path, made.etc, made.bin, made.volttron, made.run, made.logs):
        folder.mkdir()
    return made


@pytest.fixture
def package_index() -> Iterator[Callable[[bool], str]]:
    """Starts a package index on loopback; `True` for one that answers JSON (PEP 691) when asked, `False` for HTML."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(json: bool) -> str:
        class Index(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = JSON in self.headers.get("Accept", "")
                body = b'{"name": "gevent", "files": []}' if json and asked else b"<html></html>"
                self.send_response(200 if self.path == "/simple/gevent/" else 404)
                self.send_header("Content-Type", JSON if json and asked else "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: the tests' output is their own."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/simple"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
