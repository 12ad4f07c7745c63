"""Our processes under supervisor (PyPI): platform, Prometheus, console and Grafana; and none left after a stop."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

from .account import Runner, home_environment
from .failure import StepFailed
from .state import Home

_STOP_S = 30


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


class Supervisor:
    """supervisord of one home, reached by its command line as the home's account."""

    def __init__(self, home: Home, runner: Runner) -> None:
        self._home = home
        self._runner = runner

    def states(self) -> dict[str, tuple[str, int | None]]:
        """State and pid of each program; empty when no supervisord runs."""
        if not (self._home.run / "supervisor.sock").exists():
            return {}
        _, out, _ = self._control("status")
        found: dict[str, tuple[str, int | None]] = {}
        for line in out.splitlines():
            words = line.replace(",", "").split()
            if len(words) >= 2 and words[1].isupper():
                pid = int(words[words.index("pid") + 1]) if "pid" in words else None
                found[words[0]] = (words[1], pid)
        return found

    def launch(self) -> None:
        """Starts supervisord, with nothing running yet. Raises StepFailed."""
        if self.states():
            self._control("reread")
            self._control("update")
            return
        # It starts its children with SIGINT at its default, also when we were started in the background of a shell
        # that ignores it: agents that inherit an ignored SIGINT cannot be stopped.
        command: list[str | Path] = [self._home.venv / "bin/supervisord", "-c", self._home.supervisor_config]
        self._runner(command, "supervisord did not start.", f"See {self._home.logs / 'supervisord.log'}.")

    def start(self, name: str) -> None:
        """Starts a program and waits until it has run for two seconds. Raises StepFailed with its output."""
        if self.states().get(name, ("", None))[0] == "RUNNING":
            return
        self._control("start", name, timeout=60)
        if self.states().get(name, ("", None))[0] != "RUNNING":
            log = self._home.logs / f"{name}.out"
            raise StepFailed(f"{name} did not stay up.", f"See {log}; is its port free?", log)

    def begin(self, name: str) -> None:
        """Starts a program without waiting: others can be started meanwhile."""
        if self.states().get(name, ("", None))[0] not in ("RUNNING", "STARTING"):
            subprocess.Popen(
                self._command("start", name),
                env=home_environment(self._home),
                cwd=self._home.path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **self._runner.account.identity,  # type: ignore[call-overload]
            )

    def alive(self, name: str) -> bool:
        """Whether a program runs or is starting."""
        return self.states().get(name, ("", None))[0] in ("RUNNING", "STARTING", "BACKOFF")

    def shut_down(self) -> None:
        """Stops all programs and supervisord itself."""
        if (self._home.run / "supervisor.sock").exists():
            self._control("shutdown", timeout=_STOP_S + 10)

    def _control(self, *arguments: str, timeout: float = 30) -> tuple[int, str, str]:
        return self._runner.attempt(self._command(*arguments), timeout=timeout)

    def _command(self, *arguments: str) -> list[str]:
        return [str(self._home.venv / "bin/supervisorctl"), "-c", str(self._home.supervisor_config), *arguments]


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
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + patience
        for pid in processes_of(home):
            try:
                os.kill(pid, sign)
            except OSError:
                continue
        while processes_of(home) and time.monotonic() < deadline:
            time.sleep(0.1)
        if not processes_of(home):
            return []
    return list(processes_of(home).values())


def _below(folder: Path, home: Home) -> bool:
    try:
        return (folder / "cwd").readlink().is_relative_to(home.path)
    except OSError:
        return False


def _quoted(value: object) -> str:
    return str(value).replace("%", "%%")  # supervisor expands %(name)s
