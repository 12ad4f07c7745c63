"""docs/probed.md tells of every program and limit there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from voltscope.live.prices import price, timed_price
from voltscope.live.programs import LATENCY, SYSCALLS
from voltscope.live.source import Price
from voltscope.live.views import View
from voltscope.probed import limits
from voltscope.probed.programs import LISTED
from voltscope.probed.protocol import MOST_SECONDS, SOCKET

_DOCS = Path(__file__).resolve().parents[3] / "docs"
_TEXT = " ".join((_DOCS / "probed.md").read_text().split())


def test_every_program_is_told_with_its_cost_and_its_time() -> None:
    section = (_DOCS / "probed.md").read_text().partition("## The closed list")[2].partition("\n## ")[0]
    rows = [line.rstrip(" |") for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == len(LISTED)
    for each, row in zip(sorted(LISTED), sorted(rows), strict=True):
        program = LISTED[each]
        assert row.startswith(f"| `{each}` | ")
        assert row.endswith(f"{program.most_seconds:.0f} s")
        assert (f"×{program.slowdown:g}" if program.slowdown > 1 else "none that could be measured") in row


@pytest.mark.parametrize(("program", "price"), [(SYSCALLS, price), (LATENCY, timed_price)])
def test_what_the_live_view_says_of_the_cost_is_what_the_helper_says(
    program: str, price: Callable[[View, str], Price | None]
) -> None:
    told = price(View.SYSCALLS, "probed")
    assert told is not None
    assert told == price(View.SYSCALLS, "bpftrace")  # who is root runs the same
    assert told.slowdown == LISTED[program].slowdown


def test_the_limits_are_told() -> None:
    assert f"`seconds` is 0.1 to {MOST_SECONDS:.0f}" in _TEXT
    assert f"{limits.MOST_CONNECTIONS_EACH} connections and {limits.MOST_RUNS_EACH} programs at once" in _TEXT
    assert f"(all together {limits.MOST_CONNECTIONS} and {limits.MOST_RUNS})" in _TEXT
    assert f"{limits.BURST} requests at once and {limits.RATE:.0f} a second" in _TEXT
    assert str(SOCKET.name) in (_DOCS.parent / "deploy/systemd/voltscope-probed.socket").read_text()
