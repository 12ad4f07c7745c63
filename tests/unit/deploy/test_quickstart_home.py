"""Homes and what they share: ports, state, the registry, the copied sources."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from quickstart_lib import sources
from quickstart_lib.account import Account, Runner, handed_on
from quickstart_lib.failure import StepFailed
from quickstart_lib.registry import registry
from quickstart_lib.state import Home, Ports, taken
from quickstart_lib.supervise import Supervisor
from quickstart_lib.up import halt

ME = Account("me", os.geteuid(), os.getegid(), drop=False)


def test_ports_are_counted_from_the_base() -> None:
    ports = Ports(20000)
    always = {"prometheus": 20000, "exporter": 20003, "profiler": 20004, "console": 20005}
    assert ports.named(grafana=False, opensearch=False, alerting=False) == always
    assert ports.named(grafana=True, opensearch=True, alerting=True) == {
        **always,
        "grafana": 20006,
        "alertmanager": 20007,
        "alertd": 20008,
        "opensearch": 20001,
        "opensearch_transport": 20002,
    }


def test_a_taken_port_is_named_with_its_part() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert taken({"console": port}) == {"console": port}
    assert taken({"console": port}) == {}


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="vs-", dir="/var/tmp") as folder:
        yield Path(folder)


def test_a_folder_with_somebodys_files_is_refused(short: Path) -> None:
    (short / "thesis.tex").touch()
    with pytest.raises(StepFailed, match="not the quickstart's"):
        Home(short).check_usable()


def test_a_home_too_long_for_sockets_is_refused() -> None:
    with pytest.raises(StepFailed, match="longer than 70 bytes"):
        Home(Path("/var/tmp") / ("x" * 70)).check_usable()  # noqa: S108 (never made)


def test_a_new_and_an_empty_folder_and_our_own_are_usable(short: Path) -> None:
    Home(short / "new").check_usable()
    home = Home(short)
    home.check_usable()
    home.save(done=True)
    home.check_usable()


def test_state_comes_back_with_its_ports(tmp_path: Path) -> None:
    Home(tmp_path, Ports(22000)).save(agents={"listener": "x"})
    again = Home(tmp_path)
    again.load()
    assert (again.ports.base, again.state["agents"]) == (22000, {"listener": "x"})


def test_the_registry_lasts_while_a_home_does(tmp_path: Path) -> None:
    file = tmp_path / "homes.json"
    with registry(file) as known:
        known.homes = ["/a", "/b"]
        known.packages = ["prometheus"]
    with registry(file) as known:
        assert (known.homes, known.packages, known.user) == (["/a", "/b"], ["prometheus"], "")
        known.homes, known.packages = [], []
    assert list(tmp_path.iterdir()) == []


def test_git_decides_which_sources_are_copied(tmp_path: Path) -> None:
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("kept.py", "new.py", "ignored.log"):
        (root / name).write_text(name)
    (root / ".gitignore").write_text("*.log\n")
    subprocess.run(["git", "init", "-q", root], check=True)
    subprocess.run(["git", "-C", root, "add", "kept.py", ".gitignore"], check=True)
    assert [str(name) for name in sources.source_files(root)] == [".gitignore", "kept.py", "new.py"]


def test_without_git_all_but_caches_are_copied(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for name in ("voltscope/a.py", "voltscope/__pycache__/a.pyc", "voltscope.egg-info/PKG-INFO", "dist/a.whl"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    assert sources.source_files(root) == [Path("voltscope/a.py")]


def test_copied_sources_replace_older_ones_and_can_be_read_by_others(home: Home, tmp_path: Path) -> None:
    root = tmp_path / "clone"
    root.mkdir(mode=0o700)
    script = root / "run"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    (home.source / "gone").mkdir(parents=True)
    sources.copy_sources(home, ME, [Path("run")], root)
    assert [path.name for path in home.source.iterdir()] == ["run"]
    assert (home.source / "run").stat().st_mode & 0o777 == 0o755
    assert home.source.stat().st_mode & 0o777 == 0o755


def test_a_changed_file_changes_the_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("1")
    before = sources.fingerprint([Path("a.py")], tmp_path)
    file.write_text("2")
    assert sources.fingerprint([Path("a.py")], tmp_path) != before


def test_only_what_package_tools_need_is_handed_on() -> None:
    given = {
        "PIP_INDEX_URL": "https://i/simple",
        "https_proxy": "http://p",
        "SSL_CERT_FILE": "/c.pem",
        "AWS_SECRET_ACCESS_KEY": "x",
        "LD_PRELOAD": "/x.so",
        "PIP_CONFIG_FILE": os.devnull,
    }
    assert handed_on(given, Path("/nonexistent")) == {
        name: given[name] for name in ("PIP_INDEX_URL", "https_proxy", "SSL_CERT_FILE", "PIP_CONFIG_FILE")
    }


def test_an_agent_that_its_platform_left_behind_is_ended_before_the_next_start(home: Home) -> None:
    agent = subprocess.Popen(
        [sys.executable, "-c", "print(1, flush=True); import signal; signal.pause()"],
        env={"VOLTTRON_HOME": str(home.volttron)},
        stdout=subprocess.PIPE,
    )
    try:
        assert agent.stdout is not None and agent.stdout.readline()
        runner = Runner(home, ME)
        waiting = threading.Thread(target=agent.wait)  # else what has ended is seen until it is asked for
        waiting.start()
        halt(home, runner, Supervisor(home, runner))
        waiting.join(60)
        assert agent.poll() is not None
    finally:
        agent.kill()
