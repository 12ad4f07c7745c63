"""`grafana/check` names the panels that have no data in a live Grafana, and says why it cannot ask one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from dashboard_queries import FILES, ROOT, load, panels
from empty_when_healthy import EMPTY
from grafana_server import TOKEN, grafana
from platform_series import HEALTHY
from prometheus_server import Prometheus
from servers.ports import free_port

CHOSEN = [f"--set={name}={value}" for name, value in {**HEALTHY, "agent": "listener"}.items()]


def check(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "grafana/check"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, input=said)


def test_panels_without_data_are_named_and_no_others(prometheus: Prometheus) -> None:
    with grafana(prometheus, list(FILES)) as url:
        done = check(url, TOKEN, "--hours=0.5", *CHOSEN)
    assert done.returncode == 1, done.stderr
    *lines, last = done.stdout.splitlines()
    named = {tuple(line.split(": ")[1:3]) for line in lines}
    expected = set()
    for name in FILES:
        for panel in panels(load(name)):
            listed = (name, panel["title"]) in EMPTY or ("*", panel["title"]) in EMPTY
            if listed or panel["datasource"]["type"] != "prometheus":
                expected.add((load(name)["title"].removeprefix("voltscope: "), panel["title"]))
    assert named == expected
    assert last == f"{len(expected)} panels have no data"
    assert "Platform: Restarts: no data; it says: No agent was restarted in this time." in done.stdout
    assert "Logs: Records: there is no data source of type elasticsearch" in done.stdout


def test_variables_take_the_first_there_is(prometheus: Prometheus) -> None:
    with grafana(prometheus, ["landscape"]) as url:
        done = check(url, "-", "--hours=0.5", said=TOKEN + "\n")
    assert "Landscape: Firing alerts: no data" in done.stdout  # north is well
    assert "1 panels have no data" in done.stdout


@pytest.mark.parametrize(
    ("token", "boards", "words"),
    [
        ("wrong", ["fleet"], "refuses the token (401): it needs the role Viewer"),
        (TOKEN, [], "has none of our dashboards"),
    ],
)
def test_it_says_why_it_cannot_ask(prometheus: Prometheus, token: str, boards: list[str], words: str) -> None:
    with grafana(prometheus, boards) as url:
        done = check(url, token)
    assert done.returncode == 2 and words in done.stderr


def test_it_says_that_nobody_answers() -> None:
    done = check(f"http://127.0.0.1:{free_port()}", TOKEN)
    assert done.returncode == 2 and "does not answer as a Grafana does" in done.stderr
    done = check("file:///etc/passwd", TOKEN)
    assert done.returncode == 2 and "is no address of a Grafana" in done.stderr
