"""The root helper as a service: its socket, what it wants of a machine, and how it is ended."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from root_helper import GROUP, NOBODY, PATIENCE_S, RunningHelper, as_user, ended, target, wait_for

from voltscope.errors import HelperAbsent, HelperUnfit
from voltscope.live.helper import Helper
from voltscope.probed import fitness, leftovers, listening, privileges
from voltscope.probed.programs import LISTED, offered

UNIT = Path(__file__).resolve().parents[3] / "deploy" / "systemd" / "voltscope-probed.service"
# what systemd does between fork and exec (sd_listen_fds(3))
_AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_the_socket_is_for_root_and_one_group(probed: RunningHelper) -> None:
    found = probed.path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o660, 0, GROUP)


def test_one_helper_at_a_place_and_one_that_died_makes_room(probed: RunningHelper, tmp_path: Path) -> None:
    with pytest.raises(HelperUnfit, match="another helper answers"):
        listening.made(probed.path, None)
    place = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place))
    with listening.made(place, None) as listener:
        assert listener.getsockname() == str(place)
        assert stat.S_IMODE(place.stat().st_mode) == 0o660
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(HelperUnfit, match="no socket"):
        listening.made(file, None)


def test_a_folder_that_others_may_write_to_is_no_place(kernel_probes: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(HelperUnfit, match="not root's alone"):
        listening.made(tmp_path / "probed.sock", None)


def test_an_unknown_group_is_told(tmp_path: Path) -> None:
    with pytest.raises(HelperUnfit, match="groupadd"):
        listening.made(tmp_path / "probed.sock", "no-such-group")


def test_only_root_can_be_it(kernel_probes: Path) -> None:
    with pytest.raises(HelperUnfit, match="root only"):
        as_user(NOBODY, GROUP, fitness.tracer)


def test_what_is_missing_is_told(kernel_probes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "TRACEFS", (tmp_path,))
    with pytest.raises(HelperUnfit, match="mount -t tracefs"):
        fitness.tracer()
    monkeypatch.setattr(fitness, "SAFE_PATH", str(tmp_path))
    with pytest.raises(HelperUnfit, match="apt-get install bpftrace"):
        fitness.tracer()
    monkeypatch.setattr(fitness, "_FIRST", Path("pid:[1]"))
    with pytest.raises(HelperUnfit, match="PID namespace"):
        fitness.tracer()
    refusing = tmp_path / "bpftrace"
    refusing.write_text("#!/bin/sh\necho 'ERROR: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.undo()
    monkeypatch.setattr(fitness, "SAFE_PATH", str(tmp_path))
    with pytest.raises(HelperUnfit, match="Operation not permitted"):
        fitness.tracer()


def test_it_serves_a_socket_of_systemds_with_the_units_privileges_and_a_signal_ends_all(
    usdt_python: Path, open_folder: Path
) -> None:
    place = open_folder / "given.sock"
    allowed = next(line for line in UNIT.read_text().splitlines() if line.startswith("CapabilityBoundingSet="))
    bounding = allowed.partition("=")[2].lower().replace("cap_", "+").split()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        setpriv = ["/usr/bin/setpriv", "--no-new-privs", "--bounding-set", ",".join(["-all", *bounding])]
        program = [*setpriv, sys.executable, "-m", "voltscope.cli", "probed", "--socket", "/proc/no/such/place"]
        command = [sys.executable, "-c", _AS_SYSTEMD, str(listener.fileno()), *program]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.PIPE, text=True)
    helper = RunningHelper(process, place, [])
    try:
        with target(uid=NOBODY, gid=GROUP, program=str(usdt_python)) as pid:
            # queued by the kernel until it is ready to serve
            feed = Helper(place).run("flow", pid, 60)
            batches = feed.batches()
            next(batch for batch in batches if any(message.kind == "printf" for message in batch))
            (tracer,) = helper.tracers()
            # nothing of whoever started it reaches the tracer
            environment = Path(f"/proc/{tracer}/environ").read_bytes().split(b"\0")
            names = {entry.partition(b"=")[0] for entry in environment if entry}
            assert names == {b"PATH", b"LC_ALL", b"BPFTRACE_STRLEN", b"BPFTRACE_PERF_RB_PAGES"}
            assert os.readlink(f"/proc/{tracer}/cwd") == "/"  # noqa: PTH115
            status = Path(f"/proc/{tracer}/status").read_text()
            assert f"CapEff:\t{1 << 21 | 1 << 19 | 1 << 14:016x}\n" in status  # SYS_ADMIN, SYS_PTRACE, IPC_LOCK
            assert "NoNewPrivs:\t1\n" in status
            process.send_signal(signal.SIGTERM)
            with pytest.raises(HelperAbsent, match="stopped"):
                list(batches)
            assert feed.ended == "shut-down"
            wait_for(lambda: ended(tracer), "the tracer's end")
            assert process.wait(PATIENCE_S) == 0
        assert place.exists()  # systemd's, and kept for the next start
    finally:
        process.kill()
        process.communicate()


def test_what_a_killed_tracer_left_defined_is_removed(kernel_probes: Path, usdt_python: Path) -> None:
    ended_one = subprocess.Popen(["true"])
    ended_one.wait()
    names = [f"uprobes/p_test_bcc_{pid}" for pid in (ended_one.pid, os.getpid())]
    definitions = os.open("/sys/kernel/tracing/uprobe_events", os.O_WRONLY | os.O_APPEND)
    try:
        for name in names:
            os.write(definitions, f"p:{name} {usdt_python}:0x1000\n".encode())
        removed = leftovers.sweep()
        os.write(definitions, f"-:{names[1]}\n".encode())
    finally:
        os.close(definitions)
    assert names[0] in removed
    assert names[1] not in removed


def test_a_program_whose_privileges_are_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = 1 << 38 | 1 << 39
    monkeypatch.setattr(privileges, "_effective", lambda: counting)
    reasons = {name: each.unavailable(None) for name, each in LISTED.items()}
    assert reasons["syscalls"] is None
    assert "without CAP_SYS_ADMIN and CAP_SYS_PTRACE" in str(reasons["flow"])
    assert privileges.shed(privileges.COUNTING)[-1] == "-all"  # it may not take away what it has
    monkeypatch.setattr(privileges, "_effective", lambda: 1 << 21 | 1 << 8)
    assert privileges.missing(privileges.COUNTING) is None
    assert privileges.shed(privileges.COUNTING)[-1] == "-all,+bpf,+perfmon,+ipc_lock"


def test_an_administrator_can_offer_fewer_programs() -> None:
    assert list(offered(["syscalls"])) == ["syscalls"]
    assert offered([]) == LISTED


def test_the_command_says_what_is_wrong(probed: RunningHelper) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voltscope.cli", "probed", "--socket", str(probed.path)],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 4
    assert done.stderr.startswith("Error: another helper answers at")
