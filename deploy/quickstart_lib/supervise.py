"""Our processes under supervisor (PyPI): platform, Prometheus, console and others; and none left after a stop."""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import socket
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .account import Runner
from .begin_platform import end
from .failure import StepFailed
from .state import Home

_STOP_S = 30
_ALIVE = ("RUNNING", "STARTING", "BACKOFF")


def supervisor_config(home: Home, programs: dict[str, list[str]]) -> str:
    """supervisord.conf for `programs`, name to command; a Unix socket for its owner alone and no TCP port."""
    sections = [
        f"""\
; Made by voltscope's quickstart; written anew at each run.
[unix_http_server]
file = {_quoted(home.run / "supervisor.sock")}
chmod = 0700

[supervisord]
logfile = {_quoted(home.logs / "supervisord.log")}
logfile_maxbytes = 1MB
logfile_backups = 1
pidfile = {_quoted(home.run / "supervisord.pid")}
directory = {_quoted(home.path)}
umask = 027

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{_quoted(home.run / "supervisor.sock")}
"""
    ]
    for name, command in programs.items():
        folder = home.volttron if name == "volttron" else home.path
        sections.append(
            f"""\
[program:{name}]
command = {_quoted(shlex.join(command))}
directory = {_quoted(folder)}
stdout_logfile = {_quoted(home.logs / f"{name}.out")}
redirect_stderr = true
stdout_logfile_maxbytes = 1MB
stdout_logfile_backups = 1
autostart = false
; exit status 0 is a wanted end (vctl shutdown --platform)
autorestart = unexpected
startsecs = 2
startretries = 3
stopwaitsecs = {_STOP_S}
killasgroup = true
"""
        )
    return "\n".join(sections)


class _SocketTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, which is how supervisor's own command line speaks to supervisord."""

    def __init__(self, socket_file: Path) -> None:
        super().__init__()
        self._file = socket_file

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(_STOP_S + 10)
        connection.sock.connect(str(self._file))
        return connection


class Supervisor:
    """supervisord of one home."""

    def __init__(self, home: Home, runner: Runner) -> None:
        self._home = home
        self._runner = runner

    def states(self) -> dict[str, tuple[str, int | None]]:
        """State and pid of each program; empty when no supervisord runs."""
        try:
            programs = self._call("getAllProcessInfo")
        except (OSError, xmlrpc.client.Fault):  # a Fault: it is shutting down
            return {}
        return {program["name"]: (program["statename"], program["pid"] or None) for program in programs}

    def launch(self) -> None:
        """Starts supervisord, with nothing running yet; a running one takes the new configuration.

        Raises StepFailed.
        """
        if not self.states():
            # supervisord gives its children SIGINT at its default, also when we were started in the background of a
            # shell that ignores it: agents that inherit an ignored SIGINT cannot be stopped.
            command: list[str | Path] = [self._home.venv / "bin/supervisord", "-c", self._home.supervisor_config]
            self._runner(command, "supervisord did not start.", f"See {self._home.logs / 'supervisord.log'}.")
            self._await(
                lambda: bool(self.states()), "supervisord does not answer.", self._home.logs / "supervisord.log"
            )
            return
        added, changed, removed = self._call("reloadConfig")[0]
        for name in [*changed, *removed]:
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)

    def begin(self, name: str) -> None:
        """Starts a program, if it does not run, without waiting for it. Raises StepFailed."""
        if self.alive(name):
            return
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            log = self._home.logs / f"{name}.out"
            raise StepFailed(f"{name} does not start: {fault.faultString}.", f"See {log}.", log) from fault

    def end(self, name: str) -> None:
        """Ends a program, if it runs, and returns when it has."""
        if self.alive(name):
            self._call("stopProcess", name, True)

    def halt(self, name: str) -> None:
        """Asks a program to end, and does not start it again; returns at once."""
        self._call("stopProcess", name, False)

    def alive(self, name: str) -> bool:
        """Whether a program runs or is starting."""
        return self.states().get(name, ("", None))[0] in _ALIVE

    def settled(self, timeout: float = 60) -> dict[str, str]:
        """The state of each program once none is starting any more, or `timeout` seconds have passed."""
        deadline = time.monotonic() + timeout
        while True:
            found = {name: state for name, (state, _) in self.states().items()}
            if time.monotonic() > deadline or not {"STARTING", "BACKOFF"} & set(found.values()):
                return found
            time.sleep(0.1)

    def shut_down(self) -> None:
        """Stops all programs and supervisord itself. Raises OSError when it does not answer."""
        if not self.states():
            return
        self._call("shutdown")
        deadline = time.monotonic() + _STOP_S + 10
        while self._answers() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self._call("getState")
        except xmlrpc.client.Fault:  # it says that it is shutting down
            return True
        except OSError:
            return False
        return True

    def _await(self, condition: Callable[[], bool], why: str, log: Path, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise StepFailed(why, f"See {log}.", log)
            time.sleep(0.1)

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = _SocketTransport(self._home.run / "supervisor.sock")
        with xmlrpc.client.ServerProxy("http://localhost", transport, allow_none=True) as server:
            return getattr(server.supervisor, method)(*arguments)


def processes_of(home: Home, root: Path = Path("/proc")) -> dict[int, str]:
    """Pids and command lines of all processes that belong to `home`: by what they run, where, or for which platform."""
    marks = (os.fsencode(f"{home.path}/"), os.fsencode(str(home.path)) + b"\0")
    found = {}
    for folder in root.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone, or another user's
        ours = f"VOLTTRON_HOME={home.volttron}".encode() in environment
        program = command.split(b"\0")[0] + b"\0"
        if command and (ours or program.startswith(marks) or (marks[0] in command and _below(folder, home))):
            found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def end_processes(home: Home, patience: float = 10) -> list[str]:
    """Ends what is left of `home`: asked first, killed after `patience` seconds. Returns what would not go."""
    end(lambda: processes_of(home), signal.SIGTERM, patience)
    return list(processes_of(home).values())


def _below(folder: Path, home: Home) -> bool:
    try:
        return (folder / "cwd").readlink().is_relative_to(home.path)
    except OSError:
        return False


def _quoted(value: object) -> str:
    return str(value).replace("%", "%%")  # supervisor expands %(name)s
