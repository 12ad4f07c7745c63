"""The audit: one line in the log for every capture, thread dump, cancel or live session that somebody asks for."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voltscope.errors import VoltscopeError
from voltscope.profiling.capture import iso_utc
from voltscope.visible import visible
from voltscope.web.guard import WRITES

_log = logging.getLogger("voltscope.profiling.audit")

ACCEPTED = "accepted"
# What may be written down of a request; anything else in it could be a secret sent to the wrong place.
_PARAMETERS = (
    "seconds", "rate", "kind", "idle", "backend", "native", "blocking", "children", "keep", "reason",
    "view", "source", "switches", "file",
)  # fmt: skip
_LONGEST = 200
_ACTIONS = {
    ("POST", "/api/captures"): "capture",
    ("POST", "/api/threads"): "threads",
    ("POST", "/api/alertmanager"): "alerts",
    ("POST", "/api/live"): "live",
}


def audit(
    action: str,
    by: str,
    via: str,
    params: Mapping[str, Any],
    refused: VoltscopeError | None = None,
    found: str | None = None,
) -> None:
    """Write the line, a JSON object in ASCII: it can hold no line break and no escape sequence.

    `action`: `capture`, `threads`, `cancel`, `alerts`, `live`, `live-stop` or `live-code`. `by`: who asked, `via` what
    (`http`, `rpc`, `webhook`, `trigger`). `refused`: why it was not done. `found`: the capture's or session's id.
    """
    line: dict[str, Any] = {"at": iso_utc(time.time()), "action": action, "by": _told(by), "via": via}
    line["agent"] = _told(params.get("agent"))
    line.update({name: _told(params[name]) for name in _PARAMETERS if params.get(name) is not None})
    line["outcome"] = ACCEPTED if refused is None else refused.code
    if found is not None:
        line["id"] = _told(found)
    _log.info("%s", json.dumps(line))


class AuditFile(RotatingFileHandler):
    """The lines in `path`, which only its owner reads; at most 5 MB of them are kept."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when it cannot be written."""
        super().__init__(path, maxBytes=1_000_000, backupCount=4, encoding="ascii")

    def begin(self) -> None:
        """Write every line from now on."""
        _log.setLevel(logging.INFO)
        _log.addHandler(self)

    def close(self) -> None:
        """Write no more."""
        _log.removeHandler(self)
        super().close()

    def _open(self) -> IO[str]:  # type: ignore[override]  # the rotating handler's own type is narrower
        return os.fdopen(
            os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="ascii"
        )


class Audited:
    """ASGI: requests that `app` turns away at its door get their line too; the others write it when they are decided.

    A handler that writes it sets `state.audited`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        action = _action(scope)
        if action is None:
            await self._app(scope, receive, send)
            return

        async def hearing(message: Message) -> None:
            state = scope.get("state", {})
            if message["type"] == "http.response.start" and not state.get("audited") and message["status"] >= 400:
                user, client = state.get("user"), scope.get("client") or ("unknown", 0)
                refusal = VoltscopeError("")
                refusal.code = f"http-{message['status']}"
                audit(action, user.name if user else f"stranger at {client[0]}", "http", {}, refusal)
            await send(message)

        await self._app(scope, receive, hearing)


def _action(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] not in WRITES:
        return None
    if scope["method"] == "DELETE" and scope["path"].startswith("/api/captures/"):
        return "cancel"
    if scope["method"] == "DELETE" and scope["path"].startswith("/api/live/"):
        return "live-stop"
    return _ACTIONS.get((scope["method"], scope["path"]))


def _told(value: object) -> object:
    """A parameter as it may stand in a log, whatever somebody sent."""
    if value is None or isinstance(value, (bool, int)):
        return value if not isinstance(value, int) or abs(value) < 10**12 else "large"
    if isinstance(value, float):
        return repr(value)
    return visible(value[:_LONGEST]) if isinstance(value, str) else type(value).__name__
