"""How a stream's messages are told apart, and how a message is made to fit a datagram."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from voltscope.logs.record import CUT, Batch, Record

LARGEST_DATAGRAM = 60_000

Renderer = Callable[[Batch], Sequence[str]]  # one message a record


def by_newline(messages: Sequence[str]) -> bytes:
    """Each message and a newline; the messages have none of their own."""
    return ("\n".join(messages) + "\n").encode("utf-8", "replace")


def by_octet_count(messages: Sequence[str]) -> bytes:
    """RFC 6587 section 3.4.1 and RFC 5425: the length in bytes, a space, the message."""
    counted = [f"{len(text) if text.isascii() else len(text.encode('utf-8', 'replace'))} {text}" for text in messages]
    return "".join(counted).encode("utf-8", "replace")


def as_datagrams(render: Renderer, batch: Batch) -> list[bytes]:
    """One datagram a record; what is too long for one loses the end of its text and is marked CUT."""
    made = [text.encode("utf-8", "replace") for text in render(batch)]
    for index, message in enumerate(made):
        if len(message) > LARGEST_DATAGRAM:
            made[index] = _shortened(render, batch.between(batch.first + index, batch.first + index), len(message))
    return made


def _shortened(render: Renderer, batch: Batch, length: int) -> bytes:
    """The only record of `batch`, its text shortened until its message fits: escaping makes lengths hard to foresee."""
    record: Record = batch.records[0]
    while True:
        keep = min(int(len(record.text) * LARGEST_DATAGRAM / length * 0.95), len(record.text) - 1)
        record = msgspec.structs.replace(record, text=record.text[: max(keep, 0)], flags=record.flags | CUT)
        message = render(Batch(batch.origin, batch.source, batch.created, [record], batch.spool, batch.first))[
            0
        ].encode("utf-8", "replace")
        length = len(message)
        if length <= LARGEST_DATAGRAM or not record.text:
            return message[:LARGEST_DATAGRAM]
