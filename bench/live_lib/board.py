"""A page that a program under measurement shares with the one who measures: reading it costs neither a system call."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_COUNT, _SECONDS = struct.Struct("<Q"), struct.Struct("<d")
_ROWS, _RESETS, _WORST, _WORST_CPU = 0, 8, 16, 24
SIZE = 4096


class Board:
    """The page in `path`, which is made when it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(b"\0" * SIZE)
        with path.open("r+b") as file:
            self.rows = mmap.mmap(file.fileno(), SIZE)

    @property
    def count(self) -> int:
        """What has been done so far."""
        return int(_COUNT.unpack_from(self.rows, _ROWS)[0])

    @count.setter
    def count(self, value: int) -> None:
        _COUNT.pack_into(self.rows, _ROWS, value)

    @property
    def resets(self) -> int:
        """How often the worst gaps were to be forgotten."""
        return int(_COUNT.unpack_from(self.rows, _RESETS)[0])

    @resets.setter
    def resets(self, value: int) -> None:
        _COUNT.pack_into(self.rows, _RESETS, value)

    @property
    def worst_s(self) -> float:
        """The largest excess gap, by the clock."""
        return float(_SECONDS.unpack_from(self.rows, _WORST)[0])

    @worst_s.setter
    def worst_s(self, value: float) -> None:
        _SECONDS.pack_into(self.rows, _WORST, value)

    @property
    def worst_cpu_s(self) -> float:
        """The most processor time of the process between two ticks."""
        return float(_SECONDS.unpack_from(self.rows, _WORST_CPU)[0])

    @worst_cpu_s.setter
    def worst_cpu_s(self, value: float) -> None:
        _SECONDS.pack_into(self.rows, _WORST_CPU, value)
