"""What is turned away before a handler sees it: it gets its line in the audit, too."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voltscope.web.guard import WRITES
from voltscope.web.web_config import RateLimit
from voltscope.web.web_config_file import Bucket

_LONGEST = 100
# A line is a write to disk, and strangers may ask as often as they like.
_LINES = RateLimit(interval="1s", burst=60)


class Door:
    """ASGI. `refused(action, by, origin, outcome)` writes the line; a handler that has it written sets
    `state.audited`.
    """

    def __init__(self, app: ASGIApp, refused: Callable[[str, str, str, str], None]) -> None:
        self._app, self._refused, self._bucket = app, refused, Bucket(_LINES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in WRITES:
            await self._app(scope, receive, send)
            return

        async def hearing(message: Message) -> None:
            state = scope.get("state", {})
            if (
                message["type"] == "http.response.start"
                and message["status"] in (401, 403)
                and not state.get("audited")
            ):
                user, client = state.get("user"), scope.get("client") or ("unknown", 0)
                if not self._bucket.wait_s():
                    action = f"{scope['method']} {scope['path'][:_LONGEST]}"
                    by = user.name if user else "a stranger"
                    # not here: the disk may be slow, and a round may be writing
                    await run_in_threadpool(self._refused, action, by, client[0], f"http-{message['status']}")
            await send(message)

        await self._app(scope, receive, hearing)
