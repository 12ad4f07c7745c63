"""Running the helper as a service: checked, cut off from its starter's environment, ended by a signal."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Collection
from pathlib import Path

import voltscope
from voltscope.probed import fitness, listening
from voltscope.probed.daemon import Daemon
from voltscope.probed.leftovers import sweep
from voltscope.probed.programs import offered


def serve(path: Path, group: str | None, only: Collection[str] = ()) -> None:
    """Serve at `path`, or the socket systemd gave, until SIGTERM or SIGINT. `only`: programs, all when empty.

    Raises HelperUnfit.
    """
    given = listening.given()
    # the children's too: nothing of whoever started us reaches a program that runs as root
    os.environ.clear()
    os.environ.update(PATH=fitness.SAFE_PATH, LC_ALL="C.UTF-8")
    os.chdir("/")
    binary = fitness.tracer()
    listener = given or listening.made(path, group)
    daemon = Daemon(listener, binary, offered(only), say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    _warn_of_foreign_code()
    for event in sweep():
        say(f"removed {event}, which a tracer that was killed left in the kernel")
    say(f"serving at {listener.getsockname()} with {binary}")
    try:
        daemon.serve()
    finally:
        listener.close()
        if given is None:
            path.unlink(missing_ok=True)


def say(line: str) -> None:
    """One line to standard error, where the journal reads it."""
    print(f"voltscope probed: {line}", file=sys.stderr, flush=True)


def _warn_of_foreign_code() -> None:
    """Who can write what root runs, is root."""
    folder = Path(voltscope.__file__).parent
    for place in (folder, *folder.parents):
        found = place.stat()
        if found.st_uid != 0 or (found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX):
            say(f"warning: {place} is not root's alone: whoever may write there can become root through this helper")
            return
