"""`voltscope profile` and `captures` against the real profiler, which runs py-spy on a real process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cli_site import OPERATOR_SECRET, Cli, SiteParts

from voltscope.cli.profile import hottest


def test_a_flamegraph_of_a_busy_agent_names_its_hot_function(cli: Cli, profiler: str, tmp_path: Path) -> None:
    done = cli("profile", "listener", "-d", "1", "-o", "flame.svg", "--top", "3")
    assert done.returncode == 0, done.stderr
    svg = (tmp_path / "flame.svg").read_text()
    assert svg.lstrip().startswith(("<?xml", "<svg"))
    assert "spin_the_wheel" in svg
    assert (tmp_path / "flame.svg").stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert done.stderr == "Recording listener for 1 s at 100 Hz …\n"
    share = re.search(r"([\d.]+)% +[\d,]+  spin_the_wheel", done.stdout)
    assert share is not None, done.stdout
    assert float(share[1]) > 50
    assert done.stdout.rstrip().splitlines()[-1].startswith("✓ flame.svg (")
    assert OPERATOR_SECRET not in done.stdout + done.stderr


def _umask() -> int:
    import os

    found = os.umask(0o022)
    os.umask(found)
    return found


@pytest.mark.parametrize("name", ["a.folded", "a.speedscope.json"])
def test_the_suffix_tells_the_format(cli: Cli, profiler: str, tmp_path: Path, name: str) -> None:
    done = cli("profile", "listener", "-d", "1", "-o", name, "--json")
    assert done.returncode == 0, done.stderr
    capture = json.loads(done.stdout)
    assert capture["state"] == "done"
    assert capture["file"] == str(tmp_path / name)
    text = (tmp_path / name).read_text()
    if name.endswith(".json"):
        assert "speedscope.app" in json.loads(text)["$schema"]
    else:
        assert re.search(r"spin_the_wheel.* \d+$", text, re.MULTILINE)


def test_stdout_takes_the_flamegraph_and_nothing_else(cli: Cli, profiler: str) -> None:
    done = cli("profile", "listener", "-d", "1", "-o", "-", "--format", "folded")
    assert done.returncode == 0, done.stderr
    assert all(re.fullmatch(r".+ \d+", line) for line in done.stdout.splitlines())
    assert "spin_the_wheel" in done.stdout
    assert cli("profile", "listener", "-o", "-", "--json").returncode == 2


def test_captures_lists_what_was_made(cli: Cli, profiler: str) -> None:
    assert "No captures yet" in cli("captures").stdout
    made = json.loads(cli("profile", "listener", "-d", "1", "--json").stdout)
    (found,) = json.loads(cli("captures", "--json").stdout)["captures"]
    assert found["id"] == made["id"]
    assert urllib.request.urlopen(found["url"], timeout=60).status == 200
    text = cli("captures").stdout
    assert re.search(rf"^listener .* done +{made['id']}$", text, re.MULTILINE), text
    cli.env["NO_COLOR"] = "1"
    assert max(map(len, cli.on_terminal("captures")[1].splitlines()[:2])) <= 80


def test_progress_moves_on_a_terminal_and_is_gone_at_the_end(cli: Cli, profiler: str) -> None:
    code, text = cli.on_terminal("profile", "listener", "-d", "3", "-o", "x.svg")
    assert code == 0
    assert len(set(re.findall(r"(\d\.\d) of 3 s", text))) > 1
    assert "\r\x1b[K" in text.rpartition("of 3 s")[2]


def test_an_unknown_agent_is_a_usage_error_naming_those_there_are(cli: Cli, profiler: str, tmp_path: Path) -> None:
    done = cli("profile", "nobody", "-o", "x.svg")
    assert done.returncode == 2
    assert "nobody" in done.stderr
    assert "listener" in done.stderr
    assert not (tmp_path / "x.svg").exists()
    assert json.loads(cli("profile", "nobody", "--json").stdout)["error"]["code"] == "unknown-agent"


def test_a_wrong_secret_is_exit_4(cli: Cli, parts: SiteParts, profiler: str, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    users = [{"name": "operator", "role": "operator", "secret": "some-other-secret-0001"}]
    other.write_text(json.dumps({"version": 1, "users": users}))
    other.chmod(0o600)
    parts.update(credentials=str(other))
    done = cli("profile", "listener")
    assert done.returncode == 4
    assert "some-other-secret" not in done.stdout + done.stderr
    assert cli("captures").returncode == 0  # reading needs none


@pytest.mark.parametrize("case", ["none", "missing", "open", "no-operator"])
def test_without_a_usable_secret_it_is_exit_4_and_says_what_to_do(
    cli: Cli, parts: SiteParts, tmp_path: Path, case: str
) -> None:
    credentials = Path(parts.content["credentials"])
    if case == "none":
        parts.update(credentials=None)
    elif case == "missing":
        credentials.unlink()
    elif case == "open":
        credentials.chmod(0o644)
    else:
        credentials.write_text(json.dumps({"version": 1, "users": []}))
    done = cli("profile", "listener")
    assert done.returncode == 4
    assert done.stderr.startswith("Error: ")
    assert "credential" in done.stderr


def test_a_profiler_that_is_not_there_is_exit_3(cli: Cli) -> None:
    assert cli("profile", "listener").returncode == 3
    assert cli("captures").returncode == 3


@pytest.mark.parametrize("output", ["/nowhere/x.svg", ".", "x.png"])
def test_an_output_that_cannot_be_is_refused_before_the_capture(cli: Cli, parts: SiteParts, output: str) -> None:
    done = cli("profile", "listener", "-o", output)
    assert done.returncode == 2  # and not 3, though no profiler runs
    assert "Traceback" not in done.stderr


def test_ctrl_c_cancels_the_capture(cli: Cli, profiler: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "voltscope.cli", "profile", "listener", "-d", "60", "-o", str(tmp_path / "x.svg")],
        env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Recording")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert "Traceback" not in process.stderr.read()
    assert not list(tmp_path.glob("*x.svg*"))
    recording = [
        entry for entry in json.loads(cli("captures", "--json").stdout)["captures"] if entry["state"] == "recording"
    ]
    assert recording == []


def test_the_hottest_functions_are_those_on_top_of_the_stacks() -> None:
    folded = "main;a;b 6\nmain;a 1\nmain;c;b 1\nmain (x.py:1) 1\nmain (x.py:2) 1\n"
    assert hottest(folded, 2) == [("b", 7, 0.7), ("main (x.py)", 2, 0.2)]
    assert hottest("", 3) == []
