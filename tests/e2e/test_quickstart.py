"""The quickstart as a user meets it: what it says, what it leaves, and that it can be stopped and started."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live_site import Documents, LiveSite, wait_for

Quickstart = Callable[..., subprocess.CompletedProcess[str]]


def test_status_names_every_part_under_its_key(site: dict[str, Any]) -> None:
    for key in ("exporter", "prometheus", "console", "profiler"):
        assert site[key].startswith("http://127.0.0.1:")
    for key in ("voltscope", "vctl"):
        assert os.access(site[key], os.X_OK)
    for key in ("volttron_home", "log", "credentials"):
        assert Path(site[key]).exists()
    assert site["running"] is True
    assert {"volttron", "prometheus", "console"} <= set(site["pids"])


def test_opensearch_is_supervised_and_answers_under_its_key(
    site: dict[str, Any], opensearch_of_the_site: Documents
) -> None:
    assert site["pids"]["opensearch"]
    assert opensearch_of_the_site.find("voltscope-logs-*", {"match": {"labels.instance": site["site"]}})


def test_no_secret_is_printed_and_the_credential_file_is_private(site: dict[str, Any], quickstart: Quickstart) -> None:
    path = Path(site["credentials"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = site.get("output", "") + quickstart("--home", site["home"], "status").stdout
    assert str(path) in said
    assert [user["name"] for user in json.loads(path.read_text())["users"] if user["secret"] in said] == []


def test_nothing_of_ours_runs_as_root(site: dict[str, Any]) -> None:
    assert {name: Path(f"/proc/{pid}").stat().st_uid for name, pid in site["pids"].items()} == {
        name: Path(site["volttron_home"]).stat().st_uid for name in site["pids"]
    }
    assert Path(site["volttron_home"]).stat().st_uid != 0


def test_prometheus_labels_by_site_and_instance(site: dict[str, Any]) -> None:
    # on a busy machine it may have missed the last scrape
    (series,) = wait_for(lambda: LiveSite(site).query("volttron_platform_up == 1"), what="a platform that is up")
    assert (series["metric"]["site"], series["metric"]["instance"]) == ("quickstart", "quickstart")


def test_nothing_was_told_of_the_time_before_there_was_an_exporter(site: dict[str, Any]) -> None:
    if "alertmanager" not in site["pids"]:
        pytest.skip("this site has no Alertmanager")
    query = urllib.parse.urlencode({"query": 'up{job="voltscope"}[6h]'})
    with urllib.request.urlopen(f"{site['prometheus']}/api/v1/query?{query}", timeout=30) as answer:
        (series,) = json.load(answer)["data"]["result"]
    first = next(at for at, value in series["values"] if value == "1")
    query = urllib.parse.urlencode({"name": "VolttronExporterDown", "until": first})
    with urllib.request.urlopen(f"{site['alertd']}/api/history?{query}", timeout=30) as answer:
        assert json.load(answer)["occurrences"] == []


def test_the_wrappers_work_from_anywhere(site: dict[str, Any], tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    status = subprocess.run([site["vctl"], "status"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert status.returncode == 0, status.stderr
    assert "platform.historian" in status.stdout
    picture = tmp_path / "flame.svg"
    command = [site["voltscope"], "profile", "platform.historian", "-d", "1", "--idle", "-o", picture]
    profile = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert profile.returncode == 0, profile.stderr
    assert "<svg" in picture.read_text()


def test_a_second_run_does_nothing_and_ends_soon(site: dict[str, Any], quickstart: Quickstart) -> None:
    before = _running(site, quickstart)
    began = time.monotonic()
    again = quickstart("--home", site["home"])
    assert again.returncode == 0, again.stdout
    if first := re.search(r"^Done in (\d+) s", site.get("output", ""), re.MULTILINE):
        # 5 s of 75 on an idle machine; nothing is installed or started
        assert time.monotonic() - began < int(first[1]) / 2
    assert _running(site, quickstart) == before


def test_a_second_home_is_refused_the_ports_of_the_first(site: dict[str, Any], quickstart: Quickstart) -> None:
    second = Path(site["home"]).with_name("vs-second")
    base = urllib.parse.urlsplit(site["prometheus"]).port
    refused = quickstart("--home", second, "--port-base", str(base))
    assert refused.returncode == 1
    assert f"port {base} (prometheus)" in refused.stdout
    assert not second.exists()


def test_a_killed_platform_comes_back_with_every_agent_once(site: dict[str, Any]) -> None:
    """Supervision: the platform's orphans end, and its agents start with it."""
    live = LiveSite(site)
    identities = ("listener", "platform.driver", "platform.historian", "voltscope.exporter", "voltscope.logship")
    before = {identity: live.pid(identity) for identity in identities}
    killed = int((live.home / "VOLTTRON_PID").read_text())
    os.kill(killed, signal.SIGKILL)

    def back() -> bool:
        try:
            return int((live.home / "VOLTTRON_PID").read_text()) != killed
        except (OSError, ValueError):
            return False  # on its way up

    def up() -> bool:
        try:
            return live.value("volttron_platform_up") == 1
        except OSError:
            return False

    after: dict[str, int | None] = {}

    def agents() -> bool:
        after.update({identity: live.pid(identity) for identity in identities})
        return all(after.values())

    wait_for(back, timeout=120, what="another process of the platform")
    # the exporter first: a client of the bus waits for ever while there is no platform
    wait_for(up, timeout=120, what="a platform that is up by the exporter's word")
    wait_for(agents, timeout=120, what="a process of every agent")
    assert set(after.values()).isdisjoint(before.values())
    assert not [pid for pid in (killed, *before.values()) if Path(f"/proc/{pid}/exe").exists()]


def test_stop_leaves_no_process_and_start_brings_all_back(site: dict[str, Any], quickstart: Quickstart) -> None:
    stopped = quickstart("--home", site["home"], "stop")
    assert stopped.returncode == 0, stopped.stdout
    assert _processes_below(site["home"]) == []
    status = quickstart("--home", site["home"], "status", "--json")
    assert status.returncode == 3
    assert json.loads(status.stdout)["running"] is False
    started = quickstart("--home", site["home"], "start")
    assert started.returncode == 0, started.stdout
    assert set(_running(site, quickstart)) == set(site["pids"])


def _running(site: dict[str, Any], quickstart: Quickstart) -> dict[str, int]:
    pids: dict[str, int] = json.loads(quickstart("--home", site["home"], "status", "--json").stdout)["pids"]
    return pids


def _processes_below(home: str) -> list[str]:
    """Command lines and working folders of processes that name the home, found without the quickstart's own code."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            said = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = (folder / "cwd").readlink()
        except OSError:
            continue
        if said and (f"{home}/" in said or where.is_relative_to(home)):
            found.append(said)
    return found
