"""Captures as marks in Grafana: in a real one where GRAFANA_HOME names it, else by its API as documented."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_api import grafana_api
from quickstart_lib import capture_marks, dashboards, site_files
from quickstart_lib.account import Account
from quickstart_lib.asking import ask
from quickstart_lib.state import Home, Ports
from quickstart_lib.volttron_platform import agents
from servers.ports import free_port

from voltscope.configuration import load
from voltscope.profiling.annotations import Annotator
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import DONE, Capture, iso_utc
from voltscope.profiling.settings import GrafanaSettings, ProfilerConfig
from voltscope.ulid import new_ulid

ROOT = Path(__file__).resolve().parents[3]
ME = Account("me", os.geteuid(), os.getegid(), drop=False)


@pytest.fixture
def site(home: Home) -> Home:
    """A home with its credentials, whose Grafana would listen on a free port."""
    made = Home(home.path, Ports(free_port() - Ports(0).grafana))
    site_files.write_credentials(made, ME)
    return made


@pytest.fixture(params=["documented", "real"])
def grafana(request: pytest.FixtureRequest, site: Home) -> Iterator[Home]:
    """The home while its Grafana runs."""
    if request.param == "documented":
        with grafana_api(site.ports.grafana, site_files.operator_secret(site), capture_marks.DASHBOARD):
            yield site
        return
    found = dashboards.find_grafana()
    if found is None:
        pytest.skip("there is no Grafana on PATH, and GRAFANA_HOME names none")
    shutil.copytree(ROOT / "grafana", site.source / "grafana", ignore=shutil.ignore_patterns("__pycache__"))
    site_files.write_site(site, ME, prometheus=True, grafana=True, alerting=False)
    dashboards.write_grafana(site, ME, found[1])
    with (site.logs / "grafana.out").open("wb") as out:
        running = subprocess.Popen(
            dashboards.grafana_command(site, *found), stdout=out, stderr=out, cwd=site.path, env={"PATH": "/usr/bin"}
        )
        try:
            yield site
        finally:
            running.terminate()
            running.wait(60)


def settings(home: Home) -> GrafanaSettings:
    """As the profiler takes them."""
    made = load(ProfilerConfig, {"grafana": capture_marks.settings(home)}).grafana
    assert made is not None
    return made


def as_profiler(home: Home, body: dict[str, Any]) -> Any:
    url = f"http://127.0.0.1:{home.ports.grafana}/api/annotations"
    return ask(url, body, capture_marks.token_file(home).read_text())


def test_a_capture_becomes_a_mark_by_an_account_that_may_do_nothing_else(grafana: Home, tmp_path: Path) -> None:
    capture_marks.allow_marks(grafana, ME)
    assert stat.S_IMODE(capture_marks.token_file(grafana).stat().st_mode) == 0o600
    for elsewhere in ({}, {"dashboardUID": "voltscope-fleet"}):
        with pytest.raises(OSError) as refused:
            as_profiler(grafana, {"time": 1, "tags": ["capture"], "text": "not ours", **elsewhere})
        assert isinstance(refused.value.__cause__, urllib.error.HTTPError) and refused.value.__cause__.code == 403
    capture = Capture(
        id=new_ulid(), site="s", instance="i", agent="platform.historian", pid=1, kind=Kind.CPU, backend="py-spy",
        backend_version=None, started=iso_utc(time.time()), duration_s=5.0, rate_hz=100, requested_by="operator",
        state=DONE, words="Busy in 1 of 500 samples.", samples=500,
    )  # fmt: skip
    archive = Archive(tmp_path / "archive")
    archive.keep(capture, {("main (a.py:1)",): 500})
    annotator = Annotator(archive, settings(grafana), lambda: None)
    annotator.start()
    try:
        said = capture_marks.marked(grafana)
    finally:
        annotator.stop()
        archive.close()
    assert said == "Capture of platform.historian"


def test_the_token_stays_until_it_is_lost_and_there_is_never_a_second(grafana: Home) -> None:
    capture_marks.allow_marks(grafana, ME)
    file = capture_marks.token_file(grafana)
    first = file.read_text()
    capture_marks.allow_marks(grafana, ME)
    assert file.read_text() == first
    mark = {"dashboardUID": capture_marks.DASHBOARD, "time": 1, "tags": ["capture"], "text": "ours"}
    for lost in (lambda: file.unlink(), lambda: file.write_text("glsa_of_another_grafana")):
        lost()
        capture_marks.allow_marks(grafana, ME)
        assert file.read_text() != first
        assert as_profiler(grafana, mark)["id"]
    file.write_text(first)
    with pytest.raises(OSError, match="401"):
        as_profiler(grafana, mark)


def test_the_profiler_is_told_where_there_is_a_grafana(site: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> GrafanaSettings | None:
        engine = next(agent.config["engine"] for agent in agents(site) if agent.tag == "profiler" and agent.config)
        return load(ProfilerConfig, engine).grafana

    monkeypatch.setenv("GRAFANA_HOME", "/nowhere")
    assert told() is None
    site.state["grafana"] = ["/bin/true", "/opt/grafana"]
    assert told() == settings(site)
