"""The command line of the quickstart."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import demo, packages
from .demo_faults import BY_NAME
from .down import clean, stop
from .failure import StepFailed
from .report import Report
from .state import PORT_BASE, Home, Ports, default_home
from .status import status, table
from .up import bring_up, step_count

_EPILOG = """\
Without a command it brings everything up, and a second time it only looks whether all is well. Exit status: 0 all is
well, 1 a step failed, 2 wrong usage, 3 (status) not running.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "install-packages":
        return _install_packages(arguments.names)
    home = Home(Path(arguments.home).expanduser().absolute() if arguments.home else default_home())
    report = Report(3)
    try:
        home.load()
        if arguments.command == "status":
            return _status(home, arguments.json)
        home.check_usable()
        with _locked(home):
            if arguments.command in ("up", "start"):
                return _up(home, arguments, fresh=arguments.command == "up")
            if arguments.command == "demo-fault":
                return _demo(home, arguments.name)
            if arguments.command == "stop":
                stop(home, report)
            else:
                report = Report(5 if arguments.purge else 4)
                clean(home, report, arguments.purge)
    except StepFailed as error:
        report.failure(error)
        return 1
    except BrokenPipeError:  # as in `quickstart status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        report.say("\nInterrupted. Run it again and it goes on where it was.")
        return 130
    return 0


def _up(home: Home, arguments: argparse.Namespace, fresh: bool) -> int:
    port_base = arguments.port_base
    if not fresh and not home.state.get("done"):
        raise StepFailed(f"there is no finished quickstart in {home.path}.", "Run quickstart without a command first.")
    if port_base is not None and home.state and port_base != home.ports.base:
        raise StepFailed(
            f"{home.path} was set up with --port-base {home.ports.base}.", "Clean it first, or leave the option out."
        )
    if not home.state:
        home.ports = Ports(PORT_BASE if port_base is None else port_base)
    home.opensearch_asked = arguments.with_opensearch
    report = Report(step_count(home))
    try:
        bring_up(home, report)
    except StepFailed as error:
        report.failure(error)
        return 1
    report.say(f"\nDone in {report.elapsed:.0f} s.\n")
    report.table(table(home))
    for text in report.warnings:
        report.say(f"\nwarning: {text}")
    return 0


def _demo(home: Home, name: str) -> int:
    report = Report(2)
    if name == "list":
        demo.tell_demos(report)
    elif name == "clear":
        demo.clear(home, report)
    else:
        demo.seed(home, name, report)
    return 0


def _status(home: Home, as_json: bool) -> int:
    if not home.ours:
        raise StepFailed(f"there is no quickstart in {home.path}.", "Run quickstart without a command first.")
    found = status(home)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        report = Report(0)
        report.say("running\n" if found["running"] else "not running\n")
        report.table([*table(home), ("Processes", " ".join(f"{name}={pid}" for name, pid in found["pids"].items()))])
    return 0 if found["running"] else 3


def _install_packages(names: list[str]) -> int:
    """What an unprivileged run calls through sudo; the last line of stdout is a JSON list of what came."""
    try:
        print(json.dumps(packages.install_as_root(names)))
    except StepFailed as error:
        print(f"{error.why}\n{error.output}", file=sys.stderr)
        return 1
    return 0


class _locked:  # noqa: N801 (used as a statement)
    """One quickstart a home at a time. The lock lies beside the home, so that `clean` can remove the home."""

    def __init__(self, home: Home) -> None:
        self._file = home.path.with_name(f".{home.path.name}.lock")

    def __enter__(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._handle = self._file.open("w")
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed("another quickstart works on this home just now.", "Wait until it has ended.") from None
        except OSError as error:
            raise StepFailed(f"cannot write beside the home: {error}.", "Choose another folder with --home.") from error

    def __exit__(self, *_: object) -> None:
        self._file.unlink(missing_ok=True)
        self._handle.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quickstart", description="Brings up a watched VOLTTRON platform on this machine.", epilog=_EPILOG
    )
    _options(parser, None)
    _up_options(parser, False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parser.set_defaults(command="up")
    add: Callable[[str, str], argparse.ArgumentParser] = lambda name, text: _options(  # noqa: E731
        commands.add_parser(name, help=text, description=text), argparse.SUPPRESS
    )
    _up_options(add("up", "set up what is missing, start it and prove that it works (the default)"), argparse.SUPPRESS)
    add("status", "where everything is and whether it runs").add_argument(
        "--json", action="store_true", help="as one JSON object"
    )
    add("stop", "stop everything; nothing is lost")
    add("start", "start again what was stopped")
    add("clean", "stop, and remove all that lies below the home").add_argument(
        "--purge", action="store_true", help="also the packages and the user it brought, unless another home uses them"
    )
    add("demo-fault", "a real fault on the running platform, and the alert it causes").add_argument(
        "name", nargs="?", default="list", choices=["list", "clear", *BY_NAME], help="which; list says what each does"
    )
    hidden = commands.add_parser("install-packages")
    hidden.add_argument("names", nargs="+")
    return parser


def _options(parser: argparse.ArgumentParser, default: object) -> argparse.ArgumentParser:
    where = "/var/lib/voltscope" if os.geteuid() == 0 else "~/.local/share/voltscope"
    parser.add_argument("--home", metavar="DIR", default=default, help=f"where everything goes [{where}]")
    parser.add_argument(
        "--port-base", metavar="N", type=_port, default=default, help=f"the first of nine TCP ports [{PORT_BASE}]"
    )
    return parser


def _up_options(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "--with-opensearch",
        action="store_true",
        default=default,
        help="also a real OpenSearch, where logs and captures are searched: Java, 450 MB of memory",
    )


def _port(text: str) -> int:
    if not text.isdigit() or not 1024 <= int(text) <= 65527:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1024 to 65527")
    return int(text)
