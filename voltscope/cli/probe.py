"""`voltscope probe`: let agents load the greenlet probe at their start, and see which have it."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voltscope.cli import exits
from voltscope.cli.options import json_option, site_of
from voltscope.cli.terminal import Cell, Column, shown, table, width
from voltscope.errors import ProbeAbsent, ProbeEnvironment, ProbeError, TargetGone

if TYPE_CHECKING:
    from collections.abc import Callable

    from voltscope.cli.options import CommandT
    from voltscope.cli.probe_environment import Environment
    from voltscope.profiling.targets import Target

ANSWERS, NOT_LOADED, NO_GEVENT, FAILED = "answers", "not-loaded", "no-gevent", "failed"
_COLOUR = {ANSWERS: "green", NOT_LOADED: "yellow", NO_GEVENT: None, FAILED: "red"}
_COLUMNS = [Column("AGENT"), Column("PID", True, 2), Column("PROBE"), Column("", spare=1)]


@dataclass(frozen=True)
class Found:
    """An agent that runs. `state`: answers, not-loaded, no-gevent or failed; `words`: the same for people."""

    agent: str
    pid: int
    state: str
    words: str
    greenlets: int | None = None


@click.group()
def probe() -> None:
    """Let agents tell of their greenlets: the probe that they load at start.

    Opt-in: once it is enabled, every agent that is started in that environment carries a thread that waits to be asked
    where each greenlet stands. Agents that run already must be restarted; pip, vctl and poetry are left alone.
    """


def _venv_option() -> Callable[[CommandT], CommandT]:
    return click.option(
        "--venv", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
        help="The environment. Default: the one the site's platform runs in.",
    )  # fmt: skip


@probe.command("enable")
@_venv_option()
@json_option("Print one JSON object: the environment, and which agents must be restarted.")
@click.pass_context
def enable(ctx: click.Context, venv: Path | None, as_json: bool) -> int:
    """Have agents load the probe when they are started next.

    Writes voltscope_probe.pth, one line that Python executes at its start, into the environment's site-packages;
    doing it twice changes nothing.
    """
    home = Path(site_of(ctx).volttron_home)
    environment = _environment(home, venv)
    changed = environment.enable()
    lacking = [found.agent for found in _agents(home, environment) if found.state == NOT_LOADED]
    done = "Enabled" if changed else "It was enabled already"
    _say(home, environment, changed, lacking, f"{done} in {environment.prefix}.", "without it", as_json=as_json)
    return exits.OK


@probe.command("disable")
@_venv_option()
@json_option("Print one JSON object: the environment, and which agents carry it until they are restarted.")
@click.pass_context
def disable(ctx: click.Context, venv: Path | None, as_json: bool) -> int:
    """Have agents load the probe no more.

    Those that carry it do so until they are restarted; nobody needs to be.
    """
    home = Path(site_of(ctx).volttron_home)
    environment = _environment(home, venv)
    changed = environment.disable()
    carrying = [found.agent for found in _agents(home, environment) if found.state == ANSWERS]
    done = "Disabled" if changed else "It was not enabled"
    _say(home, environment, changed, carrying, f"{done} in {environment.prefix}.", "with it", as_json=as_json)
    return exits.OK


@probe.command("status")
@_venv_option()
@json_option("Print one JSON object: environment, file, enabled, importable, and agents with their state.")
@click.pass_context
def status(ctx: click.Context, venv: Path | None, as_json: bool) -> int:
    """Show whether the probe is enabled, and which agents answer.

    A running agent's state is answers, not-loaded (restart it), no-gevent (nothing to see there) or failed.
    """
    home = Path(site_of(ctx).volttron_home)
    environment = _environment(home, venv)
    found = _agents(home, environment)
    if as_json:
        agents = [asdict(one) for one in found]
        click.echo(json.dumps({**_told(environment), "importable": environment.importable, "agents": agents}))
        return exits.OK
    click.echo(f"The probe is {'enabled' if environment.enabled else 'not enabled'} in {environment.prefix}.")
    if not environment.importable:
        click.echo(f"voltscope cannot be imported there: {environment.prefix}/bin/pip install voltscope")
    if found:
        rows = [
            [Cell(shown(one.agent)), Cell(str(one.pid)), Cell(one.state, _COLOUR[one.state]), Cell(shown(one.words))]
            for one in found
        ]
        click.echo("\n" + "\n".join(table(_COLUMNS, rows, width())))
    return exits.OK


def _environment(home: Path, venv: Path | None) -> Environment:
    """Raises ProbeEnvironment when it cannot be told, or is the system's own."""
    from voltscope.cli import probe_environment
    from voltscope.platform.home import platform_pid

    if venv is not None:
        return probe_environment.at(venv.absolute())
    remedy = "Name the environment of its agents: --venv DIR"
    pid = platform_pid(home)
    if pid is None or not Path(f"/proc/{pid}").exists():
        raise ProbeEnvironment(f"no platform runs with VOLTTRON_HOME {home}, whose environment would be taken.", remedy)
    prefix = probe_environment.of_process(pid)
    if prefix is None:
        raise ProbeEnvironment(
            f"the platform, process {pid}, runs in the system's own Python or may not be looked at.", remedy
        )
    return probe_environment.at(prefix)


