"""The exporters of all platforms, each below its number.

Usage: -m dashboards_lib.exporters COUNT ORIGIN MINUTE; prints its port, ends with its standard input. MINUTE: the first
of the history, since the epoch, from which counters count.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dashboards_lib.platforms import DOWN, STEP_S, Platform, scraped


class _Server(ThreadingHTTPServer):
    def handle_error(self, *connection: Any) -> None:
        """A Prometheus that is stopped hangs up in the middle, which is no news."""


def serve(platforms: list[Platform], first: int) -> ThreadingHTTPServer:
    """Answers until it is shut down."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            platform = platforms[int(self.path.strip("/"))]
            down = platform.trouble is DOWN
            body = b"" if down else scraped(platform, int(time.time()) // STEP_S, first).encode()
            self.send_response(503 if down else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    count, origin, first = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    running = serve([Platform(number, origin) for number in range(count)], first)
    print(running.server_port, flush=True)
    sys.stdin.read()
