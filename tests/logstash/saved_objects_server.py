"""A server that answers as Kibana's and OpenSearch Dashboards' saved objects API does, by their documentation.

Status with version and name header, the header against cross-site requests, basic authentication and API keys, spaces,
`_bulk_get`, and `_import` of a multipart form: one time for all objects of an import, `overwrite` for those that were
there, errors for unknown types and missing references.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from servers.answering import AnsweringServer, Asked, Reply

TYPES = {"index-pattern", "search", "visualization", "dashboard"}


class SavedObjects(AnsweringServer):
    """`kept`: by space or tenant, type and id. `refuse`: (status, body) for every request, when set."""

    def __init__(self, product: str = "kibana", version: str = "7.17.22", user: tuple[str, str] | None = None) -> None:
        super().__init__(self._reply)
        self.product, self.version, self.user = product, version, user
        self.kept: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.imports = 0
        self.refuse: tuple[int, bytes] | None = None
        self.base, self.types = "", TYPES

    def _reply(self, asked: Asked) -> Reply:
        status, answer = self._answer(asked.method, asked.path, asked.headers, asked.body)
        headers = {"Content-Type": "application/json"}
        if self.product != "opensearch":
            headers["kbn-name" if self.product == "kibana" else "osd-name"] = "somewhere"
        return Reply(status, answer if isinstance(answer, bytes) else json.dumps(answer).encode(), headers)

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if self.refuse is not None:
            return self.refuse
        if self.user is not None:
            expected = "Basic " + base64.b64encode(":".join(self.user).encode()).decode()
            if headers.get("Authorization") not in (expected, "ApiKey the-key"):
                return 401, {"statusCode": 401, "error": "Unauthorized", "message": "Authentication required"}
        parts = urlsplit(path)
        if not parts.path.startswith(self.base):
            return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        where, space = parts.path.removeprefix(self.base), ""
        if self.product == "opensearch":
            return (
                (200, {"tagline": "The OpenSearch Project"}) if where == "/" else (400, {"error": "no handler found"})
            )
        if where.startswith("/s/"):
            _, _, space, rest = where.split("/", 3)
            where = f"/{rest}"
        space = headers.get("securitytenant", space)  # of OpenSearch's security plugin
        if where == "/api/status":
            return 200, {"name": "somewhere", "version": {"number": self.version}}
        xsrf = "kbn-xsrf" if self.product == "kibana" else "osd-xsrf"
        if xsrf not in headers:
            return 400, {"statusCode": 400, "message": f"Request must contain a {xsrf} header."}
        if where == "/api/saved_objects/_bulk_get":
            return 200, {"saved_objects": [self._one(space, one) for one in json.loads(body)]}
        if where == "/api/saved_objects/_import":
            return self._import(
                space, parse_qs(parts.query).get("overwrite") == ["true"], headers["Content-Type"], body
            )
        return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}

    def _one(self, space: str, asked: dict[str, str]) -> dict[str, Any]:
        found = self.kept.get((space, asked["type"], asked["id"]))
        missing = {"statusCode": 404, "error": "Not Found", "message": f"Saved object [{asked['id']}] not found"}
        return found or {**asked, "error": missing}

    def _import(self, space: str, overwrite: bool, kind: str, body: bytes) -> tuple[int, Any]:
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body
        )
        [part] = form.iter_parts()
        assert part.get_param("name", header="content-disposition") == "file"
        assert (part.get_filename() or "").endswith(".ndjson")
        given = [json.loads(line) for line in part.get_payload(decode=True).decode().splitlines()]
        self.imports += 1
        there = {(kind, one) for at, kind, one in self.kept if at == space} | {
            (one["type"], one["id"]) for one in given
        }
        errors, results = [], []
        for one in given:
            about = {"type": one["type"], "id": one["id"], "meta": {"title": one["attributes"]["title"]}}
            missing = [each for each in one["references"] if (each["type"], each["id"]) not in there]
            key = (space, one["type"], one["id"])
            if one["type"] not in self.types:
                errors.append({**about, "error": {"type": "unsupported_type"}})
            elif missing:
                errors.append({**about, "error": {"type": "missing_references", "references": missing}})
            elif key in self.kept and not overwrite:
                errors.append({**about, "error": {"type": "conflict"}})
            else:
                results.append({**about, **({"overwrite": True} if key in self.kept else {})})
                # brought up to its own form, as migrations do
                attributes = {**one["attributes"], "added": self.version}
                self.kept[key] = {**one, "attributes": attributes, "updated_at": f"import {self.imports}"}
        answer = {"success": not errors, "successCount": len(results), "successResults": results}
        return 200, {**answer, **({"errors": errors} if errors else {})}
