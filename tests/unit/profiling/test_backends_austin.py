"""austin: its text turned into samples and bytes, and real processes sampled without being paused."""

from __future__ import annotations

import pytest
from profilers import PARENT, program_of, record
from servers.missing import without

from voltscope.errors import BackendFailed
from voltscope.profiling.backends.austin import Austin, read
from voltscope.profiling.backends.base import Ending, Kind
from voltscope.profiling.backends.naming import process_root
from voltscope.profiling.stacks import total_shares

WALL = """# austin: 3.7.0
# interval: 10000
# mode: wall

P7;T0:7;/opt/a.py:<module>:11;/opt/a.py:seventy:7 10012
P7;T0:8;/usr/lib/python3.11/site-packages/gevent/hub.py:Hub.run:647 10012
P7;T0:7;/opt/a.py:<module>:11;/opt/a.py:thirty:8 30020
P7;T0:8 30020
P7;T0:7;:INVALID: 10001
P7;T0:7;/opt/a.py:a
name;of:two lines:8 10020

# duration: 60065
"""


@pytest.fixture
def austin() -> Austin:
    found = Austin()
    if not found.available():
        without("austin is missing, or does not run here: the extra profilers has it")
    return found


def test_its_text_is_read_line_by_line_and_late_rounds_are_missed():
    seen = read(WALL.splitlines(keepends=True), 10_000, Kind.WALL, children=False)
    assert seen.stacks == {
        ("<module> (a.py:11)", "seventy (a.py:7)"): 1,
        ("Hub.run (hub.py:647)",): 1,
        ("<module> (a.py:11)", "thirty (a.py:8)"): 1,
        ("[no Python frames]",): 1,
        ("/opt/a.py:a?name", "two lines (of:8)"): 1,
    }
    assert (seen.samples, seen.missed, seen.whole) == (5, 3, True)  # two rounds of 30 ms left out, one stack invalid


def test_memory_counts_the_bytes_of_growth_and_leaves_shrinking_out():
    text = (
        "P7;T0:7;/opt/a.py:grow:3 4096\nP7;T0:7;/opt/a.py:shrink:4 -4096\nP7;T0:7;/opt/a.py:grow:3 100\n# duration: 9\n"
    )
    seen = read(text.splitlines(keepends=True), 10_000, Kind.MEMORY, children=False)
    assert (seen.stacks, seen.samples, seen.missed) == ({("grow (a.py:3)",): 4196}, 2, 0)


def test_hostile_names_stay_within_their_frame():
    text = "P7;T0:7;/opt/a.py:\x1b[31m</text><script>:3 10000\nP9;T;;; 1\nP7;T0:7;" + "x" * 5000 + ":f:1 10000\n"
    seen = read(text.splitlines(keepends=True), 10_000, Kind.WALL, children=False)
    assert all(len(frame) < 1000 and frame.isprintable() for stack in seen.stacks for frame in stack)


def test_a_busy_process_is_seen_with_its_shares(austin, start, program):
    recording = record(austin, start(program.BUSY).pid, Kind.WALL, seconds=2)
    shares = {name.split(" ")[0]: share.share for name, share in total_shares(recording.stacks)}
    assert shares["seventy"] == pytest.approx(0.70, abs=0.25)
    assert shares["seventy"] + shares["thirty"] > 0.9
    assert recording.ending is Ending.COMPLETE
    # what was not taken is told: together they are the rounds there should have been, or more of a busy machine
    assert 140 <= recording.samples + recording.missed < 1000


def test_only_what_runs_is_seen_of_kind_cpu(austin, start, program):
    idle = start(program.IDLE).pid
    assert any(record(austin, idle, Kind.CPU).samples <= 15 for _ in range(5))
    assert record(austin, start(program.BUSY).pid, Kind.CPU).samples >= 5


def test_memory_is_counted_where_it_grows(austin, start):
    growing = start("held = []\nprint('ready', flush=True)\nwhile True: held.append(bytearray(20000))\n")
    recording = record(austin, growing.pid, Kind.MEMORY)
    assert sum(recording.stacks.values()) > 1_000_000
    assert recording.samples < 1000 < sum(recording.stacks.values())


def test_children_have_a_root_each_without_their_command_line(austin, start):
    parent = start(PARENT)
    recording = record(austin, parent.pid, Kind.WALL, children=True)
    roots = {stack[0] for stack in recording.stacks}
    assert process_root(parent.pid) in roots
    assert len(roots) == 2
    assert "hunter2" not in str(recording.stacks)


def test_a_build_that_does_not_start_here_is_not_available(tmp_path, start, program):
    """austin-dist 4.0.0 on Debian 12: it wants a newer glibc."""
    broken = Austin(program_of(tmp_path, "austin", "echo 'version GLIBC_2.38 not found' >&2; exit 1"))
    assert not broken.available()
    assert "austin-dist>=3.7,<4" in str(broken.needs()[0].remedy)
    with pytest.raises(BackendFailed, match="does not run on this machine"):
        record(broken, start(program.IDLE).pid, Kind.WALL)
