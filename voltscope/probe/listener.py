"""The probe's socket: where it is, who may ask, how many at once, and what a forked child keeps of it."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # typeshed does not know it
import _socket
import os
import posix  # for `close`: that of `os` is gevent's, and waits for the hub of its thread
import sys
from typing import Any

from voltscope.probe import start
from voltscope.probe.quiet import SLICE, abandon

# Four live sessions, and room for those who count and dump.
MOST_AT_ONCE = 8
_SEND_BYTES = 1 << 20
_ERROR_PAUSE_S, _REFUSAL_S = 1.0, 0.2


class Listener:
    """Serves the probe of this process below `home`, each connection in a native thread of its own."""

    def __init__(self, home: str, identity: str) -> None:
        self._home, self.identity = home, identity
        self._lock = start.allocate_lock()
        self._open: set[int] = set()
        self._listening = -1

    def run(self) -> None:
        """Listen until the process ends. Raises OSError when there is no listening in that folder."""
        with SLICE:
            self._listen()

    def _listen(self) -> None:
        folder = _folder(self._home)
        try:
            _sweep(folder)
            listening = _listen(folder)
        finally:
            posix.close(folder)
        self._listening = listening.fileno()
        os.register_at_fork(after_in_child=self._forked)
        accept: Any = listening._accept  # type: ignore[attr-defined]  # what socket.accept is made of
        while True:
            try:
                descriptor, _ = SLICE.away(accept)
            except OSError:
                if self._listening < 0:
                    return
                SLICE.away(start.sleep, _ERROR_PAUSE_S)  # out of descriptors, for one: it may pass
                continue
            self._admit(descriptor)

    def _admit(self, descriptor: int) -> None:
        """Serve that connection, if who asks may, and there is room."""
        connection = _socket.socket(fileno=descriptor)
        try:
            pid, uid = _peer(connection)
            # as much as the system allows: each time it is full we have to wait for the interpreter again
            connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, _SEND_BYTES)
            if uid not in (0, os.geteuid()):
                connection.close()
                return
            with self._lock:
                room = len(self._open) < MOST_AT_ONCE
                if room:
                    self._open.add(descriptor)
            if not room:
                _refuse(connection)
                return
        except OSError:
            connection.close()
            return
        try:
            # Here, in one thread, and not before somebody asks: an agent nobody asks shall not pay for it.
            from voltscope.probe.conversation import Conversation

            SLICE.thread(self._serve, Conversation(connection, pid, self.identity), connection, descriptor)
        except Exception:  # no thread can be started, or voltscope is no longer where it was
            self._close(connection, descriptor)

    def _serve(self, conversation: Any, connection: _socket.socket, descriptor: int) -> None:
        try:
            _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
            conversation.hold()
        except BaseException:  # a thread without anybody above it; the next connection gets a new one
            return
        finally:
            self._close(connection, descriptor)

    def _close(self, connection: _socket.socket, descriptor: int) -> None:
        with self._lock:
            self._open.discard(descriptor)
        connection.close()

    def _forked(self) -> None:
        """In the child: nothing of ours may be heard, seen or held there."""
        for descriptor in (self._listening, *self._open):
            if descriptor >= 0:
                posix.close(descriptor)
        self._listening = -1
        self._open.clear()
        abandon()


def _folder(home: str) -> int:
    """A descriptor of the folder of sockets, made if need be. Raises OSError when it is not ours alone."""
    path = home + "/voltscope"
    for made in (path, path + "/probe"):
        try:
            os.mkdir(made, 0o700)  # noqa: PTH102 - pathlib is slow to load, and an agent may never need it
        except FileExistsError:
            continue
    folder = os.open(path + "/probe", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(folder)
        if status.st_uid != os.geteuid():
            raise PermissionError("the folder of sockets is another user's")
        if status.st_mode & 0o077:
            os.fchmod(folder, 0o700)
    except OSError:
        posix.close(folder)
        raise
    return folder


def _sweep(folder: int) -> None:
    """Remove the sockets of processes that have ended: nobody removes them when an agent is killed."""
    for name in os.listdir(folder):
        pid, _, ending = name.partition(".")
        if ending in ("sock", "new") and pid.isascii() and pid.isdigit() and not _runs(int(pid)):
            try:
                os.unlink(name, dir_fd=folder)
            except OSError:
                continue  # another agent that starts has just swept it


def _runs(pid: int) -> bool:
    if pid == os.getpid():
        return False  # an earlier process of our number
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _listen(folder: int) -> _socket.socket:
    listening = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        listening.settimeout(None)  # whatever the agent's socket.setdefaulttimeout
        # The socket's file gets the mode of the socket: there is no moment in which others could connect.
        os.fchmod(listening.fileno(), 0o600)
        # Paths of sockets end at 107 bytes, and VOLTTRON_HOME may be longer.
        listening.bind(f"/proc/self/fd/{folder}/{os.getpid()}.new")
        listening.listen(MOST_AT_ONCE)
        # There from the moment on in which one can connect.
        os.rename(f"{os.getpid()}.new", f"{os.getpid()}.sock", src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        listening.close()
        raise
    return listening


def _peer(connection: _socket.socket) -> tuple[int, int]:
    """Process and user at the other end: the first two of `struct ucred`."""
    raw = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return int.from_bytes(raw[:4], sys.byteorder), int.from_bytes(raw[4:8], sys.byteorder)


def _refuse(connection: _socket.socket) -> None:
    text = b'{"error": {"code": "busy", "message": "%d connections are open, as many as may be."}}' % MOST_AT_ONCE
    try:
        connection.settimeout(_REFUSAL_S)
        connection.send(len(text).to_bytes(4, "big") + text, _socket.MSG_NOSIGNAL)
        SLICE.away(connection.recv, 1 << 16)  # its question: hung up on, it could not read the answer
    finally:
        connection.close()
