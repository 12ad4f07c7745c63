"""Looking at a spool without touching it: how it does, and which places are bad."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from voltscope.errors import SpoolError
from voltscope.logs.spool.cursors import FILE, cursors_of, damaged_in
from voltscope.logs.spool.filesystem import SYSTEM
from voltscope.logs.spool.format import Entry, State
from voltscope.logs.spool.limits import SpoolStat
from voltscope.logs.spool.reader import SpoolReader
from voltscope.logs.spool.segment import Damage, Frame, Opened, SegmentInfo


@dataclass(frozen=True)
class BadPlace:
    """Bytes from `offset` to before `end` of a file; `lost`: the first and last sequence that went with them."""

    path: Path
    offset: int
    end: int
    what: str
    lost: tuple[int, int] | None = None


@dataclass
class Checked:
    """What a check of every byte came to."""

    segments: int = 0
    bytes: int = 0
    frames: int = 0
    records: int = 0
    places: list[BadPlace] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Records that were durable and are gone."""
        return sum(place.lost[1] - place.lost[0] + 1 for place in self.places if place.lost)


def opened(folder: Path) -> tuple[SpoolReader, list[SegmentInfo]]:
    """A reader and the segments there are. Raises SpoolError when there is no spool, or it is not ours to read."""
    reader = SpoolReader(folder)
    try:
        segments = reader.segments()
    except OSError as error:
        raise SpoolError(f"the spool {folder} cannot be read: {error}.", "Run this as the platform's user.") from error
    if not segments:
        raise SpoolError(
            f"there is no spool at {folder}.", "The agent voltscope.logship makes it; --folder names another."
        )
    return reader, segments


def stat(folder: Path) -> SpoolStat:
    """As `Spool.stat`, also while the spool is written; `lost` is not looked for. Raises SpoolError, OSError."""
    reader, segments = opened(folder)
    state, entry = _newest(segments)
    dropped = entry.dropped if entry else state.dropped if state else None
    newest = entry.created if entry and entry.records else state.newest if state else None
    oldest = reader.read(0, 1)
    extras = [path for path in folder.glob("0*") if path.suffix in (".idx", ".bad")]
    return SpoolStat(
        id=state.spool if state else "",
        first=segments[0].first,
        last=segments[-1].next - 1,
        segments=len(segments),
        bytes=sum(segment.bytes for segment in segments) + sum(path.stat().st_size for path in extras),
        oldest=oldest.created / 1000 if oldest else None,
        newest=newest / 1000 if newest else None,
        dropped=dropped.records if dropped else 0,
        unsent=dropped.unsent if dropped else 0,
        cursors=cursors_of(folder, state.spool if state else ""),
    )


def check(folder: Path) -> Checked:
    """Read every byte of segments and cursors. Raises SpoolError, OSError."""
    _, segments = opened(folder)
    checked = Checked()
    for segment in segments:
        try:
            _check_segment(segment, checked)
        except FileNotFoundError:
            continue  # retention took it
    raw = _cursors(folder)
    checked.bytes += len(raw)
    for offset in damaged_in(raw):
        what = "a damaged slot: a receiver may be sent some records again"
        checked.places.append(BadPlace(folder / FILE, offset, offset + 512, what))
    return checked


def _check_segment(segment: SegmentInfo, checked: Checked) -> None:
    size, expected = segment.path.stat().st_size, segment.first
    bad: Damage | None = None
    with Opened(SYSTEM, segment.path) as file:
        for found in file.scan(0, size):
            content = found.unpack(segment.path) if isinstance(found, Frame) else None
            if isinstance(found, Damage) or content is None:
                bad = Damage(bad.offset if bad else found.offset, found.end)
                continue
            checked.frames += 1
            if isinstance(content, Entry) and (not segment.sealed or found.first < segment.next):
                _note(segment, checked, bad, expected, found.first)
                expected = max(expected, found.first + found.records)
                checked.records += found.records
            elif bad is not None:
                _note(segment, checked, bad, expected, expected)
            bad = None
    checked.segments, checked.bytes = checked.segments + 1, checked.bytes + size
    following = segment.next if segment.sealed else expected
    if bad is not None or following > expected:
        _note(segment, checked, bad or Damage(size, size), expected, following, at_end=True)


def _note(
    segment: SegmentInfo, checked: Checked, bad: Damage | None, expected: int, first: int, at_end: bool = False
) -> None:
    """What is bad before the frame with the sequence `first`, where `expected` should have come."""
    lost = (expected, first - 1) if first > expected else None
    if bad is None and lost is None:
        return
    place = bad or Damage(0, 0)
    if lost is None:
        what = "never acknowledged, read again from the log" if at_end else "damaged, no record lost"
    else:
        what = "damaged" if place.end > place.offset else "missing"
    checked.places.append(BadPlace(segment.path, place.offset, place.end, what, lost))


def _newest(segments: list[SegmentInfo]) -> tuple[State | None, Entry | None]:
    """The newest state frame, and the newest frame of records after it."""
    for segment in reversed(segments):
        state, entry = None, None
        with Opened(SYSTEM, segment.path) as file:
            for found in file.scan(0, segment.bytes):
                content = found.unpack(segment.path) if isinstance(found, Frame) else None
                state = content if isinstance(content, State) else state
                entry = content if isinstance(content, Entry) else entry
        if state is not None:
            return state, entry
    return None, None


def _cursors(folder: Path) -> bytes:
    try:
        return (folder / FILE).read_bytes()
    except FileNotFoundError:
        return b""
