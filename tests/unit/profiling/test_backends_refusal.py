"""Who may look into whom: told beforehand, refused with the exact remedy, allowed by each of the documented ways."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from profilers import as_user, record
from servers.missing import without

from voltscope.errors import ProfilingRefused
from voltscope.profiling.backends.austin import Austin
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.backends.naming import clean, process_root, short
from voltscope.profiling.backends.perf import Perf
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.backends.refusal import may_attach, refused
from voltscope.profiling.backends.running import find_program

PROGRAM = Path("/opt/py-spy")
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def proc_of(folder: Path, scope: int | None, capabilities: int = 0, no_new_privileges: int = 0) -> Path:
    """A /proc of a machine with yama at that scope, where we have those capabilities."""
    (folder / "self").mkdir(parents=True)
    (folder / "self/status").write_text(f"CapEff:\t{capabilities:016x}\nNoNewPrivs:\t{no_new_privileges}\n")
    (folder / "7").mkdir()
    if scope is not None:
        (folder / "sys/kernel/yama").mkdir(parents=True)
        (folder / "sys/kernel/yama/ptrace_scope").write_text(f"{scope}\n")
    return folder


@pytest.mark.parametrize(
    ("scope", "capabilities", "may"),
    [
        (None, 0, True),
        (0, 0, True),
        (1, 0, False),
        (2, 0, False),
        (3, 0, False),
        (1, 1 << 19, True),
        (2, 1 << 19, True),
        (3, 1 << 19, False),  # nobody's, whatever they have
    ],
)
def test_it_is_told_beforehand_whether_we_may_attach(tmp_path, scope, capabilities, may):
    proc = proc_of(tmp_path, scope, capabilities)
    need = may_attach(PROGRAM, 7, proc=proc, uid=(proc / "7").stat().st_uid)
    assert need.met is may
    assert (need.remedy is None) is may


def test_scope_1_names_all_the_ways(tmp_path):
    proc = proc_of(tmp_path, 1)
    remedy = str(refused(7, PROGRAM, proc=proc, uid=(proc / "7").stat().st_uid).remedy)
    for way in ("ptrace_scope=0", "AmbientCapabilities=CAP_SYS_PTRACE", f"setcap cap_sys_ptrace=eip {PROGRAM}", "root"):
        assert way in remedy
    assert "prctl(PR_SET_PTRACER)" in remedy


def test_with_no_new_privs_a_files_capability_is_no_remedy(tmp_path):
    proc = proc_of(tmp_path, 1, no_new_privileges=1)
    remedy = str(refused(7, PROGRAM, proc=proc, uid=(proc / "7").stat().st_uid).remedy)
    assert "setcap" not in remedy
    assert "AmbientCapabilities=CAP_SYS_PTRACE" in remedy


@only_root
def test_another_group_bars_as_another_user_does(tmp_path):
    proc = proc_of(tmp_path, None)
    os.chown(proc / "7", 0, pwd.getpwnam("nobody").pw_gid)
    for need in (may_attach(PROGRAM, 7, proc=proc, uid=0), Perf(PROGRAM, proc=proc).needs(7)[1]):
        assert not need.met
        assert "give both the same group" in need.remedy


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that another user can read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def copied(name: str, folder: Path, capabilities: str | None = None) -> Path:
    found = find_program(name)
    if found is None:
        without(f"{name} is not installed")
    program = Path(shutil.copy(found.resolve(), folder / name))
    program.chmod(0o755)
    setcap = shutil.which("setcap", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if capabilities:
        if setcap is None or subprocess.run([setcap, capabilities, str(program)], check=False).returncode:
            pytest.skip("this file system or container gives files no capabilities")
        if as_user(pwd.getpwnam("nobody"), lambda: subprocess.run([program, "--version"], check=True)) is not None:
            pytest.skip("this container lets nobody have capabilities")
    return program


@only_root
@pytest.mark.parametrize(("backend", "kind"), [(PySpy, Kind.CPU), (Austin, Kind.WALL), (Perf, Kind.CPU)])
def test_another_users_process_is_refused_with_the_remedy(backend, kind, public, start, program):
    root = start(program.BUSY).pid
    profiler = copied(backend.name, public)
    error = as_user(pwd.getpwnam("nobody"), lambda: record(backend(profiler), root, kind))
    assert isinstance(error, ProfilingRefused)
    assert "belongs to user root, the profiler runs as nobody: run the profiler as root" in str(error)
    assert "setcap" in str(error)


@only_root
def test_of_its_own_user_nobody_needs_more_than_that(public):
    """perf sees less of the kernel then; the container or kernel.perf_event_paranoid may bar it altogether."""
    nobody = pwd.getpwnam("nobody")
    script = public / "busy.py"
    script.write_text("print('ready', flush=True)\nwhile True: pass")
    austin = copied("austin", public)
    command = [Path(sys.executable).resolve(), str(script)]
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd="/", **identity) as process:
        try:
            assert process.stdout.readline() == b"ready\n"

            def look() -> None:
                assert record(Austin(austin), process.pid, Kind.WALL).samples > 2
                perf = Perf()
                if perf.available() and perf.needs(process.pid)[1].met:
                    assert record(perf, process.pid, Kind.CPU).samples > 2

            error = as_user(nobody, look)
        finally:
            process.kill()
    assert error is None or "--cap-add PERFMON" in str(error)


@only_root
def test_the_capability_on_the_file_opens_another_users_process(public, start, program):
    """As it opens a sibling's where kernel.yama.ptrace_scope is 1: the kernel asks for the same capability."""
    root = start(program.BUSY).pid
    spy = copied("py-spy", public, "cap_sys_ptrace=eip")

    def look() -> None:
        backend = PySpy(spy)
        assert backend.needs(root)[1].met
        assert record(backend, root, Kind.CPU).samples > 10

    assert as_user(pwd.getpwnam("nobody"), look) is None


def test_a_process_is_named_without_its_command_line(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/comm").write_text("volttron\n")
    assert process_root(7, tmp_path) == "volttron 7"
    (tmp_path / "7/environ").write_bytes(b"A=1\0AGENT_VIP_IDENTITY=platform.historian\0AGENT_CREDENTIALS={secret}\0")
    assert process_root(7, tmp_path) == "platform.historian"
    (tmp_path / "7/environ").write_bytes(b"AGENT_VIP_IDENTITY=a;b\n 12\x1b\0")
    assert process_root(7, tmp_path) == "a?b? 12?"
    assert process_root(8, tmp_path) == "process 8"


def test_files_are_named_from_where_their_package_begins(tmp_path):
    (tmp_path / "lib/gevent").mkdir(parents=True)
    (tmp_path / "lib/gevent/__init__.py").touch()
    assert short(f"{tmp_path}/lib/gevent/hub.py") == "gevent/hub.py"
    assert short("/elsewhere/lib/gevent/hub.py") == "hub.py"
    assert short("<string>") == "<string>"
    assert clean("a;b\nc" + "x" * 1000)[:5] == "a?b?c"
