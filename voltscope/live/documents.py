"""What a session holds for its readers: the newest document, or the last steps of a flow; never more than so much.

Nothing is queued for a reader. Each knows how far it has read, and takes what there is now: one that is slow leaves out
documents that newer ones replace, and holds up nobody.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import msgspec

from voltscope.live.views import Flow, Place, Update

# Steps that somebody who comes late is given.
WINDOW = 5000
# What a reader of a flow may be behind. A step takes about 40 bytes.
MOST_FLOW_BYTES = 4_000_000


@dataclass(frozen=True)
class Read:
    """How far somebody has read. `number`: of the last document; `steps`, of a flow: those given out or passed over;
    `lost`: those passed over because they were not held so long.
    """

    number: int = 0
    steps: int = 0
    lost: int = 0


Found = tuple[list[tuple[int, bytes]], Read]


class Documents(Protocol):
    """Used under the session's lock."""

    @property
    def size(self) -> int:
        """Bytes held."""

    def add(self, number: int, update: Update) -> None:
        """Take the update of that number, which counts from 1."""

    def begin(self) -> Read:
        """How far somebody has read who begins now."""

    def since(self, read: Read) -> Found:
        """The documents, as JSON with their numbers, that somebody who has read so far needs."""

    def settle(self) -> None:
        """There will be no more: hold what is there in as little room as will do."""


class Latest:
    """A view whose every document tells all since the session began: the newest one is enough."""

    def __init__(self) -> None:
        self._number, self._text, self._packed = 0, b"", False

    @property
    def size(self) -> int:
        return len(self._text)

    def add(self, number: int, update: Update) -> None:
        self._number, self._text = number, msgspec.json.encode(update)

    def begin(self) -> Read:
        return Read()

    def since(self, read: Read) -> Found:
        if self._number <= read.number:
            return [], read
        text = zlib.decompress(self._text) if self._packed else self._text
        return [(self._number, text)], Read(self._number)

    def settle(self) -> None:
        if not self._packed:
            self._text, self._packed = zlib.compress(self._text, 1), True


class _FlowOut(msgspec.Struct, tag_field="view", tag="flow"):
    """A `Flow` whose steps are JSON already."""

    at: float
    steps: msgspec.Raw
    places: dict[int, Place]
    tracks: dict[int, str]
    dropped: int


@dataclass(frozen=True)
class _Chunk:
    """One update of a flow. `first`: how many steps came before it."""

    number: int
    first: int
    count: int
    at: float
    steps: bytes
    places: dict[int, Place]
    tracks: dict[int, str]
    dropped: int


class Steps:
    """A flow: its last updates, of which a reader takes each once."""

    def __init__(self) -> None:
        self._chunks: deque[_Chunk] = deque()
        self._size = self._count = 0
        self._places: dict[int, Place] = {}
        self._tracks: dict[int, str] = {}

    @property
    def size(self) -> int:
        return self._size

    def add(self, number: int, update: Update) -> None:
        if not isinstance(update, Flow):
            raise TypeError(f"{type(update).__name__} is no flow")
        steps = msgspec.json.encode(update.steps)
        count = len(update.steps)
        chunk = _Chunk(
            number, self._count, count, update.at, steps, dict(update.places), dict(update.tracks), update.dropped
        )
        self._chunks.append(chunk)
        self._count += count
        self._size += len(steps)
        self._places.update(update.places)
        self._tracks.update(update.tracks)
        while len(self._chunks) > 1 and self._size > MOST_FLOW_BYTES:
            self._size -= len(self._chunks.popleft().steps)

    def begin(self) -> Read:
        return Read(0, max(0, self._count - WINDOW))

    def since(self, read: Read) -> Found:
        if not self._chunks or self._chunks[-1].number <= read.number:
            return [], read
        newest = self._chunks[-1]
        if read.number == 0 or self._chunks[0].number > read.number + 1:
            lost = read.lost + max(0, self._chunks[0].first - read.steps)
            whole = self._told(newest, self._from(read.steps), self._places, self._tracks, lost)
            return [(newest.number, whole)], Read(newest.number, self._count, lost)
        found = [
            (chunk.number, self._told(chunk, chunk.steps, chunk.places, chunk.tracks, read.lost))
            for chunk in self._chunks
            if chunk.number > read.number
        ]
        return found, Read(newest.number, self._count, read.lost)

    def settle(self) -> None:
        """Only what somebody late would be given."""
        kept, room = 0, len(self._chunks)
        while room and kept < WINDOW:
            room -= 1
            kept += self._chunks[room].count
        for _ in range(room):
            self._size -= len(self._chunks.popleft().steps)

    def _from(self, first: int) -> bytes:
        """The steps held from that one on, as JSON."""
        parts = []
        for chunk in self._chunks:
            steps = chunk.steps
            if chunk.first < first:
                left = msgspec.json.decode(steps, type=list[msgspec.Raw])[first - chunk.first :]
                steps = b"[" + b",".join(map(bytes, left)) + b"]"
            if steps != b"[]":
                parts.append(steps[1:-1])
        return b"[" + b",".join(parts) + b"]"

    def _told(self, chunk: _Chunk, steps: bytes, places: dict[int, Place], tracks: dict[int, str], lost: int) -> bytes:
        return msgspec.json.encode(_FlowOut(chunk.at, msgspec.Raw(steps), places, tracks, chunk.dropped + lost))
