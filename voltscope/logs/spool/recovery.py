"""What opening a spool finds: the last segment is read, the others are taken by their names."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from voltscope.errors import SpoolError
from voltscope.logs.spool.filesystem import FileSystem, write_whole
from voltscope.logs.spool.format import EVIDENCE, NEW, SCHEMA, Entry, State, segment_first
from voltscope.logs.spool.ledger import Ledger
from voltscope.logs.spool.segment import Damage, Frame, Opened, SegmentInfo


@dataclass
class Recovered:
    """A spool as it was left. `segments`: the last one is the one written last, its `bytes` end with its last frame.

    `clean`: it ends there and is of this schema, so that it can be written on. `began`: when, milliseconds since the
    epoch. `gaps`: records that are lost, by the sequence that follows them.
    """

    spool: str | None
    last: int
    ledger: Ledger
    segments: list[SegmentInfo]
    began: int
    gaps: dict[int, int]
    clean: bool


def recover(files: FileSystem, folder: Path) -> Recovered:
    """Read what is there and make durable what that rests on. Raises SpoolError, OSError; may be called again."""
    names = files.listdir(folder)
    for name in names:
        if name.endswith(NEW):
            files.unlink(folder / name)  # a segment that never was: it has its name once it is whole
    found = sorted((first, folder / name) for name in names if (first := segment_first(name)) is not None)
    recovered = Recovered(None, 0, Ledger(), [], 0, {}, True)
    if not found:
        return recovered
    # The last segment says it all, unless its first frame is damaged: then what came before does.
    start = len(found) - 1
    while start > 0 and not _begins_sound(files, found[start][1]):
        start -= 1
    for index, (first, path) in enumerate(found):
        below = found[index + 1][0] if index + 1 < len(found) else None
        size = files.stat(path).size
        recovered.segments.append(SegmentInfo(path, first, below or first, size, below is not None))
        if index >= start:
            _replay(files, recovered, first, path, size, below)
    files.fsync_dir(folder)  # a name may be in a cache alone, where a crash of the process left it
    return recovered


def keep_evidence(files: FileSystem, path: Path) -> None:
    """Give a damaged segment without sound records a second name: its own goes to the segment that follows."""
    with contextlib.suppress(OSError):  # a file system without links: the spool goes on without the evidence
        files.link(path, path.with_suffix(EVIDENCE))


def _begins_sound(files: FileSystem, path: Path) -> bool:
    with Opened(files, path) as file:
        frame = file.frame(0)
        return frame is not None and isinstance(frame.unpack(path), State)


def _replay(files: FileSystem, recovered: Recovered, first: int, path: Path, size: int, below: int | None) -> None:
    recovered.last = max(recovered.last, first - 1)
    end, tail, recovered.clean = 0, None, True
    with Opened(files, path) as file:
        for found in file.scan(0, size):
            if isinstance(found, Damage):
                recovered.clean = False
                continue
            if below is not None and found.first >= below:
                continue
            if found.schema != SCHEMA:
                recovered.clean = False
            content = found.unpack(path)
            if content is None:
                recovered.clean = False
                continue
            if isinstance(content, State):
                recovered.spool, recovered.began = content.spool, content.began
                recovered.ledger.restore(content)
            else:
                _apply(recovered, found, content)
            end, tail = found.end, found
        if tail is None:
            recovered.clean = False
        elif below is None:
            recovered.segments[-1] = SegmentInfo(path, first, recovered.last + 1, end, False)
            _rewrite(files, path, tail)


def _apply(recovered: Recovered, frame: Frame, entry: Entry) -> None:
    if frame.first > recovered.last + 1:
        recovered.gaps[frame.first] = frame.first - recovered.last - 1
    recovered.last = max(recovered.last, frame.first + frame.records - 1)
    recovered.ledger.apply(entry)


def _rewrite(files: FileSystem, path: Path, frame: Frame) -> None:
    """Write the last frame over itself and sync it: whether its own fsync was done, or failed, is not known.

    Every frame before it was durable when it was written. A page whose fsync failed counts as clean, so that only
    writing it again brings it to the disk.
    """
    file = files.open(path, write=True)
    try:
        size = frame.end - frame.offset
        raw = files.pread(file, size, frame.offset)
        if len(raw) != size:
            raise SpoolError(f"{path} changed while it was opened.", "Is another program writing to it?")
        write_whole(files, file, raw, frame.offset)
        files.fsync(file)
    finally:
        files.close(file)
