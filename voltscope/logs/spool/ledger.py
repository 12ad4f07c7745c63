"""What the spool remembers besides records: positions, pids, generations, and what retention dropped."""

from __future__ import annotations

from voltscope.logs.spool.format import SCHEMA, Dropped, Entry, Pid, Position, State

# Bounds for what is carried into every new segment. A platform has one log; its rotated siblings are a few.
_POSITIONS, _PIDS, _GENERATIONS = 256, 2000, 1000


class Ledger:
    """Made from a segment's first frame, kept up by every frame after it."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.pids: list[Pid] = []
        self.generations: dict[str, None] = {}
        self.dropped = Dropped()
        self.newest: int | None = None  # when the last records were read, milliseconds since the epoch

    def restore(self, state: State) -> None:
        """All of it, as it was when that segment began."""
        self.positions = {position.path: position for position in state.positions}
        self.pids = list(state.pids)
        self.generations = dict.fromkeys(state.generations)
        self.dropped, self.newest = state.dropped, state.newest

    def apply(self, entry: Entry) -> None:
        """What came with a frame of records."""
        _newest(self.positions, entry.position.path, entry.position, _POSITIONS)
        _newest(self.generations, entry.source.generation, None, _GENERATIONS)
        self.pids.extend(entry.learned)
        if len(self.pids) > _PIDS:
            del self.pids[: -_PIDS // 2]
        if entry.dropped.records > self.dropped.records:
            self.dropped = entry.dropped
        if entry.records:
            self.newest = entry.created

    def state(self, spool: str, began: int) -> State:
        """For a segment that begins now; `began`: milliseconds since the epoch."""
        positions, generations = list(self.positions.values()), list(self.generations)
        return State(SCHEMA, spool, began, self.newest, self.dropped, positions, self.pids, generations)


def _newest(kept: dict[str, Position] | dict[str, None], key: str, value: object, most: int) -> None:
    """Put it last, and let go of the first when there are too many."""
    kept.pop(key, None)
    kept[key] = value  # type: ignore[assignment]
    if len(kept) > most:
        del kept[next(iter(kept))]
