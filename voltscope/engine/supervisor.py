"""The bridge's side of an engine's life: attach or spawn, configure, restart with back-off. For gevent programs."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent import socket, subprocess
from gevent.event import Event

from voltscope.engine.greenlets import Greenlets
from voltscope.engine.host import SOCKET_FILE
from voltscope.engine.link import Handler, Link
from voltscope.errors import LinkClosed, LinkError, LinkTimeout, VersionMismatch, VoltscopeError
from voltscope.version import __version__

LOG_FILE = "engine.log"
MAX_LOG = 1 << 20
CONFIGURE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 12.0
BACKOFF_S = (1.0, 60.0)
MISMATCH_RETRY_S = 60.0
HEALTHY_AFTER_S = 60.0
# Three questions missed in a row, 45 s in all: a busy machine has been seen to take 10 s over one.
PING_PAUSE_S, PING_TIMEOUT_S, PINGS_MISSED = 5.0, 10.0, 3
LAST_WORDS = 3

# What a bridge is told: a state (`running`, `waiting`, `refused`, `stopped`) and a sentence.
Listener = Callable[[str, str], object]


class EngineSupervisor:
    """Keeps one engine running and linked.

    `handler` answers the engine's requests; `tell(state, sentence)` hears of every change. `command` starts an
    engine up to its name; it is a parameter so that configuration may name another interpreter.
    """

    def __init__(
        self,
        name: str,
        *,
        data_dir: Path,
        volttron_home: Path,
        handler: Handler,
        tell: Listener,
        command: Sequence[str] = (sys.executable, "-m", "voltscope.engine"),
        version: str = __version__,
    ) -> None:
        self._name, self._data_dir, self._home = name, data_dir, volttron_home
        self._handler, self._tell, self._command, self._version = handler, tell, list(command), version
        self._config: Mapping[str, Any] = {}
        self._link: Link | None = None
        self._process: subprocess.Popen | None = None
        self._stopping = Event()
        self._loop: gevent.Greenlet | None = None
        self._log_start = 0
        self.restarts = 0

    def start(self, config: Mapping[str, Any]) -> None:
        """Begin; returns at once."""
        self._config = config
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._loop = gevent.spawn(self._run)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Hand a new configuration to the engine, now and after every restart.

        Raises RemoteError with code `bad-config` when the engine refuses it, and keeps the one before; LinkTimeout
        when it does not answer. An engine that ends meanwhile gets it when it is back.
        """
        if self._link is not None and not self._link.ended:
            try:
                self._link.request("configure", {"config": config}, CONFIGURE_TIMEOUT_S)
            except LinkTimeout:
                self._config = config  # not refused
                raise
            except LinkClosed:
                pass
        self._config = config

    def request(self, method: str, params: Mapping[str, Any] | None = None, timeout: float = 10.0) -> Any:
        """Ask the engine. Raises LinkClosed when none is attached, and what the link raises."""
        link = self._link
        if link is None or link.ended:
            raise LinkClosed(f"the {self._name} engine is not running.", "See its engine.log.")
        return link.request(method, params, timeout)

    def stop(self) -> None:
        """End the link, and a spawned engine with it; returns when it is gone."""
        self._stopping.set()
        if self._link is not None:
            self._link.close()
        if self._loop is not None:
            self._loop.join(STOP_TIMEOUT_S + 3)

    @property
    def engine_pid(self) -> int | None:
        """The engine's process while a link is up."""
        return self._link.peer_pid if self._link is not None and not self._link.ended else None

    def _run(self) -> None:
        backoff = BACKOFF_S[0]
        while not self._stopping.is_set():
            began = time.monotonic()
            pause = backoff
            try:
                self._live_once()
            except VersionMismatch as error:
                self._tell("refused", str(error))
                pause = MISMATCH_RETRY_S
            except (VoltscopeError, OSError) as error:
                self._tell("waiting", f"the {self._name} engine did not start: {error}")
            finally:
                self._reap()
            if self._stopping.is_set():
                break
            if time.monotonic() - began >= HEALTHY_AFTER_S:
                backoff = pause = BACKOFF_S[0]
            self.restarts += 1
            backoff = min(backoff * 2, BACKOFF_S[1])
            self._stopping.wait(pause)
        self._tell("stopped", f"the {self._name} engine is stopped")

    def _live_once(self) -> None:
        """One engine's life, from the greeting to the link's end."""
        gone = Event()
        connection, attached = self._attach(), True
        if connection is None:
            connection, attached = self._spawn(), False
        link = Link(
            connection,
            side="bridge",
            name=self._name,
            handler=self._handler,
            concurrency=Greenlets(),
            closed=gone.set,
            version=self._version,
        )
        try:
            link.open()
        except VersionMismatch:
            raise
        except LinkError as error:
            raise LinkClosed(f"{error} {self._last_words()}".rstrip()) from error
        try:
            self._link = link
            answer = link.request("configure", {"config": self._config}, CONFIGURE_TIMEOUT_S)
            how = f"attached to engine {link.peer_pid}" if attached else f"engine {link.peer_pid} spawned"
            note = "" if answer.get("applied") else f"; {answer.get('reason')}"
            self._tell("running", f"{how}{note}")
        except LinkError as error:
            if error.code != "bad-config":
                raise
            self._tell("waiting", f"the {self._name} engine waits for a better configuration: {error}")
        finally:
            if self._stopping.is_set():
                link.close()
        self._watch(link, gone)
        if not self._stopping.is_set():
            self._tell("waiting", f"the {self._name} engine ended. {self._last_words()}".rstrip())

    def _watch(self, link: Link, gone: Event) -> None:
        """Wait for the link's end, and bring it about when the engine stops answering: it may be stopped or stuck."""
        silent = 0
        while not gone.wait(PING_PAUSE_S):
            try:
                link.request("ping", {}, PING_TIMEOUT_S)
                silent = 0
            except LinkTimeout:
                silent += 1
            except LinkError:
                continue  # closed: the wait tells
            if silent >= PINGS_MISSED:
                self._tell("waiting", f"the {self._name} engine does not answer and is replaced")
                self._kill()
                link.close()

    def _kill(self) -> None:
        """A stuck engine would not end by itself in good order; one that stands alone is not ours to kill."""
        if self._process is not None:
            self._process.kill()

    def _attach(self) -> Any:
        """A connection to an engine that stands alone, None where nobody listens."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self._data_dir / SOCKET_FILE))
        except OSError:
            connection.close()
            return None
        return connection

    def _spawn(self) -> Any:
        ours, theirs = socket.socketpair()
        command = [
            *self._command,
            self._name,
            "--data-dir",
            str(self._data_dir),
            "--volttron-home",
            str(self._home),
            "--link-fd",
            str(theirs.fileno()),
            "--parent",
            str(os.getpid()),
        ]
        try:
            with self._open_log() as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs.fileno(),),
                    cwd=str(self._data_dir),
                    env=_clean_environment(),
                )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def _open_log(self) -> Any:
        path = self._data_dir / LOG_FILE
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > MAX_LOG:
                path.replace(path.with_suffix(".log.1"))
        log = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")
        self._log_start = log.tell()  # last words are those of this life only
        return log

    def _last_words(self) -> str:
        try:
            with (self._data_dir / LOG_FILE).open("rb") as log:
                log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - 4096))
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return f"Its last words: {' | '.join(lines[-LAST_WORDS:])}" if lines else ""

    def _reap(self) -> None:
        """After the link's end the engine has its time to end; then it is killed."""
        if self._link is not None:
            self._link.close()
            self._link = None
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _clean_environment() -> dict[str, str]:
    """Ours without what only an agent needs; AGENT_CREDENTIALS holds a secret key (trap 3)."""
    return {key: value for key, value in os.environ.items() if not key.startswith("AGENT_")}
