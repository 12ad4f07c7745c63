"""Asking programs of this machine over HTTP, and waiting until they answer as they should."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .failure import StepFailed
from .site_files import operator_secret
from .state import Home


def wait_for(value: Callable[[], Any], timeout: float, why: str, remedy: str, log: Path | None) -> Any:
    """The first result of `value` that is not None, asked for every quarter of a second."""
    deadline = time.monotonic() + timeout
    last = ""
    while True:
        try:
            found = value()
            if found is not None:
                return found
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            last = f" ({error})"
        if time.monotonic() > deadline:
            raise StepFailed(f"{why} after {timeout:.0f} s{last}.", remedy, log)
        time.sleep(0.25)


def get(
    url: str, body: object = None, secret: str | None = None, user: str | None = None, method: str | None = None
) -> bytes:
    """What is answered to a GET, with `body` to a POST of it as JSON, or to `method`.

    `secret`: a bearer token, or the password of `user`. Raises OSError, caused by an HTTPError for a refusal.
    """
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if secret is not None:
        token = base64.b64encode(f"{user}:{secret}".encode()).decode()
        headers["Authorization"] = f"Basic {token}" if user else f"Bearer {secret}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 (our own loopback listeners)
    # No proxy: everything asked here is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise OSError(f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}") from error


def ask(
    url: str, body: object = None, secret: str | None = None, user: str | None = None, method: str | None = None
) -> Any:
    """The JSON that `get` is answered. Raises OSError, ValueError."""
    return json.loads(get(url, body, secret, user, method))


def ask_grafana(home: Home, path: str, body: object = None, method: str | None = None) -> Any:
    """As `ask`, of the home's Grafana as its operator; `path` begins with a slash."""
    return ask(f"http://127.0.0.1:{home.ports.grafana}{path}", body, operator_secret(home), "operator", method)
