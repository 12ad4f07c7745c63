"""One program on one process for one client: run, watched, bounded, and gone with any of the three."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from voltscope.errors import ProfilingRefused, TargetGone
from voltscope.live.bpftrace import Message, Program
from voltscope.probed.identity import Caller, Subject
from voltscope.probed.leftovers import sweep
from voltscope.probed.protocol import MOST_ANSWER_BYTES, send
from voltscope.probed.tracer import Tracer

# Beyond the program's own end and the runner's: a tracer that heeds neither.
_GRACE_S = 5.0
_ATTACH_S = 60.0
# Of one run: what a client that reads as fast as it can may be sent. JSON of a flow is some 60 bytes an event.
MOST_BYTES_A_SECOND = 8_000_000
_MOST_MESSAGE = MOST_ANSWER_BYTES // 4

TIME, STOPPED, GONE, TARGET_ENDED, SHUT_DOWN = "time", "stopped", "gone", "target-ended", "shut-down"


class Relay:
    """`sent` and `dropped` count messages."""

    def __init__(self, connection: socket.socket, caller: Caller, subject: Subject, over: threading.Event) -> None:
        """`over`: the helper itself is to end."""
        self._connection, self._caller, self._subject, self._over = connection, caller, subject, over
        self._incarnation = subject.incarnation()
        self.sent = self.dropped = 0
        self._lost_told = 0
        self._room, self._filled_at = float(MOST_BYTES_A_SECOND), time.monotonic()

    def run(self, program: Program, seconds: float, binary: Path, through: Sequence[str]) -> str:
        """Run it to an end, and say which: TIME, STOPPED, GONE (the client), TARGET_ENDED or SHUT_DOWN.

        `through`: the command that runs it, which ends it when this thread does (PR_SET_PDEATHSIG). Raises
        VoltscopeError when it cannot be run or fails, or when the process is no longer one this client may watch.
        """
        tracer = Tracer(program, seconds, binary, through)
        begun, attached_at = time.monotonic(), None
        batches = tracer.batches()
        try:
            for batch in batches:
                now = time.monotonic()
                attached_at = now if attached_at is None and tracer.attached else attached_at
                deadline = begun + _ATTACH_S if attached_at is None else attached_at + seconds + _GRACE_S
                ended = self._ended() or (TIME if now > deadline else None)
                if ended is not None:
                    # What was counted until the process ended may be of what its number was given to next: of a batch
                    # that was read when it had ended, nothing is passed on.
                    return ended
                if batch:
                    self._pass_on(batch, tracer.lost)
        except OSError:
            return GONE
        finally:
            tracer.kill()
            batches.close()
            sweep()
        return TIME

    def _ended(self) -> str | None:
        if self._over.is_set():
            return SHUT_DOWN
        readable, _, _ = select.select([self._connection], [], [], 0)
        if readable:
            # a request ends the stream, and stays to be read; nothing there is the end of the connection
            return STOPPED if self._connection.recv(1, socket.MSG_PEEK) else GONE
        try:
            self._subject.vet(self._caller)
            if self._subject.incarnation() != self._incarnation:
                raise ProfilingRefused(
                    f"process {self._subject.pid} has started another program.", "Begin anew to watch that."
                )
        except TargetGone:
            return TARGET_ENDED
        return None

    def _pass_on(self, batch: Sequence[Message], lost: int) -> None:
        """Send what there is room for, and how much there was none for."""
        now = time.monotonic()
        self._room = min(MOST_BYTES_A_SECOND, self._room + (now - self._filled_at) * MOST_BYTES_A_SECOND)
        self._filled_at = now
        frame: list[msgspec.Raw] = []
        size = 0
        for message in batch:
            encoded = _encoded(message)
            if encoded is None or len(encoded) > min(_MOST_MESSAGE, self._room):
                self.dropped += 1
                continue
            self._room -= len(encoded)
            if size + len(encoded) > MOST_ANSWER_BYTES // 2:
                self._send(frame, lost)
                frame, size = [], 0
            frame.append(msgspec.Raw(encoded))
            size += len(encoded)
        if frame or lost != self._lost_told:
            self._send(frame, lost)

    def _send(self, frame: list[msgspec.Raw], lost: int) -> None:
        send(self._connection, {"update": {"messages": frame, "lost": lost, "dropped": self.dropped}})
        self.sent += len(frame)
        self._lost_told = lost


def _encoded(message: Message) -> bytes | None:
    """The message as JSON; None for text that is no text, which a process can put into the name of a file."""
    try:
        return msgspec.json.encode((message.kind, message.data))
    except (UnicodeEncodeError, msgspec.MsgspecError):
        return None
