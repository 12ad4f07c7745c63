"""`voltscope engine NAME`: the process an engine lives in, spawned by its bridge or alone under systemd."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import sys
from pathlib import Path

from voltscope.engine.host import EngineHost
from voltscope.engine.registry import ENGINES, engine_class
from voltscope.errors import ConfigError, EngineLocked, VersionMismatch, VoltscopeError
from voltscope.site import default_volttron_home

EXIT_FAILED = 1
EXIT_LOCKED = 75  # EX_TEMPFAIL of sysexits(3)
EXIT_CONFIG = 78  # EX_CONFIG
EXIT_VERSION = 76  # EX_PROTOCOL
_PR_SET_PDEATHSIG = 1


def main(argv: list[str] | None = None) -> int:
    """Run one engine until it is told to stop. Returns the exit status.

    0 stopped; 1 failed; 75 the data directory is another engine's; 76 the bridge is of another version; 78 the
    configuration is not allowed.
    """
    options = _parser().parse_args(argv)
    home = options.volttron_home.expanduser().absolute()
    data_dir = (options.data_dir or home / "voltscope" / options.name).absolute()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        host = EngineHost(options.name, engine_class(options.name), data_dir=data_dir, volttron_home=home, say=_say)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: host.stop())
        if options.link_fd is None:
            host.run_alone(options.config)
        else:
            _die_with(options.parent)
            link_socket = socket.socket(fileno=options.link_fd)
            link_socket.setblocking(True)  # gevent makes both ends of its socket pairs non-blocking
            host.run_spawned(link_socket)
    except (VoltscopeError, OSError) as error:
        _say(str(error))
        return _exit_status(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="voltscope engine", description="Run one engine.")
    parser.add_argument("name", choices=list(ENGINES), help="which engine")
    parser.add_argument("--data-dir", type=Path, help="where it keeps its data (VOLTTRON_HOME/voltscope/NAME)")
    parser.add_argument("--volttron-home", type=Path, default=default_volttron_home(), help="the platform's home")
    parser.add_argument("--config", type=Path, help="a JSON file; without a bridge to configure it")
    parser.add_argument("--link-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser


def _die_with(parent: int | None) -> None:
    """The second net below the link's end of file: SIGTERM at the parent's death (prctl(2)).

    Raises VoltscopeError when the parent died before we could ask.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        raise VoltscopeError(f"the bridge {parent} is gone already.")


def _exit_status(error: Exception) -> int:
    statuses = {EngineLocked: EXIT_LOCKED, VersionMismatch: EXIT_VERSION, ConfigError: EXIT_CONFIG}
    return next((status for kind, status in statuses.items() if isinstance(error, kind)), EXIT_FAILED)


def _say(text: str) -> None:
    print(f"voltscope engine: {text}", file=sys.stderr, flush=True)
