"""What a store refuses for good, kept with the reason: one JSON object a line, bounded, for our user's eyes alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from voltscope.errors import ReceiverError
from voltscope.logs.record import iso


@dataclass(frozen=True)
class DeadLetter:
    """A refused record: the store's `status` and words, and the record as it was sent."""

    status: int
    kind: str
    reason: str
    index: str
    document: bytes


class DeadLetters:
    """`path`, and `path`.1 with what was before: together at most `limit` bytes, the oldest half goes first."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self._half = path, limit // 2
        self._older = path.with_name(path.name + ".1")

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Durable when it returns. Raises ReceiverError, and then the records must be sent again."""
        now = iso(time.time())
        lines = b"".join(
            msgspec.json.encode(
                {
                    "@timestamp": now,
                    "status": letter.status,
                    "type": letter.kind,
                    "reason": letter.reason,
                    "index": letter.index,
                    "document": msgspec.Raw(letter.document),
                }
            )
            + b"\n"
            for letter in letters
        )
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size + len(lines) > self._half:
                self.path.replace(self._older)
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                view = memoryview(lines)
                while view:
                    view = view[os.write(file, view) :]
                os.fsync(file)
            finally:
                os.close(file)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise ReceiverError(
                f"records that the store refuses cannot be kept in {self.path}: {error}.",
                "Is its disk full, or the folder not ours? They are sent again until they can be kept.",
            ) from error

    def sequences(self, spool: str) -> Iterator[int]:
        """The sequences within `spool` of what is kept, oldest first; a line cut off by a power cut is passed over."""
        for path in (self._older, self.path):
            try:
                with path.open("rb") as file:
                    for line in file:
                        try:
                            document = msgspec.json.decode(line, type=_Letter).document
                        except msgspec.DecodeError:
                            continue
                        if document.labels.spool == spool:
                            yield document.event.sequence
            except FileNotFoundError:
                continue


class _Event(msgspec.Struct):
    sequence: int


class _Labels(msgspec.Struct):
    spool: str


class _Document(msgspec.Struct):
    event: _Event
    labels: _Labels


class _Letter(msgspec.Struct):
    document: _Document