def _agents(home: Path, environment: Environment) -> list[Found]:
    """Every agent of the platform that runs; none where they are another user's and may not be looked at."""
    from voltscope.engine.service import FactsAnswer
    from voltscope.platform.processes import ProcessTable
    from voltscope.profiling.targets import PLATFORM, Targets

    try:
        owner = home.stat().st_uid if os.geteuid() == 0 else os.geteuid()
    except OSError:
        return []
    targets = Targets(lambda _: FactsAnswer(None, None, None), home, uid=owner).all()
    born = ProcessTable().started_at(target.pid for target in targets)
    try:
        since = environment.file.stat().st_mtime if environment.enabled else None
    except OSError:
        since = None
    return [
        _judged(home, target, since is not None and (born.get(target.pid) or 0.0) > since, since is not None)
        for target in targets
        if target.agent != PLATFORM
    ]


def _judged(home: Path, target: Target, begun_since: bool, enabled: bool) -> Found:
    """`begun_since`: whether it was started after the probe was enabled."""
    from voltscope.live.probes import Probe

    def found(state: str, words: str, greenlets: int | None = None) -> Found:
        return Found(target.agent, target.pid, state, words, greenlets)

    asked = Probe(home, target.pid)
    try:
        if asked.ask("hello").get("gevent") is None:
            return found(NO_GEVENT, "it has the probe, and no gevent")
        count = asked.ask("count").get("greenlets")
        return found(ANSWERS, f"{count} greenlets", count if isinstance(count, int) else None)
    except ProbeAbsent:
        if not _has_gevent(target.pid):
            return found(NO_GEVENT, "not an agent with gevent")
        if not enabled:
            return found(NOT_LOADED, "the probe is not enabled")
        if begun_since:
            return found(NOT_LOADED, "started since it is enabled: does it run in another environment?")
        return found(NOT_LOADED, "restart it")
    except (ProbeError, TargetGone) as error:
        return found(FAILED, str(error))


def _has_gevent(pid: int) -> bool:
    """Whether the process has loaded gevent or greenlet; true where we may not look."""
    try:
        mapped = Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return True
    return b"/gevent/" in mapped or b"/greenlet/" in mapped


def restart_command(home: Path, agents: list[str]) -> str:
    """What restarts these agents: `vctl` wants their uuid, which names the folder (monolithic) or stands in it."""
    uuids = {}
    for file in sorted((home / "agents").glob("*/IDENTITY")):
        uuids[file.read_text(errors="replace").strip()] = file.parent.name
    for file in sorted((home / "agents").glob("*/UUID")):
        uuids[file.parent.name] = file.read_text(errors="replace").strip()
    return shlex.join(["vctl", "restart", "--uuid", *(uuids.get(agent, agent) for agent in agents)])


def _told(environment: Environment) -> dict[str, object]:
    return {"environment": str(environment.prefix), "file": str(environment.file), "enabled": environment.enabled}


def _say(
    home: Path, environment: Environment, changed: bool, agents: list[str], done: str, how: str, *, as_json: bool
) -> None:
    """What was done, and the agents that run as before."""
    command = restart_command(home, agents) if agents else None
    if as_json:
        click.echo(json.dumps({**_told(environment), "changed": changed, "restart": agents, "command": command}))
        return
    click.echo(f"{click.style('✓', fg='green')} {done}")
    if command is not None:
        click.echo(f"{shown(', '.join(agents))} run{'s' * (len(agents) == 1)} {how} until restarted:\n")
        click.echo(f"    {shown(command)}")
