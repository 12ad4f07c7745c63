"""System calls as a table, with a bar that grows while one is busy."""

from __future__ import annotations

from voltscope.cli.live_watching import NewestPicture
from voltscope.cli.terminal import NOTHING, Cell, Column, bar, brief, number, shown, table
from voltscope.live.views import Syscall, Syscalls

_BAR = 20
_COLUMNS = [
    Column("CALL"),
    Column("NOW", spare=6),
    Column("PER SECOND", True, 1),
    Column("COUNT", True),
    Column("ERRORS", True, 2),
]
# where the source times calls
_TIMES = [
    Column("IN ALL", True, 4),
    Column("EACH", True, 3),
    Column("SLOWEST", True, 5),
]


class SyscallsPicture(NewestPicture[Syscalls]):
    """The newest update, which counts since the session began."""

    def _drawn(self, now: Syscalls, columns: int | None, rows: int | None) -> list[str]:
        """All calls, or as many as there is room for."""
        rate = sum(call.recent for call in now.calls)
        errors = [call.errors for call in now.calls if call.errors is not None]
        failed = f", {number(sum(errors))} failed" if errors else ""
        head = (
            f"{number(sum(c.count for c in now.calls))} calls in {now.seconds:.0f} s{failed}; {number(rate)} a second"
        )
        if not now.calls:
            return [f"{head}. It asked nothing of the kernel."]
        room = None if rows is None else max(1, rows - 4)
        most = max(call.recent for call in now.calls)
        times = _TIMES if any(call.seconds is not None for call in now.calls) else []
        columns_of = [*_COLUMNS, *times]
        body = [_row(call, most)[: len(columns_of)] for call in now.calls]
        more = [f"… and {len(body) - room} more"] if room is not None and len(body) > room else []
        return [head, "", *table(columns_of, body[:room], columns), *more]


def _row(call: Syscall, most: float) -> list[Cell]:
    each = call.seconds / call.count if call.seconds is not None and call.count else None
    return [
        Cell(shown(call.name)),
        Cell(bar(call.recent / most if most else 0.0, _BAR), "green"),
        Cell(number(call.recent)),
        Cell(number(call.count)),
        Cell(NOTHING if call.errors is None else number(call.errors), "red" if call.errors else None),
        Cell(brief(call.seconds)),
        Cell(brief(each)),
        Cell(brief(call.slowest_s)),
    ]
