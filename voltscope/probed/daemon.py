"""The helper itself: connections from a Unix socket, one thread each, one line in the log for every request."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from voltscope.errors import BadRequest, HelperBusy, LinkError, VoltscopeError
from voltscope.probed.identity import Caller, Subject
from voltscope.probed.limits import (
    MOST_CONNECTIONS,
    MOST_CONNECTIONS_EACH,
    MOST_RUNS,
    MOST_RUNS_EACH,
    RATE,
    Pace,
    Places,
)
from voltscope.probed.privileges import shed
from voltscope.probed.programs import Listed
from voltscope.probed.protocol import (
    MOST_REQUEST_BYTES,
    PROTOCOL,
    Ask,
    Hello,
    Offer,
    Run,
    receive,
    request,
    send,
)
from voltscope.probed.relay import GONE, Relay
from voltscope.version import __version__

# A client that begins a frame finishes it, and takes what it asked for.
FRAME_DEADLINE_S = 5.0
# One that asks nothing makes room for others.
IDLE_S = 300.0
_JOIN_S = 10.0
_PAUSE_S = 0.1

Say = Callable[[str], None]


class Daemon:
    """Serves `programs` at `listener`, a listening Unix socket, with the bpftrace at `binary`. `say` is given one line
    at a time.
    """

    def __init__(self, listener: socket.socket, binary: Path, programs: Mapping[str, Listed], say: Say) -> None:
        self._listener, self._binary, self._programs, self._say = listener, binary, programs, say
        self._connections = Places("connections", MOST_CONNECTIONS, MOST_CONNECTIONS_EACH)
        self._runs = Places("programs", MOST_RUNS, MOST_RUNS_EACH)
        self._pace = Pace()
        self._over = threading.Event()
        self._wake, self._woken = socket.socketpair()

    def serve(self) -> None:
        """Until `stop`. Programs still running are ended, and with them their probes."""
        threads: set[threading.Thread] = set()
        try:
            while not self._over.is_set():
                readable, _, _ = select.select([self._listener, self._woken], [], [])
                if self._listener not in readable:
                    continue
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    # the client was gone before it was let in, or there are no descriptors just now
                    self._over.wait(_PAUSE_S)
                    continue
                threads = {thread for thread in threads if thread.is_alive()}
                thread = threading.Thread(target=self._welcome, args=(connection,), name="client")
                try:
                    thread.start()
                except RuntimeError:  # there is no thread to be had just now (TasksMax= of the unit)
                    connection.close()
                    self._over.wait(_PAUSE_S)
                    continue
                threads.add(thread)
        finally:
            self.stop()
            for thread in threads:
                thread.join(_JOIN_S)

    def stop(self) -> None:
        """End `serve` soon; from any thread or signal handler, and as often as one likes."""
        self._over.set()
        # never read: readable for every thread that looks
        self._wake.send(b".")

    def _welcome(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(FRAME_DEADLINE_S)
            try:
                caller = Caller.of(connection)
                try:
                    with self._connections.taken(caller.uid):
                        self._converse(connection, caller)
                except VoltscopeError as error:
                    with contextlib.suppress(HelperBusy):  # whoever comes too often does not fill the journal
                        self._pace.ask(caller.uid)
                        self._say(f"uid={caller.uid} by={caller.pid} outcome={error.code}")
                    send(connection, {"error": error.as_dict()})
                    # its question: hung up on before that is read, it would hear of nothing else
                    connection.settimeout(_PAUSE_S)
                    connection.recv(MOST_REQUEST_BYTES)
            except OSError:
                return  # the client is gone: whatever ran for it has ended

    def _converse(self, connection: socket.socket, caller: Caller) -> None:
        while not self._over.is_set():
            readable, _, _ = select.select([connection, self._woken], [], [], IDLE_S)
            if connection not in readable:
                return
            try:
                frame = receive(connection, MOST_REQUEST_BYTES)
            except LinkError as error:
                # what follows cannot be told from its body: the connection ends
                raise error if error.permanent else ConnectionError(str(error)) from error
            if frame is None:
                return
            self._answer(connection, caller, frame)

    def _answer(self, connection: socket.socket, caller: Caller, frame: bytes) -> None:
        audit = f"uid={caller.uid} by={caller.pid}"
        try:
            self._paced(caller.uid)
            asked = request(frame)
            if isinstance(asked, Run):
                self._run(connection, caller, asked)
                return
            # only what the closed lists hold is written down of a request
            if asked.ask == "hello":
                answer = self._hello(caller, asked)
                self._say(f"{audit} asked=hello outcome=answered")
                send(connection, {"answer": answer})
            elif asked.ask != "stop":  # with nothing running there is nothing to stop
                raise BadRequest("the helper answers hello and stop, and runs programs.", "See docs/probed.md.")
        except VoltscopeError as error:
            self._say(f"{audit} outcome={error.code}")
            send(connection, {"error": error.as_dict()})

    def _paced(self, uid: int) -> None:
        """Count a request. Raises HelperBusy when it comes too soon, and not at once: that costs a line each, too."""
        try:
            self._pace.ask(uid)
        except HelperBusy:
            self._over.wait(1 / RATE)
            raise

    def _hello(self, caller: Caller, asked: Ask) -> Hello:
        with contextlib.ExitStack() as held:
            subject = None
            if asked.pid is not None:
                subject = held.enter_context(Subject(asked.pid))
                subject.vet(caller)
            programs = [
                Offer(each.name, each.words, each.slowdown, each.most_seconds, each.unavailable(subject))
                for each in self._programs.values()
            ]
        return Hello(PROTOCOL, __version__, programs)

    def _run(self, connection: socket.socket, caller: Caller, asked: Run) -> None:
        program = self._programs.get(asked.program)
        if program is None:
            raise BadRequest("the helper has no program of that name.", f"It has: {', '.join(self._programs)}.")
        audit = f"uid={caller.uid} by={caller.pid} program={program.name} pid={asked.pid} seconds={asked.seconds:g}"
        relay = None
        try:
            with Subject(asked.pid) as subject, self._runs.taken(caller.uid):
                subject.vet(caller)
                relay = Relay(connection, caller, subject, self._over)
                reason = relay.run(
                    program.filled(subject, asked), asked.seconds, self._binary, shed(program.privileges)
                )
        except VoltscopeError as error:
            told = f" messages={relay.sent} dropped={relay.dropped}" if relay is not None else ""
            self._say(f"{audit} outcome={error.code}{told}")
            begun = relay is not None and relay.sent
            send(connection, {"end": f"failed: {error}"} if begun else {"error": error.as_dict()})
            return
        self._say(f"{audit} outcome={reason} messages={relay.sent} dropped={relay.dropped}")
        if reason != GONE:
            send(connection, {"end": reason})
