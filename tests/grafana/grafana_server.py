"""Grafana's HTTP API as far as `grafana/check` uses it, in front of a real Prometheus; as documented for Grafana 11."""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dashboard_queries import FILES, GIVEN, load
from prometheus_server import Prometheus

TOKEN = "glsa_test"


@contextmanager
def grafana(prometheus: Prometheus, boards: list[str]) -> Iterator[str]:
    """Its address, while it runs with these dashboards."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/api/search":
                return self._say([{"uid": f"voltscope-{name}", "title": name} for name in boards])
            if path == "/api/frontend/settings":
                metrics = {"uid": "p1", "type": "prometheus", "isDefault": True}
                return self._say(
                    {"datasources": {"metrics": metrics, "-- Grafana --": {"uid": "g", "type": "grafana"}}}
                )
            if path.startswith("/api/dashboards/uid/"):
                return self._say({"dashboard": load(path.rpartition("-")[2])})
            values = re.fullmatch(r"/api/datasources/uid/p1/resources/api/v1/label/(\w+)/values", path)
            assert values, path
            given = {key: found[0] for key, found in urllib.parse.parse_qs(query).items()}
            return self._say({"status": "success", "data": prometheus.ask(f"label/{values[1]}/values", **given)})

        def do_POST(self) -> None:
            assert self.path == "/api/ds/query"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._say({"results": {one["refId"]: self._run(one, body) for one in body["queries"]}})

        def _run(self, query: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
            assert query["datasource"] == {"type": "prometheus", "uid": "p1"}
            expr = re.sub(r"\$(__\w+)", lambda one: GIVEN[one[1]], query["expr"])
            # the same span, up to where the data ends
            end = prometheus.at
            start = end - (int(body["to"]) - int(body["from"])) / 1000
            if query["instant"]:
                found = [[one["value"]] for one in prometheus.ask("query", query=expr, time=end)]
            else:
                asked = {"start": start, "end": end, "step": query["intervalMs"] / 1000}
                found = [one["values"] for one in prometheus.ask("query_range", query=expr, **asked)]
            fields = [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number"}]
            # JSON has no NaN: Grafana says null
            frames = [
                {
                    "schema": {"refId": query["refId"], "fields": fields},
                    "data": {"values": [[at for at, _ in rows], [None if v == "NaN" else float(v) for _, v in rows]]},
                }
                for rows in found
            ]
            return {"status": 200, "frames": frames}

        def _say(self, document: Any) -> None:
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(json.dumps(document if allowed else {"message": "Unauthorized"}).encode())

        def log_message(self, *words: Any) -> None:
            pass

    assert set(boards) <= set(FILES)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
