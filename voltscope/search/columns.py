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


def marked(groups: array[int], marks: bytes) -> int:
    """The mark of every record's group: a number with a byte a record, the lowest for the first.

    A column of bytes is translated as a whole; one of 16 bits too, once for every 256 groups of which any is marked.
    """
    if groups.itemsize == 1:
        return int.from_bytes(groups.tobytes().translate(marks.ljust(256, b"\0")), "little")
    if groups.itemsize != 2 or len(marks) > _TRANSLATED:
        return int.from_bytes(bytes(map(marks.__getitem__, groups)), "little")
    content, made = little_endian(groups[:]).tobytes(), 0
    lower, upper = content[::2], content[1::2]
    for block in range(0, len(marks), 256):
        here = marks[block : block + 256].ljust(256, b"\0")
        if any(here):
            found = int.from_bytes(lower.translate(here), "little")
            made |= found & int.from_bytes(upper.translate(_only(block // 256)), "little")
    return made


_TRANSLATED = 8 * 256  # groups, with more of which it is as quick to look up each record


def _only(byte: int) -> bytes:
    return bytes(byte) + b"\xff" + bytes(255 - byte)


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
