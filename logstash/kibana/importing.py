"""Puts the objects into Kibana or OpenSearch Dashboards through its saved objects API; again and again, if wanted."""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import socket
import ssl
import sys
import urllib.parse
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kibana.links import CONSOLE, GRAFANA, Addresses
from kibana.objects import ndjson, objects
from kibana.saved_objects import Json, Product
from kibana.visualisations import LINKS_ID

TIMEOUT_S = 60.0
_NAMES: dict[Product, str] = {"kibana": "Kibana", "opensearch-dashboards": "OpenSearch Dashboards"}
_OLDEST: dict[Product, tuple[int, int]] = {"kibana": (7, 17), "opensearch-dashboards": (2, 0)}


class ImportFailed(Exception):
    """What failed, on what, and what to do."""


class Program:
    """Kibana or OpenSearch Dashboards at `url`, which may have a path where a proxy gives it one."""

    def __init__(self, url: str, authorization: str | None, ca_file: str | None, tenant: str | None = None) -> None:
        """`authorization`: the header's value. Raises ImportFailed for what cannot be used."""
        self._url = urllib.parse.urlsplit(url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ImportFailed(f"{url} is no address: write http(s)://host:port, and the path where there is one.")
        if self._url.username is not None:
            raise ImportFailed("No credentials in the address: see --username, --password-file and --api-key-file.")
        self._headers = {"Authorization": authorization} if authorization else {}
        if tenant:
            self._headers["securitytenant"] = tenant
        self._context = None
        if self._url.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ImportFailed(f"--ca-file {ca_file} cannot be used: {error}.") from error
        self.product: Product = "kibana"
        self.version = ""

    def recognise(self) -> None:
        """Find out which of the two answers, and its version. Raises ImportFailed."""
        status, headers, body = self._ask("GET", "/api/status", b"", {})
        answer = _decoded(body)
        self._check(status, body, "/api/status")
        number = str((answer.get("version") or {}).get("number") or "")
        major = int(number.partition(".")[0]) if number.partition(".")[0].isdigit() else None
        if "osd-name" in headers or (major is not None and major < 6):
            self.product = "opensearch-dashboards"
        elif "kbn-name" not in headers and major is None:
            raise ImportFailed(
                f"{self} answers, but neither as Kibana nor as OpenSearch Dashboards. Is it the address of "
                "Elasticsearch or OpenSearch itself? The programs that draw are at port 5601 if nobody changed it."
            )
        self.version = number
        parts = number.split(".")
        if len(parts) >= 2 and all(part.isdigit() for part in parts[:2]):
            oldest = _OLDEST[self.product]
            if (int(parts[0]), int(parts[1])) < oldest:
                raise ImportFailed(
                    f"{self} is {self.name}, too old: these objects are for {'.'.join(map(str, oldest))} and later."
                )

    @property
    def name(self) -> str:
        """With its version."""
        return f"{_NAMES[self.product]} {self.version}".rstrip()

    def present(self, made: list[Json], space: str | None) -> list[Json | None]:
        """What there is of each object. Raises ImportFailed."""
        asked = json.dumps([{"type": one["type"], "id": one["id"]} for one in made]).encode()
        path = f"{_prefix(space)}/api/saved_objects/_bulk_get"
        status, _, body = self._ask("POST", path, asked, {"Content-Type": "application/json"})
        self._check(status, body, path)
        found = _decoded(body).get("saved_objects")
        if not isinstance(found, list) or len(found) != len(made):
            raise ImportFailed(f"{self} answers {path} in a way that {self.name} is not known for: {_shown(body)}")
        for one in found:
            error = one.get("error")
            if error and error.get("statusCode") != 404:
                raise ImportFailed(
                    f"{self} does not let us read {one.get('type')} {one.get('id')}: {error.get('message')}. "
                    "The user needs all rights on saved objects."
                )
        return [None if one.get("error") else one for one in found]

    def put(self, made: list[Json], space: str | None) -> None:
        """Import, and overwrite what is there. Raises ImportFailed naming every object that was not taken."""
        boundary = uuid.uuid4().hex
        file = ndjson(made).encode()
        head = 'Content-Disposition: form-data; name="file"; filename="voltscope.ndjson"'
        form = f"--{boundary}\r\n{head}\r\nContent-Type: application/ndjson\r\n\r\n".encode()
        form += file + f"\r\n--{boundary}--\r\n".encode()
        path = f"{_prefix(space)}/api/saved_objects/_import?overwrite=true"
        status, _, body = self._ask("POST", path, form, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        self._check(status, body, path)
        answer = _decoded(body)
        if answer.get("success") is True and answer.get("successCount") == len(made):
            return
        errors = answer.get("errors")
        if not isinstance(errors, list) or not errors:
            raise ImportFailed(f"{self} took {answer.get('successCount')} of {len(made)} objects: {_shown(body)}")
        told = "\n".join(f"  {_reason(error)}" for error in errors)
        raise ImportFailed(f"{self} did not take {len(errors)} of {len(made)} objects:\n{told}")

    def __str__(self) -> str:
        return self._url.geturl()

    def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        host, port = self._url.hostname or "", self._url.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._context)
            if self._context
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        )
        # each asks for its own header on requests that change something, and ignores the other's
        ours = {"kbn-xsrf": "true", "osd-xsrf": "true", **self._headers}
        try:
            connection.request(method, self._url.path.rstrip("/") + path, body or None, {**ours, **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except ssl.SSLCertVerificationError as error:
            raise ImportFailed(
                f"The certificate of {self} cannot be trusted: {error.verify_message}. "
                "Name its authority with --ca-file."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            why = "no answer in time" if isinstance(error, socket.timeout) else str(error) or type(error).__name__
            raise ImportFailed(f"{self} cannot be reached: {why}. Is it running, and is that its address?") from error
        finally:
            connection.close()

    def _check(self, status: int, body: bytes, path: str) -> None:
        if status == 200:
            return
        told = _shown(body)
        if status == 401:
            raise ImportFailed(
                f"{self} does not know us (401): {told} See --username, --password-file, --api-key-file."
            )
        if status == 403:
            raise ImportFailed(f"{self} does not let us (403): {told} The user needs all rights on saved objects.")
        if status == 404:
            raise ImportFailed(f"{self} has no {path} (404): is a path missing in the address, or --space wrong?")
        if status == 503:
            raise ImportFailed(f"{self} is not ready (503): {told} Try again in a minute.")
        if 300 <= status < 400:
            raise ImportFailed(f"{self} sends us elsewhere ({status}): give the address of the program itself.")
        raise ImportFailed(f"{self} refuses {path} ({status}): {told}")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all objects are as they should be, else 1 and the reason on stderr."""
    given = _parser().parse_args(arguments)
    try:
        program = Program(given.url, _authorization(given), given.ca_file, given.tenant)
        program.recognise()
        if given.space and program.product != "kibana":
            raise ImportFailed(f"{program} is {program.name}, which has no spaces: see --tenant.")
        if given.tenant and program.product == "kibana":
            raise ImportFailed(f"{program} is {program.name}, which has no tenants: see --space.")
        _import(program, Addresses(given.console, given.grafana), given.space)
    except ImportFailed as error:
        print(f"kibana-import: {error}", file=sys.stderr)
        return 1
    return 0


def _import(program: Program, at: Addresses, space: str | None) -> None:
    made = objects(program.product, at, space)
    before = program.present(made, space)
    if _unchanged(made, before):
        print(f"{program.name} at {program}: nothing changed, all {len(made)} objects are there.")
        return
    program.put(made, space)
    for one, old in zip(made, before, strict=True):
        print(f"{'updated' if old else 'made   '}  {one['type']:<13}  {one['attributes']['title']}")
    new = before.count(None)
    print(f"{program.name} at {program}: {new} made, {len(made) - new} updated.")


def _unchanged(made: list[Json], before: list[Json | None]) -> bool:
    """Whether what is there is what we would import.

    It cannot be compared itself: the program has brought it up to its own form. But one object holds a fingerprint of
    them all, and what is imported together has one time; somebody who edits an object later gives it another. Data
    views change by being used: they count which fields are popular.
    """
    if any(old is None for old in before):
        return False
    there = {old["id"]: old for old in before if old}
    [links] = [one for one in made if one["id"].startswith(LINKS_ID)]
    same = there[links["id"]]["attributes"].get("description") == links["attributes"]["description"]
    return same and len({old.get("updated_at") for old in there.values() if old["type"] != "index-pattern"}) == 1


def _reason(error: Json) -> str:
    """One object's error of an import, for people."""
    title = (error.get("meta") or {}).get("title") or error.get("title") or error.get("id")
    detail: Any = error.get("error") or {}
    kind = detail.get("type")
    if kind == "missing_references":
        missing = ", ".join(f"{one['type']} {one['id']}" for one in detail.get("references", []))
        why = f"what it refers to is missing: {missing}"
    elif kind in ("conflict", "ambiguous_conflict"):
        why = "another object is in its place, in this space or in another: delete it, or import into another space"
    elif kind == "unsupported_type":
        why = "this program does not import objects of its type"
    else:
        why = f"{detail.get('message') or kind} ({detail.get('statusCode') or 'no status'})"
    return f"{error.get('type')} {title}: {why}"


def _prefix(space: str | None) -> str:
    return f"/s/{urllib.parse.quote(space, safe='')}" if space else ""


def _decoded(body: bytes) -> Json:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _shown(body: bytes) -> str:
    said = _decoded(body).get("message") or body[:300].decode("utf-8", "replace").strip() or "nothing more"
    return f"{said}" if str(said).endswith(".") else f"{said}."


def _authorization(given: argparse.Namespace) -> str | None:
    key = _secret(given.api_key_file) or os.environ.get("KIBANA_API_KEY")
    username = given.username or os.environ.get("KIBANA_USERNAME")
    password = _secret(given.password_file) or os.environ.get("KIBANA_PASSWORD")
    if key:
        if given.username:
            raise ImportFailed("Either an API key or a user, not both.")
        return f"ApiKey {key}"
    if bool(username) != bool(password):
        raise ImportFailed("A user needs a password and the other way round: --username with --password-file.")
    if username:
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    return None


def _secret(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        secret = Path(name).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise ImportFailed(f"{name} cannot be read: {error}.") from error
    if not secret or not secret.isprintable():
        raise ImportFailed(f"{name} must hold the secret alone, in one line.")
    return secret


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kibana-import",
        description="Imports voltscope's data views, searches and dashboards into Kibana 7.17 and 8 or OpenSearch "
        "Dashboards 2. Run again, it changes what differs, and says so when nothing does.",
        epilog="Secrets may also be given as KIBANA_USERNAME and KIBANA_PASSWORD, or KIBANA_API_KEY.",
    )
    parser.add_argument("url", help="of Kibana or OpenSearch Dashboards, as http://127.0.0.1:5601")
    parser.add_argument("--console", default=CONSOLE, metavar="URL", help="where links lead (default: %(default)s)")
    parser.add_argument("--grafana", default=GRAFANA, metavar="URL", help="likewise (default: %(default)s)")
    parser.add_argument("--no-grafana", dest="grafana", action="store_const", const=None, help="no links there")
    parser.add_argument("--space", help="of Kibana, by its identifier (default: the default space)")
    parser.add_argument("--tenant", help="of OpenSearch Dashboards with its security plugin (default: the user's own)")
    parser.add_argument("--username", help="who imports")
    parser.add_argument("--password-file", metavar="FILE", help="with the password alone")
    parser.add_argument("--api-key-file", metavar="FILE", help="with the encoded API key alone")
    parser.add_argument("--ca-file", metavar="FILE", help="PEM file of the authority that signed the certificate")
    return parser
