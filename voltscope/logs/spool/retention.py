"""What a spool lets go of, and when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from voltscope.logs.spool.filesystem import FileSystem
from voltscope.logs.spool.format import EVIDENCE, SEGMENT

# A time before this is that of a clock that was never set: how old such records are is not known.
_SENSIBLE_MS = 1_577_836_800_000  # 2020-01-01


def extras(files: FileSystem, folder: Path) -> dict[str, int]:
    """The files that go with segments (indexes, damaged segments kept for evidence), with their sizes."""
    sizes = {}
    for name in files.listdir(folder):
        if name[:20].isdigit() and not name.endswith(SEGMENT):
            try:
                sizes[name] = files.stat(folder / name).size
            except FileNotFoundError:
                continue  # an index that was being made has its name now
    return sizes


def beside(segment: Path, names: Mapping[str, int]) -> list[str]:
    """Those that go when that segment goes."""
    first = segment.name[:20]
    return [name for name in names if name[:20] <= first and name.endswith((".idx", EVIDENCE))]


def is_sensible(began: int) -> bool:
    """Whether that time, milliseconds since the epoch, is of a clock that was set."""
    return began > _SENSIBLE_MS
