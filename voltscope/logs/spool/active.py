"""The segment being written."""

from __future__ import annotations

import contextlib
from pathlib import Path

from voltscope.logs.spool.filesystem import FileSystem, close_quietly, write_whole
from voltscope.logs.spool.format import NEW, segment_name
from voltscope.logs.spool.segment import SegmentInfo


class ActiveSegment:
    """`bytes`: up to the end of its last durable frame. `sound`: nothing was written behind that; else it is given up.

    `first`: the sequence it begins with. `began`: milliseconds since the epoch.
    """

    def __init__(
        self, files: FileSystem, file: int, path: Path, first: int, size: int, began: int, sound: bool = True
    ) -> None:
        self._files, self._file = files, file
        self.path, self.first, self.bytes, self.began, self.sound = path, first, size, began, sound

    @classmethod
    def begin(cls, files: FileSystem, folder: Path, first: int, frame: bytearray, began: int) -> ActiveSegment:
        """A new one, durable with its name. Raises OSError; the name may stand for it even then."""
        path = folder / segment_name(first)
        new = path.with_suffix(NEW)
        file = files.create(new)
        try:
            write_whole(files, file, frame, 0)
            files.fsync(file)
            files.rename(new, path)
            files.fsync_dir(folder)
        except BaseException:
            close_quietly(files, file)
            raise
        return cls(files, file, path, first, len(frame), began)

    @classmethod
    def go_on(cls, files: FileSystem, segment: SegmentInfo, began: int, sound: bool) -> ActiveSegment:
        """The last one of a spool that was opened. Raises OSError."""
        file = files.open(segment.path, write=True)
        return cls(files, file, segment.path, segment.first, segment.bytes, began, sound)

    def write(self, frame: bytearray) -> None:
        """Make a frame durable at its end. Raises OSError; it is given up then."""
        self.sound = False
        write_whole(self._files, self._file, frame, self.bytes)
        self._files.fsync(self._file)
        self.bytes += len(frame)
        self.sound = True

    def info(self, following: int, sealed: bool = False) -> SegmentInfo:
        """What a reader needs to know; `following`: the sequence that comes after it."""
        size = self.bytes
        if sealed and not self.sound:  # what stands behind the last frame takes space as well
            with contextlib.suppress(OSError):
                size = self._files.stat(self.path).size
        return SegmentInfo(self.path, self.first, following, size, sealed)

    def close(self) -> None:
        """Close the file."""
        close_quietly(self._files, self._file)
