"""Hosts one engine: its lock, its bridge or the socket bridges attach to, its service, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voltscope.engine.facts import FactsSource
from voltscope.engine.link import Link
from voltscope.engine.lock import DirectoryLock
from voltscope.engine.service import EngineContext, EngineService
from voltscope.engine.threads import Threads
from voltscope.errors import ConfigError, LinkError, VoltscopeError

SOCKET_FILE = "engine.sock"
STOP_TIMEOUT_S = 10.0
_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


class EngineHost:
    """Runs the service of `engine_class` in `data_dir` until `stop()`, or until its own bridge goes.

    Errors worth a line go to `say`.
    """

    def __init__(
        self,
        name: str,
        engine_class: Callable[[EngineContext], EngineService],
        *,
        data_dir: Path,
        volttron_home: Path,
        say: Callable[[str], object],
    ) -> None:
        self._name, self._data_dir, self._say = name, data_dir, say
        self._lock = DirectoryLock(data_dir)
        self._facts = FactsSource()
        self._threads = Threads()
        self._done = threading.Event()
        self._configuring = threading.Lock()
        self._started = False
        self._own_config = False
        self._attached: Link | None = None
        self._engine_class = engine_class
        self._context = EngineContext(name, data_dir, volttron_home, self._facts)
        self._service: EngineService | None = None

    def run_spawned(self, link_socket: socket.socket) -> None:
        """Serve the bridge that spawned us, and end with it. Raises EngineLocked and LinkErrors."""
        self._lock.acquire()
        self._service = self._engine_class(self._context)
        link = self._link(link_socket, self.stop)
        self._attached = link
        self._facts.attach(link)
        link.open()
        self._serve_until_done()

    def run_alone(self, config_file: Path | None) -> None:
        """Work without a platform, on the configuration of `config_file` or on defaults; bridges may attach.

        Raises EngineLocked, ConfigError, and VoltscopeError when the configuration cannot be read.
        """
        self._lock.acquire()
        self._service = self._engine_class(self._context)
        self._own_config = config_file is not None
        self._configure(_read_config(config_file) if config_file else {})
        with self._listener() as listener:
            threading.Thread(target=self._accept, args=(listener,), name="accept", daemon=True).start()
            self._serve_until_done()

    def stop(self) -> None:
        """End; returns at once."""
        self._done.set()

    def _serve_until_done(self) -> None:
        self._done.wait()
        _force_exit_later()
        if self._attached is not None:
            self._attached.close()
        if self._service is not None and self._started:
            self._service.stop()
        self._lock.release()

    def _link(self, sock: socket.socket, closed: Callable[[], None]) -> Link:
        return Link(
            sock, side="engine", name=self._name, handler=self._handle, concurrency=self._threads, closed=closed
        )

    def _handle(self, method: str, params: dict[str, Any]) -> Any:
        assert self._service is not None  # links open only after the service was made  # noqa: S101
        if method == "ping":
            return {}
        if method != "configure":
            return self._service.handle(method, params)
        if self._own_config:
            return {"applied": False, "reason": "this engine has a configuration file of its own"}
        try:
            self._configure(params.get("config") or {})
        except VoltscopeError as error:
            self._say(str(error))
            raise
        return {"applied": True}

    def _configure(self, config: dict[str, Any]) -> None:
        assert self._service is not None  # noqa: S101
        with self._configuring:
            self._service.configure(config)
            if not self._started:
                self._service.start()
                self._started = True

    @contextlib.contextmanager
    def _listener(self) -> Any:
        path = self._data_dir / SOCKET_FILE
        path.unlink(missing_ok=True)  # the lock is ours, so whoever left it is dead
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            path.chmod(0o600)  # before it listens: until then nobody can connect
            listener.listen(4)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while not self._done.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            if uid not in (0, os.getuid()):
                self._say(f"refused a connection of uid {uid}")
                connection.close()
            elif self._attached is not None and not self._attached.ended:
                self._say("refused a second bridge: one is attached")
                connection.close()
            else:
                self._attach(connection)

    def _attach(self, connection: socket.socket) -> None:
        link = self._link(connection, lambda: None)
        self._attached = link
        try:
            link.open()
        except LinkError as error:
            self._say(str(error))
            return
        self._facts.attach(link)


def _force_exit_later() -> None:
    """A thread that hangs in a foreign library must not keep an engine, and its lock, alive."""
    timer = threading.Timer(STOP_TIMEOUT_S, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


def _read_config(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise VoltscopeError(f"cannot read the configuration {path}: {error}.") from error
    if not isinstance(content, dict):
        raise ConfigError("(whole)", type(content).__name__, "a JSON object")
    return content
