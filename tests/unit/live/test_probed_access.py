"""Whose processes the root helper watches for whom: real users, real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
from root_helper import GROUP, NOBODY, OTHER, RunningHelper, as_user, first, target, wait_for

from voltscope.errors import HelperAbsent, ProfilingRefused, TargetGone
from voltscope.live.bpftrace import Message
from voltscope.live.helper import Helper
from voltscope.probed.protocol import Hello

_READY = "print('ready', flush=True)\nimport time\nwhile True: time.sleep(0.01)\n"
_NOT_DUMPABLE = "import ctypes\nctypes.CDLL(None).prctl(4, 0)\n" + _READY  # PR_SET_DUMPABLE


def watched(running: RunningHelper, pid: int, program: str = "syscalls") -> Message:
    return first(Helper(running.path).run(program, pid, 20, every=0.1), "map")


def hello(running: RunningHelper, pid: int) -> Hello:
    return Helper(running.path).hello(pid)


def test_a_user_has_an_own_process_watched_and_a_line_tells_who_and_not_what_it_is(probed: RunningHelper) -> None:
    with target("# secret=abc\n" + _READY, uid=NOBODY, gid=GROUP) as pid:
        message = as_user(NOBODY, GROUP, partial(watched, probed, pid))
        assert set(message.data) == {"@calls"}
        (line,) = wait_for(lambda: [line for line in probed.lines if f"pid={pid} " in line], "the line of the request")
    for part in (f"uid={NOBODY} ", "program=syscalls ", "outcome=stopped "):
        assert part in line
    assert not any("secret" in line for line in probed.lines)


def test_root_has_any_process_watched_until_it_ends(probed: RunningHelper) -> None:
    with target(uid=NOBODY, gid=GROUP) as pid:
        feed = Helper(probed.path).run("syscalls", pid, 30, every=0.1)
        for batch in feed.batches():
            if any(message.kind == "map" for message in batch):
                os.kill(pid, signal.SIGKILL)
    assert feed.ended == "target-ended"


@pytest.mark.parametrize(("uid", "gid"), [(OTHER, GROUP), (0, 0), (NOBODY, 1)], ids=["other", "root", "other group"])
def test_what_is_not_the_users_is_refused(probed: RunningHelper, uid: int, gid: int) -> None:
    with target(_READY, uid=uid, gid=gid) as pid:
        for ask in (hello, watched):
            with pytest.raises(ProfilingRefused, match=r"another user|group"):
                as_user(NOBODY, GROUP, partial(ask, probed, pid))


def test_a_process_that_is_not_dumpable_is_refused(probed: RunningHelper) -> None:
    with target(_NOT_DUMPABLE, uid=NOBODY, gid=GROUP) as pid, pytest.raises(ProfilingRefused, match="not dumpable"):
        as_user(NOBODY, GROUP, partial(watched, probed, pid))


def test_a_setuid_process_is_refused(probed: RunningHelper) -> None:
    source = f"import os\nos.setresgid({GROUP}, {GROUP}, {GROUP})\nos.setresuid({NOBODY}, {NOBODY}, 0)\n{_READY}"
    with target(source) as pid, pytest.raises(ProfilingRefused, match="another user"):
        as_user(NOBODY, GROUP, partial(watched, probed, pid))


def test_a_process_with_capabilities_is_refused(probed: RunningHelper) -> None:
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    command = [setpriv, f"--reuid={NOBODY}", f"--regid={GROUP}", "--clear-groups"]
    command += ["--inh-caps=+net_raw", "--ambient-caps=+net_raw", "/usr/bin/python3", "-c", _READY]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(ProfilingRefused, match="capabilities"):
            as_user(NOBODY, GROUP, partial(watched, probed, process.pid))
    finally:
        process.kill()
        process.communicate()


def test_a_number_that_names_no_process_is_gone(probed: RunningHelper) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(TargetGone):
        watched(probed, ended.pid)


def test_the_number_of_a_thread_names_no_process(probed: RunningHelper) -> None:
    source = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n" + _READY
    with target(source) as pid:
        (thread,) = (int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid))
        with pytest.raises(TargetGone):
            watched(probed, thread)


def test_who_is_not_of_the_group_does_not_reach_the_socket(probed: RunningHelper) -> None:
    with pytest.raises(HelperAbsent, match="not for this user"):
        as_user(OTHER, 1, lambda: Helper(probed.path).hello())


def test_a_process_that_becomes_another_program_is_watched_no_more(probed: RunningHelper) -> None:
    source = "import os, sys\nprint('ready', flush=True)\nsys.stdin.readline()\nos.execv('/bin/sleep', ['sleep', '60'])"
    process = subprocess.Popen(["/usr/bin/python3", "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        feed = Helper(probed.path).run("syscalls", process.pid, 30, every=0.1)
        with pytest.raises(Exception, match="another program"):
            for batch in feed.batches():
                if any(message.kind == "attached_probes" for message in batch):
                    process.stdin.write(b"go\n")
                    process.stdin.flush()
    finally:
        process.kill()
        process.communicate()
