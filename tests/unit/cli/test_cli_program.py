"""The group itself: help, documentation, usage errors, completion in a real bash, and how light it is."""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import click
import pytest
from cli_site import Cli, SiteParts
from waiting import until

from voltscope.cli import exits
from voltscope.cli.program import COMMANDS, program
from voltscope.cli.reference import reference
from voltscope.errors import VoltscopeError
from voltscope.version import __version__

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


def commands() -> dict[str, click.Command]:
    with click.Context(program) as context:
        return {name: command for name in COMMANDS if (command := program.get_command(context, name))}


def with_those_below() -> dict[str, click.Command]:
    below = {
        f"{name} {each}": command
        for name, group in commands().items()
        if isinstance(group, click.Group)
        for each, command in group.commands.items()
    }
    return {"voltscope": program, **commands(), **below}


def test_the_reference_is_up_to_date() -> None:
    assert DOCS.read_text() == reference(), "run: python -m voltscope.cli.reference > docs/cli.md"


def test_every_command_and_option_has_help_and_is_documented() -> None:
    text = DOCS.read_text()
    for name, command in with_those_below().items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"
                assert all(option in text for option in parameter.opts), f"{name} {parameter.opts}"
    for code, meaning in exits.MEANING.items():
        assert f"| {code} | {meaning} |" in text


def test_the_line_of_each_command_begins_its_own_help() -> None:
    for name, command in commands().items():
        first = (command.help or "").partition(".")[0]
        assert first.startswith(COMMANDS[name][1].rstrip(".")), name


def test_every_error_there_is_has_a_documented_exit_code() -> None:
    def below(kind: type[VoltscopeError]) -> list[type[VoltscopeError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in below(child))]

    for kind in below(VoltscopeError):
        error = VoltscopeError("x")
        error.code, error.status = kind.code, kind.status
        assert exits.exit_code(error) in (exits.FINDING, exits.USAGE, exits.UNREACHABLE, exits.REFUSED), kind


@pytest.mark.parametrize("arguments", [["nothing"], ["status", "--nothing"], ["profile"], ["profile", "x", "-d", "0"],
                                       ["completion", "tcsh"], ["logs", "-f", "--until", "1h"]])  # fmt: skip
def test_usage_errors_are_exit_2_with_one_line_and_json_when_asked(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert re.fullmatch(r"Error: .+ See: voltscope[a-z ]* --help\n", done.stderr, re.DOTALL), done.stderr
    assert done.stdout == ""
    assert json.loads(cli(*arguments, "--json").stdout)["error"]["code"] == "usage"


def test_version_and_help(cli: Cli) -> None:
    assert cli("--version").stdout == f"voltscope, version {__version__}\n"
    for name in COMMANDS:
        done = cli(name, "--help")
        assert done.returncode == 0, name
        assert done.stdout.lower().startswith("usage: voltscope"), name


def test_help_is_light(cli: Cli) -> None:
    """It imports neither the commands nor what they need, and takes little of a processor."""
    cli("--help")  # byte code
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert cli("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.6  # 0.1 s here; the commands and their imports would take a second
    code = (
        "import sys, voltscope.cli as c; c.main(['--help']); "
        "print(*[m for m in ('msgspec', 'starlette', 'uvicorn', 'httpx', 'prometheus_client', 'urllib.request',"
        " 'voltscope.cli.status', 'sqlite3') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_engines_carry_nothing_of_the_command_line(cli: Cli) -> None:
    code = (
        "import sys, voltscope.cli as c\n"
        "try: c.main(['engine', 'exporter', '--help'])\n"
        "except SystemExit:\n"
        "    print(*[m for m in ('click', 'voltscope.cli.program') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--data-dir" in done.stdout
    assert done.stderr.strip() == ""


def test_an_engine_runs_alone_and_stops(cli: Cli, parts: SiteParts, tmp_path: Path) -> None:
    config = tmp_path / "exporter.json"
    config.write_text('{"port": 0}')
    for lead in ([], ["--site", str(parts.file)]):  # round click, and through it
        with subprocess.Popen(
            [sys.executable, "-m", "voltscope.cli", *lead, "engine", "exporter", "--config", str(config),
             "--volttron-home", str(parts.volttron_home)],
            env=cli.environment(), stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            starts = parts.volttron_home / "voltscope" / "exporter" / "starts.json"
            until(lambda path=starts: path.exists() or process.poll() is not None)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        starts.unlink()


def test_the_console_serves_until_interrupted(cli: Cli, parts: SiteParts) -> None:
    with subprocess.Popen([sys.executable, "-m", "voltscope.cli", "console"], env=cli.environment()) as process:
        until(lambda: process.poll() is not None or _answers(parts.content["console"] + "/-/healthy"))
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def _answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=30).status == 200)
    except OSError:
        return False


def complete(cli: Cli, folder: Path, *words: str) -> list[str]:
    """What a real bash offers after these words."""
    folder.mkdir(exist_ok=True)
    script = folder / "voltscope"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m voltscope.cli "$@"\n')
    script.chmod(0o755)
    code = (
        'eval "$(voltscope completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_voltscope_completion voltscope; printf "%s\\n" "${COMPREPLY[@]}"; complete -p voltscope >&2'
    )
    env = cli.environment()
    done = subprocess.run(
        ["bash", "--norc", "-c", code, "bash", "voltscope", *words],
        env={**env, "PATH": f"{folder}:{env['PATH']}"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "-F _voltscope_completion voltscope" in done.stderr, done.stderr
    return done.stdout.split()


def test_bash_completes_commands_options_values_and_agents(cli: Cli, exporter: str, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    assert complete(cli, folder, "sta") == ["status"]
    assert complete(cli, folder, "profile", "--ki") == ["--kind"]
    assert complete(cli, folder, "logs", "--level", "e") == ["error"]
    assert complete(cli, folder, "profile", "platform.") == ["platform.driver", "platform.historian"]
    assert complete(cli, folder, "logs", "--agent", "li") == ["listener"]


def test_completion_is_silent_when_nobody_answers(cli: Cli, tmp_path: Path) -> None:
    assert complete(cli, tmp_path / "bin", "profile", "plat") == []


@pytest.mark.parametrize(("shell", "sign"), [("zsh", "#compdef voltscope"), ("fish", "complete --no-files")])
def test_other_shells_get_their_script(cli: Cli, shell: str, sign: str) -> None:
    assert sign in cli("completion", shell).stdout
