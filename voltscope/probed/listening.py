"""The helper's socket: given by systemd, or made where only root and one group reach it."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from pathlib import Path

from voltscope.errors import HelperUnfit

_FIRST_FD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
_BACKLOG = 16
_COMPARE = "Compare deploy/systemd/voltscope-probed.socket."


def given() -> socket.socket | None:
    """The socket systemd listens on for us (sd_listen_fds(3)); None when there is none.

    Raises HelperUnfit when what was given is no listening Unix stream socket, or more than one.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    try:
        listener = socket.socket(fileno=_FIRST_FD)
        listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise HelperUnfit(f"what systemd gave is no socket: {error.strerror}.", _COMPARE) from error
    kind = (os.environ.get("LISTEN_FDS"), listener.family, listener.type)
    if not listens or kind != ("1", socket.AF_UNIX, socket.SOCK_STREAM):
        raise HelperUnfit("systemd gave no single listening Unix stream socket.", _COMPARE)
    listener.set_inheritable(False)
    listener.setblocking(True)
    return listener


def made(path: Path, group: str | None) -> socket.socket:
    """A socket at `path`, of root and `group` (root's where None), mode 0660. One left behind there is replaced.

    Raises HelperUnfit when another helper answers there, the group is unknown, or others may write to the folder.
    """
    try:
        gid = grp.getgrnam(group).gr_gid if group is not None else 0
    except KeyError as error:
        raise HelperUnfit(f"there is no group {group!r}.", f"Run: groupadd --system {group}") from error
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = path.parent.stat()
        if folder.st_uid != 0 or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise HelperUnfit(
                f"{path.parent} is not root's alone: somebody else could put a socket of their own there.",
                f"Run: chown root {path.parent} && chmod go-w {path.parent}; or name another folder with --socket.",
            )
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # root alone until the group is set
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        os.chown(path, 0, gid)
        path.chmod(0o660)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise HelperUnfit(
            f"the helper cannot listen at {path}: {error}.", "Name another place with --socket."
        ) from error
    return listener


def _clear(path: Path) -> None:
    """Remove a socket nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise HelperUnfit(f"{path} is there, and is no socket.", "Name another place with --socket.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(str(path))
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise
            path.unlink()
            return
    raise HelperUnfit(f"another helper answers at {path}.", "One is enough for a machine.")
