"""Grafana's HTTP API as far as marks of captures need it: as documented, and as Grafana 12 answers."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TOKENS = r"/api/serviceaccounts/(\d+)/tokens"


class _Grafana:
    """What it keeps. Names of accounts and tokens are unique; who may edit a dashboard may annotate it."""

    def __init__(self, password: str, boards: tuple[str, ...]) -> None:
        self.operator = "Basic " + base64.b64encode(f"operator:{password}".encode()).decode()
        self.boards = boards
        self.accounts: list[dict[str, Any]] = []
        self.tokens: dict[int, list[dict[str, Any]]] = {}
        self.edits: set[tuple[int, str]] = set()
        self.marks: list[dict[str, Any]] = []

    def answer(self, method: str, path: str, query: str, body: Any, who: str) -> tuple[int, Any]:
        if path == "/api/annotations":
            return self._annotations(method, query, body, who)
        if who != self.operator:
            return 401, {"message": "Unauthorized"}
        if path == "/api/search":
            return 200, [{"uid": uid} for uid in self.boards]
        if path == "/api/serviceaccounts/search":
            return 200, {"serviceAccounts": self.accounts}
        if (method, path) == ("POST", "/api/serviceaccounts"):
            made = {"id": len(self.accounts) + 2, "name": body["name"], "role": body["role"]}
            if any(one["name"] == made["name"] for one in self.accounts):
                return 400, {"message": "service account already exists"}
            self.accounts.append(made)
            self.tokens[made["id"]] = []
            return 201, made
        if found := re.fullmatch(r"/api/access-control/dashboards/([\w-]+)/users/(\d+)", path):
            assert method == "POST" and body == {"permission": "Edit"} and found[1] in self.boards
            self.edits.add((int(found[2]), found[1]))
            return 200, {"message": "Permission updated"}
        if found := re.fullmatch(_TOKENS + r"/(\d+)", path):
            kept = self.tokens[int(found[1])]
            kept[:] = [one for one in kept if one["id"] != int(found[2])]
            return 200, {"message": "Service account token deleted"}
        found = re.fullmatch(_TOKENS, path)
        assert found, (method, path)
        kept = self.tokens[int(found[1])]
        if method == "GET":
            return 200, [{"id": one["id"], "name": one["name"]} for one in kept]
        if any(one["name"] == body["name"] for one in kept):
            return 400, {"message": "service account token with given name already exists in the organization"}
        made = {"id": len(kept) + 1, "name": body["name"], "key": f"glsa_{secrets.token_hex()}"}
        kept.append(made)
        return 200, made

    def _annotations(self, method: str, query: str, body: Any, who: str) -> tuple[int, Any]:
        accounts = [number for number, kept in self.tokens.items() for one in kept if who == f"Bearer {one['key']}"]
        if who != self.operator and not accounts:
            return 401, {"message": "Invalid API key"}
        if method == "GET":
            wanted = re.search(r"tags=(\w+)", query)
            return 200, [one for one in self.marks if not wanted or wanted[1] in one["tags"]]
        if who != self.operator and (accounts[0], body.get("dashboardUID")) not in self.edits:
            return 403, {"message": "Access denied to save the annotation"}
        self.marks.append(body)
        return 200, {"id": len(self.marks), "message": "Annotation added"}


@contextmanager
def grafana_api(port: int, password: str, *boards: str) -> Iterator[None]:
    """Listens on loopback with these dashboards."""
    kept = _Grafana(password, boards)

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            path, _, query = self.path.partition("?")
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = json.loads(content) if content else None
            status, document = kept.answer(self.command, path, query, body, self.headers["Authorization"] or "")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_DELETE = _do  # noqa: N815 (as the standard library calls them)

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output is their own."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
