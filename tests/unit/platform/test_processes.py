"""Processes: exact numbers from a frozen /proc, and the real one."""

import os
import subprocess
import sys

import pytest

from voltscope.platform.home import instance_name, platform_pid
from voltscope.platform.processes import ProcessTable

STAT = (
    "4711 (py (th)on3) S 1 4711 4711 0 -1 4194560 8000 0 3 0 250 50 0 0 20 0 4 0 12345 200000000 15000 "
    "18446744073709551615 1 1 0 0 0 0 0 16781312 2 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


@pytest.fixture
def frozen(tmp_path):
    """A /proc with one process of known numbers."""
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1700000000\nprocesses 9\n")
    process = tmp_path / "4711"
    for name in ("fd", "task/4711", "task/4712"):
        (process / name).mkdir(parents=True)
    (process / "stat").write_text(STAT)
    (process / "status").write_text(
        "Name:\tpython3\nThreads:\t4\nvoluntary_ctxt_switches:\t100\nnonvoluntary_ctxt_switches:\t7\n"
    )
    (process / "io").write_text("rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\n")
    (process / "smaps_rollup").write_text("00-ff ---p 0 00:00 0 [rollup]\nRss: 60000 kB\nPss: 30000 kB\n")
    (process / "limits").write_text("Limit  Soft Limit  Hard Limit  Units\nMax open files   1024   4096   files\n")
    (process / "cmdline").write_bytes(b"python3\0-c\0x\xff\0")
    (process / "task/4711/children").write_text("4720 ")
    (process / "task/4712/children").write_text("4721 4722 ")
    (process / "fd/0").symlink_to("/dev/null")
    (process / "fd/5").symlink_to("/var/lib/vh/data.sqlite")
    (process / "fd/6").symlink_to("socket:[1]")
    return ProcessTable(root=tmp_path, ticks=100, page_size=4096)


def test_exact_numbers(frozen):
    process = frozen.read(4711)
    assert (process.comm, process.state, process.ppid, process.threads) == ("py (th)on3", "S", 1, 4)
    assert (process.user_seconds, process.system_seconds) == (2.5, 0.5)
    assert process.start_time == 1700000123.45
    assert process.resident_bytes == 15000 * 4096
    assert process.proportional_bytes == 30000 * 1024
    assert (process.open_fds, process.max_fds) == (3, 1024)
    assert (process.voluntary_switches, process.involuntary_switches) == (100, 7)
    assert (process.read_bytes, process.write_bytes) == (4096, 8192)
    assert process.children == 3
    assert frozen.open_files(4711) == ["/var/lib/vh/data.sqlite"]
    assert frozen.cmdline(4711) == ["python3", "-c", "x\N{REPLACEMENT CHARACTER}"]


def test_what_cannot_be_read_is_none_and_the_rest_flows(frozen):
    for name in ("io", "smaps_rollup", "limits", "status"):
        (frozen.root / "4711" / name).unlink()
    process = frozen.read(4711)
    assert process.user_seconds == 2.5
    assert [process.read_bytes, process.proportional_bytes, process.max_fds, process.voluntary_switches] == [None] * 4


def test_a_process_that_is_gone(frozen):
    assert frozen.read(1) is None
    assert frozen.started_at([1, 4711]) == {4711: 1700000123.45}
    assert (frozen.cmdline(1), frozen.open_files(1), frozen.children(1)) == ([], [], [])


def test_a_kernel_zombie_does_not_run(frozen):
    (frozen.root / "4711" / "stat").write_text(STAT.replace(") S ", ") Z "))
    assert frozen.started_at([4711]) == {}


def test_the_real_proc_agrees_with_what_we_know_of_ourselves():
    table = ProcessTable()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        me = table.read(os.getpid())
        assert me.ppid == os.getppid() and me.proportional_bytes > 1_000_000
        assert child.pid in table.children(os.getpid())
        assert table.started_at([child.pid])[child.pid] >= me.start_time
    finally:
        child.communicate(b"\n")


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("[volttron]\ninstance-name = campus-1\n", "campus-1"),
        ('[volttron]\ninstance-name = "quoted"\n', "quoted"),
        ("[volttron]\nmessage-bus = zmq\n", "home"),
        ("not an ini file", "home"),
        (None, "home"),
        ("[volttron]\ninstance-name = 100%\n", "100%"),
    ],
)
def test_instance_name(tmp_path, config, name):
    home = tmp_path / "home"
    home.mkdir()
    if config is not None:
        (home / "config").write_text(config)
    assert instance_name(home) == name


@pytest.mark.parametrize(("content", "pid"), [("4711", 4711), ("4711\n", 4711), ("x", None), (None, None)])
def test_platform_pid(tmp_path, content, pid):
    if content is not None:
        (tmp_path / "VOLTTRON_PID").write_text(content)
    assert platform_pid(tmp_path) == pid
