"""Whose process may be watched by whom: the rules of ptrace(2), "access mode checking", for somebody else."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from voltscope.errors import ProfilingRefused, TargetGone

_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


@dataclass(frozen=True)
class Caller:
    """Who asks, as the kernel says: the effective user and group that the connection was made with."""

    pid: int
    uid: int
    gid: int

    @classmethod
    def of(cls, connection: socket.socket) -> Caller:
        """The peer of a connected Unix socket (SO_PEERCRED)."""
        return cls(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


class Subject:
    """One process, held: `folder` is a descriptor of its /proc directory, `pidfd` one of itself.

    Both stay with this process when its number is given to another: reads then fail, and the pidfd is readable.
    """

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        """Raises TargetGone when there is no such process."""
        self.pid = pid
        self._held = ExitStack()
        try:
            self.folder = os.open(proc / str(pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._held.callback(os.close, self.folder)
            self.pidfd = os.pidfd_open(pid)
            self._held.callback(os.close, self.pidfd)
            # Alive after the pidfd was opened: the number was its own then, and both are of one process.
            self._status = self._read_status()
        except BaseException as error:
            self._held.close()
            # EINVAL: the number of a thread, and not of a process
            if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ESRCH, errno.EINVAL, errno.ENOTDIR):
                raise _gone(pid) from error
            raise

    def close(self) -> None:
        """Let go of the process."""
        self._held.close()

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ended(self) -> bool:
        """Whether it is gone by now."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def vet(self, caller: Caller) -> None:
        """Look at it anew, and raise ProfilingRefused unless `caller` could look into it itself, TargetGone when it
        is gone. Root may look into every process that is one.
        """
        try:
            self._status = self._read_status()
            shown_to = os.stat("status", dir_fd=self.folder).st_uid
            foreign = caller.uid != 0 and not self._in_our_user_namespace()
        except OSError as error:
            raise _gone(self.pid) from error
        if self._status.get("State", "?")[0] in "ZX" or self.ended():
            raise _gone(self.pid)
        if caller.uid == 0:
            return
        reason = self._barred(caller, shown_to, foreign)
        if reason is not None:
            raise ProfilingRefused(
                f"the helper does not watch process {self.pid} for user {caller.uid}: {reason}.",
                "It watches processes of the asking user alone; root may have any watched.",
            )

    def _barred(self, caller: Caller, shown_to: int, foreign: bool) -> str | None:
        uids, gids = self._numbers("Uid"), self._numbers("Gid")
        if set(uids) != {caller.uid}:
            return "it belongs to another user"
        if set(gids) != {caller.gid}:
            return f"it does not run with the asking user's group {caller.gid}"
        if shown_to != caller.uid:
            # the kernel gives the files in /proc/PID of a process that is not dumpable to root (proc(5))
            return "it is not dumpable: it changed its user or its program may not be read (prctl(2), PR_SET_DUMPABLE)"
        if int(self._status.get("CapPrm", "0"), 16):
            return "it has capabilities"
        if foreign:
            return "it lives in another user namespace"
        return None

    def _in_our_user_namespace(self) -> bool:
        theirs, ours = os.stat("ns/user", dir_fd=self.folder), Path("/proc/self/ns/user").stat()
        return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)

    def _numbers(self, key: str) -> list[int]:
        return [int(word) for word in self._status.get(key, "").split()]

    def _read_status(self) -> dict[str, str]:
        lines = self._read("status").decode(errors="replace").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def _read(self, name: str) -> bytes:
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.folder), "rb") as file:
            return file.read()

    def incarnation(self) -> tuple[object, ...]:
        """What is another after each execve(2): the program's file, and where the kernel laid out its memory.

        Raises TargetGone.
        """
        try:
            program = os.stat("exe", dir_fd=self.folder)
            fields = self._read("stat").rpartition(b")")[2].split()
        except OSError as error:
            raise _gone(self.pid) from error
        # start_code, start_stack, arg_start and env_start of proc(5), counted from the state, its third field
        return program.st_dev, program.st_ino, *(fields[at - 3] for at in (26, 28, 48, 50))


def _gone(pid: int) -> TargetGone:
    return TargetGone(f"there is no process {pid}.", "The agent ended: look at its state and its log.")
