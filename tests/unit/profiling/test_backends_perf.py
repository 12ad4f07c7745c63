"""perf: its text folded whatever the symbols are called, and real processes measured where the kernel lets us."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from profilers import record
from servers.missing import without

from voltscope.errors import ProfilingRefused
from voltscope.profiling.backends.base import Kind, Recording
from voltscope.profiling.backends.perf import Folder, Perf

SCRIPT = b"""
    7/7
\tffffffff821e86a7 clear_page_erms ([kernel.kallsyms])
\t           98109 _int_malloc (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    7f0000000000 py::Hub.run:/venv/lib/python3.12/site-packages/gevent/hub.py (/tmp/perf-7.map)
\t               0 [unknown] ([unknown])

    7/9
\t             b46 operator()(int, char**) const (/opt/a (deleted))

python 7 [000] 1.5: PERF_RECORD_LOST lost 12
    8/8
\t             b46 other (/opt/b)
"""


def folded(text: bytes, pid: int | None = 7, root=lambda pid: f"agent{pid}") -> Folder:
    folder = Folder(pid, root)
    for at in range(0, len(text), 7):  # it comes in pieces
        folder.hear(text[at : at + 7])
    folder.end()
    return folder


def test_its_text_is_folded_from_the_outermost_frame_in():
    found = folded(SCRIPT)
    assert dict(found.stacks) == {
        ("[unknown] (unknown)", "Hub.run (hub.py)", "_int_malloc (libc.so.6)", "clear_page_erms (kernel)"): 1,
        ("operator()(int, char**) const (a deleted)",): 1,
    }
    assert (found.samples, found.lost) == (2, 12)


def test_with_children_each_process_has_its_root():
    assert ("agent8", "other (b)") in folded(SCRIPT, None).stacks


def test_hostile_symbols_and_mapped_names_stay_within_their_frame():
    text = (
        b"7/7\n\t b46 a;b\x1b[2J</text><script>alert(1)</script> (/tmp/perf-7.map)\n"
        b"\t b46 f (/tmp/x\n9/9\n\t 1 fake (/bin/y)\n\n"  # a mapped file's name with lines of its own
        b"\t 12 nobody's (/bin/z)\n"
        + b"7/7\n"
        + b"\t 1 f (/bin/z)\n" * 5000
        + b"\t 1 "
        + b"x" * 100000
        + b" (/bin/z)\n"
    )
    found = folded(text, None)
    frames = [frame for stack in found.stacks for frame in stack]
    assert all(frame.isprintable() and ";" not in frame and len(frame) < 1000 for frame in frames)
    assert max(len(stack) for stack in found.stacks) <= 513
    assert folded(bytes(range(256)) * 50).samples == 0


def test_a_busy_process_is_measured_or_refused_with_the_remedy(start, program):
    """In a container perf_event_open may be barred: then the refusal has to say what helps."""
    outcome = measured(start(program.BUSY).pid)
    if isinstance(outcome, ProfilingRefused):
        assert any(
            word in str(outcome) for word in ("perf_event_paranoid", "cap_perfmon", "--cap-add", "no performance")
        )
        return
    assert 2 <= outcome.samples <= 200  # of CPU time, which others take their share of
    assert any("python" in stack[-1] or "libc" in stack[-1] or "vdso" in stack[-1] for stack in outcome.stacks)


def test_native_unwinds_to_the_programs_start(start, program):
    outcome = measured(start(program.BUSY).pid, native=True)
    if isinstance(outcome, Recording):
        assert any("_PyEval_EvalFrameDefault" in frame for stack in outcome.stacks for frame in stack[-12:])
        assert max(len(stack) for stack in outcome.stacks) > 5


def measured(pid: int, **choices: bool) -> Recording | ProfilingRefused:
    perf = Perf()
    if not perf.available():
        without("perf is missing: install the package linux-perf")
    try:
        return record(perf, pid, Kind.CPU, **choices)
    except ProfilingRefused as refusal:
        return refusal


@pytest.mark.parametrize(
    ("paranoid", "capabilities", "may", "sees_kernel"),
    [
        ("-1", "0", True, True),
        ("1", "0", True, True),
        ("2", "0", True, False),
        ("3", "0", False, False),
        ("4", "0", False, False),
        (None, "0", False, False),
        ("4", f"{1 << 38:x}", True, True),
        ("4", f"{1 << 21:x}", True, True),
    ],
)
def test_what_the_kernel_allows_is_told_beforehand(tmp_path, paranoid, capabilities, may, sees_kernel):
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text(f"Name:\tx\nCapEff:\t{capabilities}\nNoNewPrivs:\t0\n")
    if paranoid:
        (tmp_path / "sys/kernel").mkdir(parents=True)
        (tmp_path / "sys/kernel/perf_event_paranoid").write_text(f"{paranoid}\n")
    _, measuring, kernel = Perf(Path("/usr/bin/perf"), proc=tmp_path).needs(None)
    assert (measuring.met, kernel.met) == (may, sees_kernel)
    if not may and paranoid:
        assert f"perf_event_paranoid is {paranoid}: `sudo sysctl kernel.perf_event_paranoid=2`" in measuring.remedy
        assert "setcap cap_perfmon,cap_sys_ptrace=ep" in measuring.remedy


def test_another_users_process_needs_the_capability(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "self").mkdir()
    os.chown(tmp_path / "7", 65534, -1) if os.geteuid() == 0 else pytest.skip("only root can give a folder away")
    (tmp_path / "self/status").write_text("CapEff:\t0\n")
    need = Perf(Path("/usr/bin/perf"), proc=tmp_path).needs(7)[1]
    assert not need.met
    assert "belongs to user nobody" in need.remedy


def test_a_cancel_keeps_nothing(start, program):
    cancel = threading.Event()
    perf = Perf()
    if not perf.available():
        without("perf is missing: install the package linux-perf")
    cancel.set()
    try:
        recording = record(perf, start(program.BUSY).pid, Kind.CPU, 30, cancel=cancel)
    except ProfilingRefused:
        return
    assert (recording.samples, recording.ending.value) == (0, "cancelled")
