"""The source behind a place: of files that a session has shown, and of no others."""

from __future__ import annotations

import io
import os
import re
import stat
import tokenize
from pathlib import Path
from typing import Any

from voltscope.errors import BadRequest, CodeNotShown, CodeUnreadable
from voltscope.live.session import Session

AROUND, MOST_BYTES = 200, 2_000_000
_LINE_END = re.compile(r"\r\n|\r|\n")


def code(session: Session, file: object, line: object) -> dict[str, Any]:
    """At most 400 lines of `file` around `line`.

    Raises BadRequest, CodeNotShown for a file that is none of the session's, CodeUnreadable.
    """
    if not isinstance(file, str) or not file:
        raise BadRequest("parameter file is missing.", "Name a file that the session has shown.")
    number = _number(line)
    if not session.has_shown(file):
        raise CodeNotShown("the session has shown nothing of that file.", "Choose a place that it shows.")
    lines = _LINE_END.split(_text(file, session.target.pid))
    first = max(1, min(number, len(lines)) - AROUND)
    return {"file": file, "first": first, "lines": lines[first - 1 : first - 1 + 2 * AROUND], "line": number}


def _number(line: object) -> int:
    text = "1" if line is None else str(line)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest(f"line: found {text[:40]!r}; allowed: a line's number.")
    return int(text)


def _text(file: str, pid: int) -> str:
    """The file's text. The name is the target's word: what it names must be source that the target itself may read."""
    try:
        path = os.path.realpath(file, strict=True)
        if not (file.endswith(".py") and path.endswith(".py") and Path(file).is_absolute()):
            raise CodeUnreadable(f"{file} is no Python source.")
        # not waited for: it may have become a pipe; not followed: or a link
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as source:  # noqa: PTH123 - a descriptor
            found = os.fstat(source.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size >= MOST_BYTES:
                raise CodeUnreadable(f"{file} is no regular file of less than {MOST_BYTES} bytes.")
            # where it lies by the kernel's word: a folder on the way may have become a link meanwhile
            place = Path(f"/proc/self/fd/{source.fileno()}").readlink()
            if not (_may_read(found, pid) and all(_may_enter(folder.stat(), pid) for folder in place.parents)):
                raise CodeUnreadable(f"{file} is not for the user whose agent this is.")
            content = source.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise CodeUnreadable(f"{file} cannot be read here: {words}.", "It may be on another machine.") from error
    return _decoded(content)


def _may_read(found: os.stat_result, pid: int) -> bool:
    """Whether the process's own user may: a root engine shows no more than the agent could."""
    return _may(found, pid, stat.S_IROTH, stat.S_IRGRP)


def _may_enter(folder: os.stat_result, pid: int) -> bool:
    """The same of a folder on the way to it."""
    return _may(folder, pid, stat.S_IXOTH, stat.S_IXGRP)


def _may(found: os.stat_result, pid: int, others: int, group: int) -> bool:
    if found.st_mode & others or os.geteuid() != 0:  # the kernel has judged for us who are not root
        return True
    try:
        owner = Path("/proc", str(pid)).stat()
    except OSError:  # it has ended
        return False
    if owner.st_uid in (0, found.st_uid):
        return True
    return bool(found.st_mode & group) and owner.st_gid == found.st_gid


def _decoded(content: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    except SyntaxError:
        encoding = "utf-8"
    return content.decode(encoding, errors="replace").removeprefix("\ufeff")
