"""What the tests of all profilers share: a recording, another user, a full disk, a program that only pretends."""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voltscope.errors import VoltscopeError
from voltscope.profiling.backends.base import Backend, Kind, Recording, Sampling

# Allocates 20 MB in small pieces between sleeps of gevent's, and holds the last of them.
ALLOCATING = """
import gevent
def hoard():
    return [bytes(4096) for _ in range(500)]
def worker():
    held = []
    while True:
        held = (held + [hoard()])[-10:]
        gevent.sleep(0.02)
gevent.spawn(worker)
print("ready", flush=True)
gevent.wait()
"""

# A busy process with a busy child, whose command line holds a secret and looks like stacks; it ends with its parent.
CHILD = """x = 12
import select, sys; note = 's";token (a.py:1) 3'
while not select.select([sys.stdin], [], [], 0.0001)[0]: pass"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, "hunter2"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
print("ready", flush=True)
while True: pass
"""


def record(backend: Backend, pid: int, kind: Kind, seconds: int = 1, **choices: Any) -> Recording:
    """A recording at 100 Hz; `cancel` and `progress` are handed on, other choices are the sampling's."""
    cancel = choices.pop("cancel", None) or threading.Event()
    progress = choices.pop("progress", lambda share: None)
    return backend.record(Sampling(pid, seconds, 100, kind, **choices), cancel=cancel, progress=progress)


def program_of(folder: Path, name: str, script: str) -> Path:
    """A program in shell, in the place of a profiler."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def without_room(folder: Path, program: Path) -> Path:
    """The profiler on a full disk: every write to a file fails."""
    return program_of(folder, program.name, f"trap '' XFSZ; ulimit -f 0; exec {program} \"$@\"")


def as_user(user: Any, action: Callable[[], object]) -> VoltscopeError | None:
    """What `action` raised in a child process of that user; None when it came to its end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        raised: object = None
        try:
            os.setgroups([])
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
            os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
            tempfile.tempdir = None
            action()
        except VoltscopeError as error:
            raised = (type(error), error.message, error.remedy)
        except BaseException as error:
            raised = repr(error)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(raised, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pickle.load(pipe)  # noqa: S301 - from our own child
    os.waitpid(child, 0)
    if answer is None:
        return None
    if not isinstance(answer, tuple):
        raise AssertionError(answer)
    kind, message, remedy = answer
    return kind(message, remedy)
