"""Refuses an RPC answer by its size, before VOLTTRON decodes it: a million series would hold up our hub for seconds.

Both generations decode every frame on the event loop, with no limit, and modular formats it for its debug log three
times over, whatever the log's level. Modular's router does the same on its own loop, which nobody but the agent that
answers can spare it: whoever was refused is therefore not asked again for long.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any

# Ten times what an agent may export, decoded in 25 ms; the largest answers of the platform itself, its lists of a
# thousand agents, are a quarter of it.
MAX_ANSWER = 1 << 20
# Outside of what JSON-RPC reserves for itself, and not VOLTTRON's own -32000, which wants a traceback.
TOO_LARGE = -31999

# As both generations write an answer; a request has a method where this has the id.
_ANSWER = re.compile(rb'\s*\{\s*"jsonrpc":\s*"2\.0",\s*"id":\s*("(?:[^"\\]|\\.){1,200}"|-?\d{1,20}),\s*"result":')


def refuse_large_answers(socket_class: Any, refused: Callable[[str], object]) -> None:
    """Make a VIP socket class of VOLTTRON's put an error, `TOO_LARGE`, in the place of answers over MAX_ANSWER bytes.

    `refused(identity)` hears of each, also of those that nobody waits for any more. Messages of other kinds pass as
    they are.
    """
    receive: Callable[..., list[Any]] = socket_class.recv_vip

    def recv_vip(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
        *head, frames = receive(self, *args, **kwargs)
        bounded = [_bounded(frame) for frame in frames]
        if any(map(operator.is_not, bounded, frames)):
            refused(bytes(head[-4]).decode(errors="replace"))  # peer, user, id, subsystem
        return [*head, bounded]

    socket_class.recv_vip = recv_vip


def _bounded(frame: Any) -> Any:
    """A frame of ZeroMQ's; what has been decoded already passes."""
    if not hasattr(frame, "buffer") or len(frame) <= MAX_ANSWER:
        return frame
    head = _ANSWER.match(bytes(memoryview(frame.buffer)[:400]))
    return frame if head is None else type(frame)(_error(head[1], len(frame)))


def _error(ident: bytes, size: int) -> bytes:
    message = json.dumps(f"an answer of {size} bytes is refused: the limit is {MAX_ANSWER}")
    return b'{"jsonrpc": "2.0", "id": %s, "error": {"code": %d, "message": %s}}' % (ident, TOO_LARGE, message.encode())
