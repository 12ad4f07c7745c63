"""The small sister of bench/powercut: nothing is lost in any state a power cut leaves, and the harness would see it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))

from powercut_lib.drive import Tally, explore
from powercut_lib.mutants import caught, mutants, sites_of

# These take hundreds to thousands of states to be seen: bench/powercut sees them too.
_RARE = {
    "fsync in cursors.load", "fsync_dir in spool._drop_oldest", "pwrite in cursors.load", "pwrite in recovery._rewrite"
}  # fmt: skip


def test_s1_to_s31_hold_in_every_state_a_power_cut_leaves() -> None:
    tally = Tally()
    for seed in (1, 2, 3, 4):
        explore(seed, 20, 1, tally)
    assert tally.first == "" and set(tally.faults.values()) == {0}
    assert tally.states > 300 and tally.damaged > 300


def test_any_sync_or_checksum_left_out_is_seen() -> None:
    sites = sites_of(range(1, 6), 20)
    assert len(sites) >= 9
    unseen = [
        mutant.name
        for mutant in mutants(sites)
        if mutant.name not in _RARE and not caught(mutant, range(1, 12), 20, 2).first
    ]
    assert unseen == []
