"""`voltscope top`, `threads`, `profile --diff` and the filters of `captures`, against the real profiler."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_site import OPERATOR_SECRET, Cli, SiteParts


def captured(cli: Cli, *further: str) -> str:
    """The id of a capture just made."""
    done = cli("profile", "listener", "-d", "1", "--json", *further)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["id"])


def test_a_thread_dump_shows_threads_states_and_frames(cli: Cli, profiler: str, busy: int) -> None:
    done = cli("threads", "listener")
    assert done.returncode == 0, done.stderr
    assert re.match(rf"listener \(pid {busy}\) at .*Z: 1 thread\n\nMainThread \(thread {busy}\) ", done.stdout)
    assert re.search(r"^    spin_the_wheel \(<string>:\d\)$", done.stdout, re.MULTILINE)
    assert "Greenlets that wait" in done.stdout
    assert json.loads(cli("threads", "listener", "--json").stdout)["threads"][0]["id"] == busy
    assert OPERATOR_SECRET not in done.stdout + done.stderr


def test_a_thread_dump_that_cannot_be_had_says_why(cli: Cli, parts: SiteParts, profiler: str) -> None:
    done = cli("threads", "nobody")
    assert (done.returncode, "listener" in done.stderr) == (2, True)
    parts.update(credentials=None)
    assert cli("threads", "listener").returncode == 4


def test_top_once_names_the_hot_function_and_leaves_no_capture(cli: Cli, profiler: str) -> None:
    done = cli("top", "listener", "--once", "-d", "1", "-n", "3")
    assert done.returncode == 0, done.stderr
    assert re.search(r"spin_the_wheel +\d+\.\d% +\d+\.\d% ", done.stdout), done.stdout
    assert "\x1b" not in done.stdout
    told = json.loads(cli("top", "listener", "--once", "-d", "1", "--json").stdout)
    assert (told["agent"], told["unit"]) == ("listener", "samples")
    assert "spin_the_wheel" in told["functions"][0]["function"]
    assert json.loads(cli("captures", "--json").stdout)["captures"] == []


def test_top_goes_on_until_ctrl_c(cli: Cli, profiler: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "voltscope.cli", "top", "listener", "-d", "1", "--json"],
        env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        tables = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read().strip() == "Stopped."
    assert all(table["total"] for table in tables)


def test_top_of_continuous_profiles_says_when_there_are_none(cli: Cli, profiler: str) -> None:
    done = cli("top", "listener", "--continuous", "--once")
    assert done.returncode == 1
    assert "`continuous`" in done.stderr


def test_a_difference_is_told_and_written(cli: Cli, profiler: str, tmp_path: Path) -> None:
    before, after = captured(cli), captured(cli, "--kind", "cpu")
    done = cli("profile", "--diff", before, after, "-o", "change.svg")
    assert done.returncode == 0, done.stderr
    assert "difference" in (tmp_path / "change.svg").read_text()
    assert done.stdout.startswith("before  cpu · ")
    assert "✓ change.svg" in done.stdout
    told = json.loads(cli("profile", "--diff", before, after, "--json").stdout)
    assert {"before", "after", "changes", "own_changes"} <= set(told)
    folded = cli("profile", "--diff", before, after, "-o", "-", "--format", "folded")
    assert all(re.fullmatch(r".+ \d+ \d+", line) for line in folded.stdout.splitlines())


@pytest.mark.parametrize(
    "wrong",
    [
        ("profile",),
        ("profile", "listener", "--diff", "a", "b"),
        ("profile", "--diff", "a", "b", "-o", "x.pb.gz"),
        ("profile", "--diff", "a"),
    ],
)
def test_a_difference_asked_for_wrongly_is_a_usage_error(cli: Cli, wrong: tuple[str, ...]) -> None:
    assert cli(*wrong).returncode == 2


def test_a_difference_of_what_is_not_there_is_refused_in_words(cli: Cli, profiler: str) -> None:
    done = cli("profile", "--diff", "01ARZ3NDEKTSV4RRFFQ69G5FAV", captured(cli))
    assert done.returncode == 2
    assert "there is no capture" in done.stderr


def test_pprof_and_json_are_formats_too(cli: Cli, profiler: str, tmp_path: Path) -> None:
    assert cli("profile", "listener", "-d", "1", "-o", "a.pb.gz", "--backend", "py-spy").returncode == 0
    assert b"spin_the_wheel" in gzip.decompress((tmp_path / "a.pb.gz").read_bytes())
    assert cli("profile", "listener", "-d", "1", "-o", "a.json", "--children").returncode == 0
    assert json.loads((tmp_path / "a.json").read_text())["functions"]
    done = cli("profile", "listener", "-d", "1", "--backend", "gdb")
    assert done.returncode == 2
    assert "py-spy" in done.stderr


def test_captures_are_filtered(cli: Cli, profiler: str) -> None:
    wall, cpu = captured(cli, "--kind", "wall"), captured(cli)

    def found(*filters: str) -> list[str]:
        done = cli("captures", "--json", *filters)
        assert done.returncode == 0, done.stderr
        return [entry["id"] for entry in json.loads(done.stdout)["captures"]]

    assert found("--kind", "wall") == [wall]
    assert found("--agent", "list*", "--reason", "on-*", "--since", "1h", "--state", "done") == [cpu, wall]
    assert found("--until", "1h") == []
    assert "None of 2 captures" in cli("captures", "--agent", "other").stdout
