"""Where the platform writes its log."""

from __future__ import annotations

import os
from pathlib import Path

from voltscope.platform.home import platform_pid


def platform_log(volttron_home: Path, proc: Path = Path("/proc")) -> Path | None:
    """The log of the running platform: the -l argument of its process, else a log it holds open for appending.

    None when no platform runs, or it writes to its terminal.
    """
    pid = platform_pid(volttron_home)
    if pid is None:
        return None
    process = proc / str(pid)
    try:
        arguments = [part.decode("utf-8", "replace") for part in (process / "cmdline").read_bytes().split(b"\0")]
        here = (process / "cwd").readlink()
    except OSError:
        return None
    for index, argument in enumerate(arguments):
        given = ""
        if argument in ("-l", "--log") and index + 1 < len(arguments):
            given = arguments[index + 1]
        elif argument.startswith("--log="):
            given = argument.removeprefix("--log=")
        elif argument.startswith("-l") and len(argument) > 2:
            given = argument[2:]
        if given and given != "-":
            return here / given
    return _open_log(process)


def _open_log(process: Path) -> Path | None:
    """A file that a logging configuration (-L) made the platform open."""
    try:
        entries = sorted((process / "fd").iterdir(), key=lambda entry: int(entry.name))
    except OSError:
        return None
    for entry in entries:
        try:
            target = entry.readlink()
            flags = (process / "fdinfo" / entry.name).read_text().split("flags:")[1].split()[0]
        except (OSError, IndexError):
            continue
        if int(flags, 8) & os.O_APPEND and ".log" in target.name and target.is_file():
            return target
    return None
