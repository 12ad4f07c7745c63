"""What a segment's index knows of every record without its text: when it was written, and its group."""

from __future__ import annotations

import sys
from array import array
from typing import NamedTuple


class Times(NamedTuple):
    """When every record was written: milliseconds after `base`, which is in milliseconds since the epoch."""

    base: int
    after: array[int]


def pack_times(times: array[int], oldest: int, newest: int) -> bytes:
    """The column as bytes: milliseconds after `oldest`, in 32 bits or, where they are weeks apart, in 64."""
    code = "I" if newest - oldest < 1 << 32 else "Q"
    return little_endian(array(code, [time - oldest for time in times])).tobytes()


def unpack_times(packed: bytes, records: int, oldest: int) -> Times:
    """The column `pack_times` made. Raises ValueError."""
    return Times(oldest, _column(packed, records, {4: "I", 8: "Q"}))


def pack_groups(groups: array[int], count: int) -> bytes:
    """The number of every record's group as bytes, in 8, 16 or 32 bits; there are `count` groups."""
    code = "B" if count <= 1 << 8 else "H" if count <= 1 << 16 else "I"
    return little_endian(array(code, groups)).tobytes()


def unpack_groups(packed: bytes, records: int) -> array[int]:
    """The column `pack_groups` made. Raises ValueError."""
    return _column(packed, records, {1: "B", 2: "H", 4: "I"})


def marked(groups: array[int], marks: bytes) -> bytes:
    """The mark, a byte, of every record's group."""
    if groups.itemsize == 1:
        return groups.tobytes().translate(marks.ljust(256, b"\0"))
    return bytes(map(marks.__getitem__, groups))


def little_endian(column: array[int]) -> array[int]:
    """The column itself, its bytes swapped where the machine has them the other way."""
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _column(packed: bytes, records: int, codes: dict[int, str]) -> array[int]:
    size, rest = divmod(len(packed), records) if records else (min(codes), len(packed))
    if rest or size not in codes:
        raise ValueError("not a column of this segment")
    column = array(codes[size])
    column.frombytes(packed)
    return little_endian(column)
