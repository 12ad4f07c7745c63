"""`voltscope probe`: what it writes, what Python makes of that, and what agents say."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_site import Cli, SiteParts, make_facts
from waiting import until

from voltscope.cli.probe import restart_command
from voltscope.cli.probe_environment import FILE, LINE, Environment, at, file_in, of_process
from voltscope.errors import ProbeEnvironment
from voltscope.platform.agents import Facts

ROOT = Path(__file__).parents[3]
OURS = "import sys; print(sorted(name for name in sys.modules if name.startswith('voltscope')))"
# As an agent does; the environments here have none.
GEVENT = "try:\n import gevent\nexcept ModuleNotFoundError:\n pass\n"
# What the line does in an agent, and what every agent does then.
BEGIN = "import voltscope.probe.start as start; start.begin(); import gevent.monkey; gevent.monkey.patch_all()\n"
Start = Callable[..., "subprocess.Popen[bytes]"]


def environment_of(folder: Path, library: Path | None) -> Path:
    """A virtual environment that finds voltscope in `library`, as an editable installation by poetry is found."""
    venv.EnvBuilder(symlinks=True).create(folder)
    if library is not None:
        (packages(folder) / "voltscope.pth").write_text(f"{library}\n")
    return folder


def packages(environment: Path) -> Path:
    (found,) = environment.glob("lib/python3*/site-packages")
    return found


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return environment_of(tmp_path / "venv", ROOT)


def python(environment: Path, *arguments: str, agent: bool = False) -> subprocess.CompletedProcess[str]:
    """What a Python of the environment does at its start, in an agent's process or any other."""
    variables = {"AGENT_VIP_IDENTITY": "listener", "VOLTTRON_HOME": str(environment)} if agent else {}
    return subprocess.run(
        [str(environment / "bin" / "python"), *arguments], env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def start(parts: SiteParts) -> Iterator[Start]:
    """Starts agents: our own children, for we are the platform."""
    (parts.volttron_home / "VOLTTRON_PID").write_text(str(os.getpid()))
    started = []

    def start_agent(identity: str, source: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{source}\nprint('ready', flush=True)\ninput()"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, cwd=ROOT,
            env={**os.environ, "AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(parts.volttron_home)},
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        return process

    yield start_agent
    for process in started:
        process.kill()
        process.communicate()


def told(cli: Cli, *arguments: str) -> dict[str, Any]:
    done = cli("probe", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_enabled_agents_load_it_and_nobody_else_does(cli: Cli, environment: Path) -> None:
    line = packages(environment) / FILE
    assert told(cli, "enable", "--venv", str(environment)) == {
        "environment": str(environment), "file": str(line), "enabled": True, "changed": True, "restart": [],
        "command": None,
    }  # fmt: skip
    assert line.read_text() == LINE
    assert line.stat().st_mode & 0o777 == 0o644
    assert list(packages(environment).glob(f".{FILE}*")) == []
    assert python(environment, "-c", OURS).stdout == "[]\n"
    assert python(environment, "-c", OURS, agent=True).stdout == "[]\n"
    assert "'voltscope.probe.start'" in python(environment, "-c", GEVENT + OURS, agent=True).stdout
    assert told(cli, "enable", "--venv", str(environment))["changed"] is False
    assert told(cli, "disable", "--venv", str(environment))["enabled"] is False
    assert not line.exists()
    assert python(environment, "-c", GEVENT + OURS, agent=True).stdout == "[]\n"
    assert told(cli, "disable", "--venv", str(environment))["changed"] is False


def test_what_waits_for_gevent_is_gone_when_it_has_come(environment: Path) -> None:
    finders = "import sys; print(getattr(sys.meta_path[0], '__name__', ''), len(sys.meta_path))\n"
    usual = int(python(environment, "-c", finders).stdout.split()[-1])
    (packages(environment) / FILE).write_text(LINE)
    found = python(
        environment,
        "-c",
        f"{finders}{GEVENT}{finders}import voltscope.probe.start as start; print(start._begun)",
        agent=True,
    )
    assert found.stderr == ""
    before, after, begun = found.stdout.splitlines()
    assert before == f"VoltscopeProbe {usual + 1}"
    assert int(after.split()[-1]) == usual and "VoltscopeProbe" not in after
    assert begun == "True"
    # what another .pth file has imported before
    (packages(environment) / "a.pth").write_text("import sys; sys.modules['gevent'] = sys\n")
    assert "'voltscope.probe.start'" in python(environment, "-c", OURS, agent=True).stdout


def test_pip_python_and_vctl_load_nothing_of_ours(environment: Path) -> None:
    """They run in that environment, too; -X importtime names every module on stderr."""
    (packages(environment) / FILE).write_text(LINE)
    found = importlib.util.find_spec("pip")
    assert found is not None and found.submodule_search_locations
    (packages(environment) / "pip").symlink_to(found.submodule_search_locations[0])
    vctl = environment / "bin" / "vctl"
    vctl.write_text("import argparse\nprint('vctl works')\n")
    for arguments, says in ((["-m", "pip", "--version"], "pip "), (["-c", "pass"], ""), ([str(vctl)], "vctl works")):
        done = python(environment, "-X", "importtime", *arguments)
        assert done.returncode == 0
        assert done.stdout.startswith(says)
        assert "voltscope" not in done.stderr
        assert "import time:" in done.stderr


@pytest.mark.parametrize(
    "broken",
    [
        None, "raise ImportError('half removed')", "this is no Python", "raise SystemExit(3)", "1 / 0",
        "import sys; sys.exit('gone')", "raise RecursionError",
    ],
)  # fmt: skip
def test_whatever_is_wrong_with_voltscope_python_starts(tmp_path: Path, broken: str | None) -> None:
    """`None`: it was uninstalled, and the line stayed."""
    library = tmp_path / "library"
    (library / "voltscope" / "probe").mkdir(parents=True)
    if broken is not None:
        (library / "voltscope" / "__init__.py").touch()
        (library / "voltscope" / "probe" / "__init__.py").touch()
        (library / "voltscope" / "probe" / "start.py").write_text(broken)
    environment = environment_of(tmp_path / "venv", library)
    (packages(environment) / FILE).write_text(LINE)
    for agent in (True, False):
        done = python(environment, "-c", GEVENT + "print('started')", agent=agent)
        assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")


def test_its_line_is_one_line_that_comes_after_an_editable_voltscope() -> None:
    assert LINE.count("\n") == 1 and LINE.startswith("import ") and LINE.isascii()
    assert sorted([FILE, "voltscope.pth", "__editable__.voltscope-0.1.0.pth", "_voltscope.pth"])[-1] == FILE


def test_without_voltscope_it_is_refused_and_said_how_to_get_it(cli: Cli, tmp_path: Path) -> None:
    empty = environment_of(tmp_path / "empty", None)
    done = cli("probe", "enable", "--venv", str(empty))
    assert done.returncode == 2
    assert f"{empty}/bin/pip install voltscope" in done.stderr
    assert not (packages(empty) / FILE).exists()
    done = cli("probe", "enable", "--venv", str(tmp_path), "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "probe-environment"


def test_an_environment_does_not_choose_where_root_writes(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").touch()
    python = tmp_path / "bin" / "python3"
    python.write_text('#!/bin/sh\necho a line of another .pth\necho \'{"purelib": "/usr/lib", "voltscope": true}\'\n')
    python.chmod(0o755)
    with pytest.raises(ProbeEnvironment, match="packages elsewhere, in /usr/lib"):
        at(tmp_path)
    python.write_text("#!/bin/sh\n")
    with pytest.raises(ProbeEnvironment, match="cannot be asked"):
        at(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_nor_does_one_whose_owner_has_taken_away_what_tells_an_environment() -> None:
    with tempfile.TemporaryDirectory(prefix="voltscope-") as name:
        python = Path(name) / "bin" / "python3"
        python.parent.mkdir(mode=0o755)
        python.write_text('#!/bin/sh\necho \'{"purelib": "/usr/lib", "voltscope": true}\'\n')
        python.chmod(0o755)
        os.chown(name, 65534, 65534)
        with pytest.raises(ProbeEnvironment, match="packages elsewhere, in /usr/lib"):
            at(Path(name))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_root_writes_and_removes_as_the_owner_of_the_environment() -> None:
    with tempfile.TemporaryDirectory(prefix="voltscope-") as name:
        prefix, roots = Path(name) / "venv", Path(name) / "roots"
        folder = prefix / "lib" / "python3" / "site-packages"
        folder.mkdir(parents=True)
        roots.mkdir(mode=0o755)
        Path(name).chmod(0o755)
        for one in (prefix, *prefix.rglob("*")):
            os.chown(one, 65534, 65534)
        found = Environment(prefix, folder / FILE, True)
        assert found.enable()
        assert (found.file.stat().st_uid, found.file.stat().st_gid) == (65534, 65534)
        assert found.disable()
        folder.rmdir()
        folder.symlink_to(roots)
        with pytest.raises(ProbeEnvironment, match="cannot be written"):
            found.enable()
        (roots / FILE).touch()
        with pytest.raises(ProbeEnvironment, match="cannot be written"):
            found.disable()
        assert [one.name for one in roots.iterdir()] == [FILE]
        assert (os.geteuid(), os.getegid()) == (0, os.getgid())


def test_a_folder_that_cannot_be_written_is_refused(environment: Path) -> None:
    folder = packages(environment)
    found = Environment(environment, folder / FILE, True)
    nobody = pwd.getpwnam("nobody")
    if os.geteuid() != 0:
        folder.chmod(0o555)
        with pytest.raises(ProbeEnvironment, match="cannot be written"):
            found.enable()
        return
    before = os.geteuid()
    os.seteuid(nobody.pw_uid)
    try:
        with pytest.raises(ProbeEnvironment, match="cannot be written"):
            found.enable()
    finally:
        os.seteuid(before)


def test_the_default_is_the_environment_of_the_running_platform(cli: Cli, parts: SiteParts, environment: Path) -> None:
    done = cli("probe", "status")
    assert done.returncode == 2
    assert "no platform runs" in done.stderr
    platforms = (
        ([str(environment / "bin" / "python")], {}),
        ([os.path.realpath(sys.executable)], {"VIRTUAL_ENV": str(environment)}),
        ([os.path.realpath(sys.executable)], {}),
    )
    for command, variables in platforms:
        with subprocess.Popen([*command, "-c", "input()"], stdin=subprocess.PIPE, env=variables) as process:
            try:
                (parts.volttron_home / "VOLTTRON_PID").write_text(str(process.pid))
                until(lambda pid=process.pid: Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"input()\0"))
                done = cli("probe", "status", "--json")
            finally:
                process.kill()
        if command == platforms[2][0] and not variables:
            assert done.returncode == 2
            assert "runs in the system's own Python" in done.stderr
        else:
            assert json.loads(done.stdout) == {
                "environment": str(environment), "file": str(packages(environment) / FILE), "enabled": False,
                "importable": True, "agents": [],
            }  # fmt: skip


def test_each_agents_state_is_told_with_what_to_do(cli: Cli, parts: SiteParts, environment: Path, start: Start) -> None:
    pids = {
        "answers": start("answers", BEGIN + "import gevent; gevent.spawn(gevent.sleep, 3600); gevent.sleep(0)").pid,
        "before": start("before", "import gevent").pid,
        "plain": start("plain", "").pid,
    }
    sockets = parts.volttron_home / "voltscope" / "probe"
    until((sockets / f"{pids['answers']}.sock").exists)
    enabled = told(cli, "enable", "--venv", str(environment))
    assert (enabled["restart"], enabled["command"]) == (["before"], "vctl restart --uuid before")
    found = {one.pop("agent"): one for one in told(cli, "status", "--venv", str(environment))["agents"]}
    assert {name: (one["pid"], one["state"]) for name, one in found.items()} == {
        "answers": (pids["answers"], "answers"), "before": (pids["before"], "not-loaded"),
        "plain": (pids["plain"], "no-gevent"),
    }  # fmt: skip
    assert found["answers"]["greenlets"] >= 2
    pids["after"] = start("after", "import gevent").pid
    lines = cli("probe", "status", "--venv", str(environment)).stdout.splitlines()
    assert lines[0] == f"The probe is enabled in {environment}."
    words = {line.split()[0]: line for line in lines[2:]}
    assert "restart it" in words["before"]
    assert "does it run in another environment?" in words["after"]
    disabled = told(cli, "disable", "--venv", str(environment))
    assert (disabled["enabled"], disabled["restart"]) == (False, ["answers"])


def test_waiting_greenlets_are_dumped_and_profiled(
    cli: Cli, parts: SiteParts, facts: list[Facts], profiler: str, start: Start
) -> None:
    source = (
        f"{BEGIN}import gevent; from gevent.event import Event\n"
        "def wait_for_the_meter(): Event().wait()\nkept = gevent.spawn(wait_for_the_meter)\ngevent.sleep(0)"
    )
    pid = start("listener", source).pid
    until((parts.volttron_home / "voltscope" / "probe" / f"{pid}.sock").exists)
    facts[0] = make_facts(parts, pid)
    dumped = cli("threads", "listener").stdout
    assert dumped.startswith(f"listener (pid {pid}) at ")
    assert ": 2 threads, 3 greenlets\n" in dumped
    assert "\nvoltscope probe (thread " in dumped
    head, frame, spawned = dumped[dumped.index("wait_for_the_meter (greenlet ") :].splitlines()[:3]
    assert " waiting for at least " in head
    assert frame == "    wait_for_the_meter (<string>:3)"
    assert spawned.startswith("    spawned at <module> (<string>:4)")
    done = cli("profile", "listener", "--kind", "greenlet", "-d", "1", "--top", "2")
    assert done.returncode == 0, done.stderr
    assert "3 greenlets; most time in " in done.stdout
    assert "wait_for_the_meter" in done.stdout


def test_agents_are_restarted_by_what_either_generation_calls_them(tmp_path: Path) -> None:
    modular = tmp_path / "agents" / "listener"
    modular.mkdir(parents=True)
    (modular / "UUID").write_text("77a9")
    monolithic = tmp_path / "agents" / "0a1b"
    monolithic.mkdir()
    (monolithic / "IDENTITY").write_text("platform.historian")
    assert restart_command(tmp_path, ["listener", "platform.historian", "a b"]) == "vctl restart --uuid 77a9 0a1b 'a b'"


def test_the_environment_of_a_process_and_its_file_are_found_without_asking_it(
    tmp_path: Path, environment: Path
) -> None:
    (tmp_path / "7").mkdir()
    assert of_process(7, tmp_path) is None
    (tmp_path / "7/cmdline").write_bytes(b"python\0x.py\0")
    (tmp_path / "7/environ").write_bytes(b"VIRTUAL_ENV=" + os.fsencode(environment) + b"\0")
    assert of_process(7, tmp_path) == environment
    assert file_in(environment) is None
    (packages(environment) / FILE).write_text(LINE)
    assert file_in(environment) == packages(environment) / FILE
