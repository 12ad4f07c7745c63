"""Which sequences of a spool a receiver has, for receivers that can be asked: stores, files, and groups of them."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

from voltscope.errors import ReceiverError
from voltscope.logs.settings import (
    ElasticsearchReceiver,
    FileReceiver,
    GroupReceiver,
    LumberjackReceiver,
    Receiver,
    SyslogReceiver,
)

# As our documents have it. What a message says of sequences does not match: its quotes are escaped.
_SEQUENCE = re.compile(rb'"sequence":(\d+)')


class ReadBack(Protocol):
    """What a receiver has. Both methods raise ReceiverError."""

    def sequences(self, spool: str, first: int, last: int) -> Iterator[Iterable[int]]:
        """Those of `spool` from `first` to `last` that are there, in any order, each as often as it is there."""

    def refused(self, spool: str) -> set[int]:
        """Those it refused for good, which are kept in a file."""


def read_back(receiver: Receiver, folder: Path) -> ReadBack | None:
    """How to ask the receiver; None when it cannot be asked. `folder`: where its dead letters are.

    Raises ConfigError for files that cannot be read.
    """
    if isinstance(receiver, ElasticsearchReceiver):
        return StoreReadBack(receiver, folder)
    if isinstance(receiver, (LumberjackReceiver, SyslogReceiver)) and receiver.stored_in is not None:
        return StoreReadBack(receiver.stored_in, folder)
    if isinstance(receiver, FileReceiver):
        return FileReadBack(Path(receiver.path).expanduser())
    if isinstance(receiver, GroupReceiver):
        members = [read_back(member, folder) for member in receiver.members]
        asked = [member for member in members if member is not None]
        return GroupReadBack(asked) if len(asked) == len(members) else None
    return None


class StoreReadBack:
    """Elasticsearch or OpenSearch, asked in pages; what was written just now is made findable first."""

    def __init__(self, receiver: ElasticsearchReceiver, folder: Path) -> None:
        self._receiver, self._folder = receiver, folder

    def sequences(self, spool: str, first: int, last: int) -> Iterator[Iterable[int]]:
        from voltscope.logs.transports.elasticsearch import PAGE, ElasticsearchTransport

        with closing(ElasticsearchTransport(self._receiver, self._folder)) as store:
            store.refresh()
            after = first - 1
            while found := store.stored(spool, after, last):
                # a page may end between two documents of one sequence: those that follow it are in the next
                if len(found) < PAGE:
                    yield found
                    return
                whole = found[: found.index(found[-1])] or found
                yield whole
                after = whole[-1]

    def refused(self, spool: str) -> set[int]:
        from voltscope.logs.transports.elasticsearch import ElasticsearchTransport

        with closing(ElasticsearchTransport(self._receiver, self._folder)) as store:
            return store.dead_sequences(spool)


class FileReadBack:
    """A file and what rotation made of it: NAME.1, NAME-20261121, NAME.2.gz."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sequences(self, spool: str, first: int, last: int) -> Iterator[Iterable[int]]:
        like = re.compile(rf"{re.escape(self._path.name)}($|[.-])")
        try:
            paths = sorted(path for path in self._path.parent.iterdir() if like.match(path.name))
        except OSError as error:
            raise _unreadable(self._path, error) from error
        for path in paths:
            yield self._of(path, spool, first, last)

    def _of(self, path: Path, spool: str, first: int, last: int) -> Iterator[int]:
        name = f'"spool":"{spool}"'.encode()
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
                for line in lines:
                    # whole lines alone: of what a power cut left of one, the record was sent again
                    if line.endswith(b"}\n") and name in line and (found := _SEQUENCE.search(line)):
                        sequence = int(found[1])
                        if first <= sequence <= last:
                            yield sequence
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(path, error) from error

    def refused(self, spool: str) -> set[int]:
        return set()


class GroupReadBack:
    """Together the members have all of it."""

    def __init__(self, members: list[ReadBack]) -> None:
        self._members = members

    def sequences(self, spool: str, first: int, last: int) -> Iterator[Iterable[int]]:
        for member in self._members:
            yield from member.sequences(spool, first, last)

    def refused(self, spool: str) -> set[int]:
        return set().union(*(member.refused(spool) for member in self._members))


def _unreadable(path: Path, error: Exception) -> ReceiverError:
    return ReceiverError(f"{path} cannot be read back: {error}.", "Is it there, ours, and whole?")
