"""Requests to the parts of a site, with the failures of each said so that a person can act on them."""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any

from voltscope.errors import PeerUnexpected, PeerUnreachable, RemoteError

MAX_ANSWER = 64 << 20  # the largest captures seen are under 2 MB; this only stops a wrong peer


@dataclass(frozen=True)
class Answer:
    """What a peer said: HTTP status, content type and body."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the Authorization header to wherever it points."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


# Straight to the peer: a proxy named in the environment is not for this machine's own ports.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def ask(
    part: str,
    url: str,
    *,
    secret: str | None = None,
    send: object = None,
    method: str | None = None,
    timeout_s: float = 10.0,
) -> Answer:
    """GET `url`, or POST `send` to it as JSON, or whatever `method` says; the answer whatever its HTTP status.

    `part` names the peer in errors ("exporter"). Raises PeerUnreachable, and PeerUnexpected where the other side
    speaks no HTTP.
    """
    with _failures(part, url, timeout_s):
        try:
            with _OPENER.open(_request(part, url, secret, send, method), timeout=timeout_s) as response:
                return _answer(part, url, response, response.status)
        except urllib.error.HTTPError as error:
            return _answer(part, url, error, error.code)


def stream(part: str, url: str, *, secret: str | None = None, timeout_s: float = 30.0) -> Iterator[bytes]:
    """The body of GET `url` in the pieces it comes in, until the peer ends it or is gone; close it to hang up.

    `timeout_s`: the longest silence. Raises as `ask`, and RemoteError or PeerUnexpected for a status of 400 and over.
    """
    with _failures(part, url, timeout_s):
        try:
            response = _OPENER.open(_request(part, url, secret, None, None), timeout=timeout_s)
        except urllib.error.HTTPError as error:
            raise refusal(part, url, _answer(part, url, error, error.code)) from error
        with response:
            try:
                while piece := response.read1(1 << 16):
                    yield piece
            except http.client.IncompleteRead:
                return


def _request(part: str, url: str, secret: str | None, send: object, method: str | None) -> urllib.request.Request:
    headers = {"Accept": "*/*", "User-Agent": "voltscope"}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    data = None
    if send is not None:
        data = json.dumps(send).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310  checked next
    if request.type not in ("http", "https"):
        raise PeerUnexpected(f"the {part}'s address {public(url)} is no http:// or https:// URL.", _SITE_REMEDY)
    return request


@contextmanager
def _failures(part: str, url: str, timeout_s: float) -> Iterator[None]:
    """What goes wrong on the way to a peer, as errors of ours."""
    try:
        yield
    except (urllib.error.URLError, TimeoutError, ConnectionError, socket.gaierror) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            reason = f"no answer within {timeout_s:g} s"
        elif isinstance(reason, OSError) and reason.strerror:
            reason = reason.strerror
        raise PeerUnreachable(
            f"the {part} at {public(url)} does not answer: {str(reason).lower()}.", f"Is it running? {_SITE_REMEDY}"
        ) from error
    except (http.client.HTTPException, ValueError, OSError) as error:
        raise PeerUnexpected(f"what answers at {public(url)} is no {part}: {error}.", _SITE_REMEDY) from error


_LOGIN = re.compile(r"(?<=://)[^/@]*@")


def public(url: str) -> str:
    """`url` without the user name and password it may hold, for people to read."""
    return _LOGIN.sub("", url)


_SITE_REMEDY = "The site file (--site) says where the parts are."


def _answer(part: str, url: str, response: Any, status: int) -> Answer:
    body = response.read(MAX_ANSWER + 1)
    if len(body) > MAX_ANSWER:
        raise PeerUnexpected(f"the {part} at {public(url)} answers with over {MAX_ANSWER} bytes.", _SITE_REMEDY)
    return Answer(status, response.headers.get("content-type") or "", body)


def ask_json(
    part: str, url: str, *, secret: str | None = None, send: object = None, timeout_s: float = 10.0
) -> dict[str, Any]:
    """As `ask`, for peers that speak JSON objects. Raises RemoteError with the peer's own code, message and remedy."""
    answer = ask(part, url, secret=secret, send=send, timeout_s=timeout_s)
    try:
        document = answer.json()
    except ValueError:
        document = None
    if answer.status >= 400:
        raise refusal(part, url, answer)
    if not isinstance(document, dict):
        raise PeerUnexpected(f"the {part} at {public(url)} answers with something else than JSON.", _SITE_REMEDY)
    return document


def refusal(part: str, url: str, answer: Answer) -> RemoteError | PeerUnexpected:
    """The error a peer's answer of status 400 and over stands for."""
    try:
        found = answer.json()["error"]
        return RemoteError(str(found["code"]), str(found["message"]), found.get("remedy"), answer.status)
    except (ValueError, TypeError, KeyError, AttributeError):
        return PeerUnexpected(f"the {part} at {public(url)} answers with HTTP status {answer.status}.", _SITE_REMEDY)
