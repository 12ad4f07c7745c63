"""What the bytes of a spool mean: frames, their checksums, and what is packed in them (docs/spool.md, section 2)."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import msgspec

from voltscope.errors import SpoolError
from voltscope.logs.record import Batch, Origin, Record, Source

SCHEMA = 1
# 0xFF begins no UTF-8 character and stands in none: no text of a log can hold a frame.
MAGIC = b"\xff\xfeVS"
# magic, kind, schema, zero, length of the payload, records, sequence of the first; the CRC-32 follows
_HEAD = struct.Struct(">4sBBHIIQ")
_CHECK = struct.Struct(">I")
HEADER = _HEAD.size + _CHECK.size
STATE, RECORDS = 1, 2
MAX_PAYLOAD = 64 * 1024 * 1024
SEGMENT, NEW, EVIDENCE = ".seg", ".seg.new", ".bad"

Pid = tuple[int, float, str, str]  # pid, since (seconds since the epoch), identity, version


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Up to where a log was read: `offset` of the uncompressed generation that `head` (32 bytes) begins.

    `state`: what the pipeline needs besides, in its own form. `at`: seconds since the epoch.
    """

    path: str
    device: int
    inode: int
    head: bytes
    offset: int
    state: str
    at: float


class Dropped(msgspec.Struct, frozen=True, array_like=True):
    """Records that retention took since the spool was made; `unsent`: before a receiver with a cursor had them."""

    records: int = 0
    unsent: int = 0


class State(msgspec.Struct, array_like=True):
    """The payload of the frame a segment begins with: all that is not in the records after it.

    `began`, and `newest`, when the last records before it were read: milliseconds since the epoch.
    """

    schema: int
    spool: str
    began: int
    newest: int | None
    dropped: Dropped
    positions: list[Position]
    pids: list[Pid]
    generations: list[str]


class Entry(msgspec.Struct, array_like=True):
    """The payload of a frame of records: a batch, the position after it, and the pids learned with it."""

    origin: Origin
    source: Source
    created: int
    records: list[Record]
    position: Position
    learned: list[Pid] = []
    dropped: Dropped = Dropped()

    def batch(self, spool: str, first: int) -> Batch:
        """The records as they were appended."""
        return Batch(self.origin, self.source, self.created, self.records, spool, first)


class Undecoded(msgspec.Struct, array_like=True):
    """A frame of records, of which none is decoded yet."""

    origin: Origin
    source: Source
    created: int
    records: list[msgspec.Raw]

    def batch(self, number: int, spool: str, first: int) -> Batch:
        """Record `number`, counted from 0, in a batch of its own; `first`: the sequence of the frame's first record.

        Raises msgspec.MsgspecError, ValueError, IndexError.
        """
        record = _record_decoder.decode(self.records[number])
        return Batch(self.origin, self.source, self.created, [record], spool, first + number)


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[int, msgspec.msgpack.Decoder[Any]] = {
    STATE: msgspec.msgpack.Decoder(State),
    RECORDS: msgspec.msgpack.Decoder(Entry),
}
_undecoded_decoder = msgspec.msgpack.Decoder(Undecoded)
_record_decoder = msgspec.msgpack.Decoder(Record)


def checksum(*parts: bytes | bytearray | memoryview) -> int:
    """CRC-32 (that of zlib, IEEE 802.3) over all parts, one after the other."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def pack(payload: State | Entry, first: int) -> bytearray:
    """A whole frame. Raises SpoolError when it would be over the limit."""
    kind, count = (STATE, 0) if isinstance(payload, State) else (RECORDS, len(payload.records))
    frame = bytearray(HEADER)
    _encoder.encode_into(payload, frame, HEADER)
    length = len(frame) - HEADER
    if length > MAX_PAYLOAD:
        raise SpoolError(
            f"a batch of {count} records is {length} bytes, over the spool's limit of {MAX_PAYLOAD}.",
            "Append it in smaller parts.",
            permanent=True,
        )
    _HEAD.pack_into(frame, 0, MAGIC, kind, SCHEMA, 0, length, count, first)
    with memoryview(frame) as view:
        _CHECK.pack_into(frame, _HEAD.size, checksum(view[: _HEAD.size], view[HEADER:]))
    return frame


class Head(msgspec.Struct, frozen=True, gc=False):
    """A frame's header."""

    kind: int
    schema: int
    length: int
    count: int
    first: int
    crc: int


def head_of(raw: bytes | memoryview) -> Head | None:
    """What a header says; None for bytes that are none."""
    if len(raw) < HEADER:
        return None
    magic, kind, schema, zero, length, count, first = _HEAD.unpack_from(raw)
    if magic != MAGIC or zero or length > MAX_PAYLOAD:
        return None
    return Head(kind, schema, length, count, first, _CHECK.unpack_from(raw, _HEAD.size)[0])


def is_sound(head: Head, raw: bytes | memoryview, payload: bytes | memoryview) -> bool:
    """Whether header and payload are what was written."""
    return len(payload) == head.length and checksum(memoryview(raw)[: _HEAD.size], payload) == head.crc


def unpack(kind: int, schema: int, payload: bytes | memoryview, where: str) -> State | Entry | None:
    """What a sound frame holds; None when it cannot be understood. `where` names it in errors.

    Fields that later versions put at the end are left out, fields that earlier ones did not have take their default.
    Raises SpoolError for a frame of a newer schema.
    """
    _check(kind, schema, where)
    try:
        content: State | Entry = _decoders[kind].decode(payload)
    except (msgspec.MsgspecError, ValueError):  # ValueError: bytes that are no UTF-8
        return None
    return content


def unpack_records(schema: int, payload: bytes | memoryview, where: str) -> Undecoded | None:
    """The same for a frame of records, which takes a quarter of the time."""
    _check(RECORDS, schema, where)
    try:
        return _undecoded_decoder.decode(payload)
    except (msgspec.MsgspecError, ValueError):
        return None


def _check(kind: int, schema: int, where: str) -> None:
    if schema > SCHEMA or kind not in _decoders:
        raise SpoolError(
            f"{where} is of schema {schema}, newer than this voltscope's {SCHEMA}.",
            "Use the version that wrote it, or a later one; nothing was changed.",
            permanent=True,
        )


def segment_name(first: int) -> str:
    """The file name of the segment whose first record has that sequence."""
    return f"{first:020d}{SEGMENT}"


def segment_first(name: str) -> int | None:
    """The sequence a segment's name says; None when it is no segment's name."""
    stem, dot, rest = name.partition(".")
    return int(stem) if dot + rest == SEGMENT and len(stem) == 20 and stem.isascii() and stem.isdigit() else None
