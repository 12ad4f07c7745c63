"""RELP, the reliable event logging protocol, over TCP or TLS: every message is answered by the receiver.

Promise: `acknowledged`: the receiver has answered 200 to each record, and what that means is the receiver's affair
(rsyslog answers when the message is in its queue). A retry after a broken connection can be a second copy.

Frames are `TXNR SP COMMAND SP DATALEN [SP DATA] LF`, as librelp's doc/relp.html specifies: a session is opened, each
syslog message is a transaction with a number of its own, and the other side answers `TXNR SP rsp SP DATALEN SP DATA`.
"""

from __future__ import annotations

import contextlib
import re

from voltscope.logs.record import Batch
from voltscope.logs.settings import RelpReceiver
from voltscope.logs.transports.base import Promise, Transport, not_taken
from voltscope.logs.transports.connection import Connection
from voltscope.logs.transports.syslog import Rfc5424
from voltscope.version import __version__

ANSWER_S = 30.0
_GOODBYE_S = 1.0
_OFFER = f"relp_version=0\nrelp_software=voltscope,{__version__},-\ncommands=syslog"
_LARGEST_NUMBER = 999_999_999
_LARGEST_ANSWER = 128 * 1024  # librelp's own limit of a frame
_AT_ONCE = 256
# Without data, the newline may follow the length at once; the length is known to be whole by what follows it.
_HEADER = re.compile(rb"(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})(?: |(?=\n))")
_PART_OF_HEADER = re.compile(rb"\d{0,9}|\d{1,9} [A-Za-z]{0,32}|\d{1,9} [A-Za-z]{1,32} \d{0,9}")

Frame = tuple[int, bytes, bytes]  # number of the transaction, command, data


class NotRelp(ConnectionError):
    """What came over the connection is not RELP, or not an answer to what was sent."""


class RelpTransport(Transport):
    """A RELP receiver. What it has acknowledged of a batch is not sent again when the rest failed."""

    promise: Promise = "acknowledged"

    def __init__(self, receiver: RelpReceiver, answer_s: float = ANSWER_S) -> None:
        """`answer_s`: how long to wait for an answer. Raises ConfigError for keys and certificates it cannot load."""
        self.name = f"relp{'+tls' if receiver.tls else ''}://{receiver.host}:{receiver.port}"
        self._connection = Connection(receiver.host, receiver.port, receiver if receiver.tls else None, answer_s)
        self._window = receiver.window
        self._render = Rfc5424(one_line=False)
        self._number = 0
        self._waiting: dict[int, int] = {}  # sequences by the number of the transaction that carries them
        self._received = b""
        self._ended = False  # by the receiver
        self._taken: tuple[str, int, int] | None = None  # spool, first: of a batch that failed; last acknowledged

    def send(self, batch: Batch) -> None:
        whole, taken = batch, self._taken
        if taken is not None and taken[:2] == (batch.spool, batch.first):
            batch = batch.between(taken[2] + 1, batch.last)
        self._taken = None
        if not batch.records:
            return
        unsent = batch.first
        try:
            self._open()
            at_once = min(_AT_ONCE, self._window)
            for unsent in range(batch.first, batch.last + 1, at_once):
                piece = batch.between(unsent, unsent + at_once - 1)
                self._await(self._window - len(piece.records))
                self._connection.write(self._frames(piece))
                self._take(self._connection.read_ready())
            unsent = batch.last + 1
            self._await(0)
        except (OSError, UnicodeError) as error:
            self._take_rest()
            # all before the first that was not answered, in the order of the log
            self._taken = (whole.spool, whole.first, min(self._waiting.values(), default=unsent) - 1)
            self._drop()
            raise not_taken(self.name, error) from error

    def close(self) -> None:
        """End the session; a receiver that does not answer to that within a second is left alone."""
        if self._number:
            with contextlib.suppress(OSError):
                self._connection.write(b"%d close 0\n" % self._next())
                self._connection.read(timeout_s=_GOODBYE_S)
        self._drop()

    def _drop(self) -> None:
        self._connection.close()
        self._waiting, self._received, self._number, self._ended = {}, b"", 0, False

    def _open(self) -> None:
        """A session: the one there is, unless the receiver has ended it."""
        if self._number:
            with contextlib.suppress(OSError):
                self._take(self._connection.read_ready())
                if not self._ended:
                    return
            self._drop()
        self._connection.open()
        number = self._next()
        self._connection.write(f"{number} open {len(_OFFER)} {_OFFER}\n".encode())
        frames: list[Frame] = []
        while not frames:
            frames = [frame for frame in self._frames_of(self._connection.read()) if frame[0]]
        answered, command, data = frames[0]
        if (answered, command) != (number, b"rsp"):
            raise NotRelp(f"it answers to open with {_shown(b'%d %s' % (answered, command))}; is it a RELP receiver?")
        if not data.startswith(b"200"):
            raise ConnectionRefusedError(f"it refuses the session: {_shown(data)}")
        offers = [line.partition(b"=")[2] for line in data.splitlines() if line.startswith(b"commands=")]
        if not any(b"syslog" in offer.split(b",") for offer in offers):
            raise ConnectionRefusedError(f"it does not take syslog messages: {_shown(data)}")

    def _next(self) -> int:
        self._number = self._number % _LARGEST_NUMBER + 1
        return self._number

    def _frames(self, batch: Batch) -> bytes:
        made = []
        waiting = self._waiting
        for sequence, text in enumerate(self._render(batch), batch.first):
            number = self._next()
            waiting[number] = sequence
            length = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
            made.append(f"{number} syslog {length} {text}\n")
        return "".join(made).encode("utf-8", "replace")

    def _await(self, most: int) -> None:
        """Read answers until at most `most` transactions wait for theirs."""
        while len(self._waiting) > most:
            self._take(self._connection.read())

    def _take(self, received: bytes) -> None:
        """Match the answers that are complete with `received`."""
        for number, command, data in self._frames_of(received):
            if command == b"rsp":
                if number not in self._waiting:
                    raise NotRelp(f"it answers to {number}, which is no message that waits for an answer")
                if not data.startswith(b"200"):
                    raise ConnectionRefusedError(f"it refuses a record: {_shown(data)}")
                del self._waiting[number]
            elif command == b"serverclose":
                self._ended = True
            elif number:  # a number of 0 marks a hint, and hints one does not know are to be ignored
                raise NotRelp(f"it sends {_shown(command)} instead of answers")
        if self._ended and self._waiting:
            raise ConnectionResetError("it ended the session")

    def _take_rest(self) -> None:
        """After a failure: what was answered before it, so that it is not sent again."""
        with contextlib.suppress(OSError):
            while self._waiting and (received := self._connection.read_ready()):
                self._take(received)

    def _frames_of(self, data: bytes) -> list[Frame]:
        """The frames that are whole with `data`; what is left of it waits for more."""
        received, at, frames = self._received + data, 0, []
        while header := _HEADER.match(received, at):
            start, length = header.end(), int(header[3])
            end = start + length
            if length > _LARGEST_ANSWER or received[end : end + 1] not in (b"", b"\n"):
                raise NotRelp(f"it answers {_shown(received[at:])}, which is not RELP")
            if end >= len(received):
                break
            frames.append((int(header[1]), header[2], received[start:end]))
            at = end + 1
        self._received = received[at:]
        if header is None and not _PART_OF_HEADER.fullmatch(self._received):
            raise NotRelp(f"it answers {_shown(self._received)}, which is not RELP")
        return frames


def _shown(data: bytes) -> str:
    return repr(data[:60].decode("utf-8", "replace"))
