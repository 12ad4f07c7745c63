"""What is said on the helper's socket: four bytes of length and JSON, every field checked before anything is done."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Annotated, Any

import msgspec

from voltscope.errors import BadRequest, FrameTooLarge, LinkClosed

PROTOCOL = 2
SOCKET = Path("/run/voltscope/probed.sock")
MOST_REQUEST_BYTES = 64 * 1024
MOST_ANSWER_BYTES = 4 * 1024 * 1024
MOST_SECONDS = 300.0
# From the kernel's own bound of 2^22; a number over it names nothing.
_MOST_PID = 1 << 22
_LENGTH = struct.Struct(">I")

Pid = Annotated[int, msgspec.Meta(ge=1, le=_MOST_PID)]


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """`{"ask": "hello"}`, with `pid` also whether each program can watch that process; or `{"ask": "stop"}`."""

    ask: str
    pid: Pid | None = None


class Run(msgspec.Struct, forbid_unknown_fields=True):
    """One program on one process. `seconds`: the time box. `every`: seconds between two updates of what is counted."""

    program: str
    pid: Pid
    seconds: Annotated[float, msgspec.Meta(ge=0.1, le=MOST_SECONDS)]
    every: Annotated[float, msgspec.Meta(ge=0.1, le=10.0)] = 0.25


class Offer(msgspec.Struct, frozen=True):
    """One program of the closed list, as `hello` tells of it. `slowdown`: how many times longer the target takes for
    the same work. `unavailable`: why it cannot be had, here or for the process asked of; None when it can.
    """

    name: str
    words: str
    slowdown: float
    most_seconds: float
    unavailable: str | None = None


class Hello(msgspec.Struct, frozen=True):
    """The answer to `hello`."""

    protocol: int
    version: str
    programs: list[Offer]


def request(frame: bytes) -> Ask | Run:
    """What a frame asks for. Raises BadRequest naming the field."""
    try:
        found = msgspec.json.decode(frame, type=dict[str, msgspec.Raw])
        kind: type[Ask | Run] = Run if "program" in found else Ask
        return msgspec.json.decode(frame, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the helper cannot read the request: {error}.", "See docs/probed.md.") from error


def send(connection: socket.socket, document: object) -> None:
    """Send one frame. Raises OSError, TimeoutError when the other side takes nothing."""
    body = msgspec.json.encode(document)
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive(connection: socket.socket, most: int) -> bytes | None:
    """One frame's body; None when the other side has hung up between frames.

    Raises FrameTooLarge over `most` bytes, before any of them is read; LinkClosed within a frame; OSError.
    """
    head = _exactly(connection, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > most:
        raise FrameTooLarge(f"a frame of {length} bytes; at most {most} are allowed.")
    body = _exactly(connection, length)
    if len(body) != length:
        raise LinkClosed("the other side hung up within a frame.")
    return body


def decoded(frame: bytes) -> dict[str, Any]:
    """The object in a frame. Raises LinkClosed when it is none: what answers is no helper of ours."""
    try:
        return msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LinkClosed(f"what answers is no helper of voltscope: {error}.") from error


def _exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes; fewer than that only when none came at all (the other side hung up)."""
    taken = bytearray()
    while len(taken) < count:
        chunk = connection.recv(min(count - len(taken), 1 << 16))
        if not chunk:
            if taken:
                raise LinkClosed("the other side hung up within a frame.")
            return b""
        taken += chunk
    return bytes(taken)
