"""What a spool may take up, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """`segment_bytes`: of one file. `total_bytes`: of all files, indexes beside the segments included.

    `max_age_s`: records this old are dropped, at most a tenth of it later. `when_full`: drop the oldest segment, or
    block, that is, refuse to append while a receiver with a cursor still needs the oldest segment. `cache_bytes`: of
    the newest frames kept in memory. `cursor_every_s`: how often cursors are written.
    """

    segment_bytes: int = 8 * _MIB
    total_bytes: int = 512 * _MIB
    max_age_s: float = 30 * 86400.0
    when_full: Literal["drop-oldest", "block"] = "drop-oldest"
    cache_bytes: int = 2 * _MIB
    cursor_every_s: float = 1.0


@dataclass(frozen=True)
class SpoolStat:
    """`first`, `last`: sequences there are; first is last + 1 when there is none. `bytes`: of all files.

    `oldest`, `newest`: when the oldest and the newest record were read, seconds since the epoch. `dropped`: records
    retention removed, since the spool was made; `unsent`: those of them that a receiver with a cursor had not taken.
    `lost`: records that were durable and cannot be read any more, as far as reading has met them. `cursors`: the last
    sequence each receiver took. `cursor_error`: why cursors cannot be written at present.
    """

    id: str
    first: int
    last: int
    segments: int
    bytes: int
    oldest: float | None = None
    newest: float | None = None
    dropped: int = 0
    unsent: int = 0
    lost: int = 0
    cursors: dict[str, int] = field(default_factory=dict)
    cursor_error: str | None = None

    @property
    def records(self) -> int:
        """How many there are."""
        return self.last - self.first + 1
