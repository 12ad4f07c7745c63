"""What the quickstart writes: configurations that the real programs accept, and secrets nobody else reads."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

from quickstart_lib import peers, site_files
from quickstart_lib.account import Account
from quickstart_lib.state import Home
from quickstart_lib.supervise import supervisor_config
from quickstart_lib.volttron_platform import agents
from servers.missing import without

from voltscope.configuration import load
from voltscope.logs.settings import ElasticsearchReceiver, LogshipConfig
from voltscope.metrics.engine import ExporterConfig
from voltscope.profiling.settings import ProfilerConfig
from voltscope.site import find_site
from voltscope.web import Access

ROOT = Path(__file__).resolve().parents[3]
ME = Account("me", os.geteuid(), os.getegid(), drop=False)


def test_prometheus_accepts_its_configuration(home: Home) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        without("promtool is not on PATH")
    rules = Path("deploy/prometheus/rules")
    shutil.copytree(ROOT / rules, home.source / rules)
    peers.write_prometheus(home, ME)
    checked = subprocess.run(
        [promtool, "check", "config", "--lint-fatal", home.etc / "prometheus.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    count = len(list((ROOT / rules).glob("*.yml")))
    assert f"{count} rule files found" in checked.stdout


def test_prometheus_listens_on_loopback_and_keeps_a_bounded_store(home: Home) -> None:
    command = peers.prometheus_command(home, "prometheus")
    assert "--web.listen-address=127.0.0.1:21930" in command
    assert {"--storage.tsdb.retention.time=7d", "--storage.tsdb.retention.size=1GB"} <= set(command)


def test_the_library_reads_the_site_file_and_the_credentials(home: Home) -> None:
    site_files.write_credentials(home, ME)
    site_files.write_site(home, ME, prometheus=True, grafana=False)
    site = find_site(home.site_file)
    assert (site.exporter, site.profiler) == ("http://127.0.0.1:21933", "http://127.0.0.1:21934")
    assert site.log_store_path == home.volttron / "voltscope/logship/spool"
    assert site.credentials == str(home.credentials)
    user = Access(home.credentials).by_login("operator", site_files.operator_secret(home))
    assert user is not None
    assert user.may("operator")


def test_a_site_without_prometheus_says_so(home: Home) -> None:
    site_files.write_site(home, ME, prometheus=False, grafana=False)
    assert find_site(home.site_file).prometheus is None


def test_with_opensearch_logs_are_searched_there(home: Home) -> None:
    assert site_files.write_site(home, ME, prometheus=True, grafana=False), "it is new"
    assert find_site(home.site_file).log_search is None
    home.opensearch_asked = True
    assert site_files.write_site(home, ME, prometheus=True, grafana=False)
    search = find_site(home.site_file).log_search
    assert search is not None and search.url == "http://127.0.0.1:21931"
    assert not site_files.write_site(home, ME, prometheus=True, grafana=False), "it says what it said"


def test_credentials_are_random_private_and_kept(home: Home) -> None:
    site_files.write_credentials(home, ME)
    first = home.credentials.read_text()
    site_files.write_credentials(home, ME)
    assert home.credentials.read_text() == first
    assert stat.S_IMODE(home.credentials.stat().st_mode) == 0o600
    secrets = {user["secret"] for user in json.loads(first)["users"]}
    assert len(secrets) == 2
    assert all(len(secret) >= 32 for secret in secrets)


def test_wrappers_run_our_programs_from_a_home_with_a_space_in_its_name(tmp_path: Path) -> None:
    home = Home(tmp_path / "a home")
    for folder in (home.path, home.bin, home.volttron, home.venv, home.venv / "bin"):
        folder.mkdir()
    for name in ("voltscope", "vctl"):
        program = home.venv / "bin" / name
        program.write_text('#!/bin/sh\necho "$PWD|$VOLTSCOPE_SITE|$VOLTTRON_HOME|$1"\n')
        program.chmod(0o755)
    site_files.write_wrappers(home, ME)
    environment = {"PATH": os.environ["PATH"]}

    def run(name: str) -> list[str]:
        done = subprocess.run(
            [home.bin / name, "two words"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip().split("|")

    assert run("voltscope") == [str(tmp_path), str(home.site_file), "", "two words"]
    assert run("vctl") == [str(home.volttron), "", str(home.volttron), "two words"]


def test_root_runs_no_voltscope_that_the_platforms_user_could_have_written(home: Home) -> None:
    site_files.write_wrappers(home, replace(ME, drop=True))
    assert str(home.command / "bin/voltscope") in (home.bin / "voltscope").read_text()
    vctl = (home.bin / "vctl").read_text()
    assert f"setpriv --reuid {ME.name}" in vctl and str(home.venv / "bin/vctl") in vctl


def test_grafana_is_closed_to_the_anonymous_and_its_password_is_in_no_configuration(home: Home) -> None:
    site_files.write_credentials(home, ME)
    peers.write_grafana(home, ME)
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(home.etc / "grafana.ini")
    assert settings["server"]["http_addr"] == "127.0.0.1"
    assert settings["auth.anonymous"]["enabled"] == "false"
    assert site_files.operator_secret(home) not in (home.etc / "grafana.ini").read_text()
    assert stat.S_IMODE((home.etc / "grafana-password").stat().st_mode) == 0o600
    source = json.loads((home.etc / "grafana/datasources/voltscope.yaml").read_text())["datasources"][0]
    assert source["url"] == "http://127.0.0.1:21930"


def test_grafana_gets_our_dashboards_with_links_to_this_sites_console(home: Home) -> None:
    shutil.copytree(ROOT / "grafana/json", home.source / "grafana/json")
    site_files.write_credentials(home, ME)
    peers.write_grafana(home, ME)
    provider = json.loads((home.etc / "grafana/dashboards/voltscope.yaml").read_text())["providers"][0]
    boards = {path.name: path.read_text() for path in Path(provider["options"]["path"]).glob("*.json")}
    assert boards.keys() == {path.name for path in (ROOT / "grafana/json").glob("*.json")}
    for text in boards.values():
        assert f"http://127.0.0.1:{home.ports.console}" in text and "127.0.0.1:10935" not in text
    sources = json.loads((home.etc / "grafana/datasources/voltscope.yaml").read_text())["datasources"]
    assert {one["type"]: one["url"] for one in sources} == {
        "prometheus": f"http://127.0.0.1:{home.ports.prometheus}",
        "grafana-pyroscope-datasource": f"http://127.0.0.1:{home.ports.profiler}",
    }


def test_grafana_is_found_where_its_home_says(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/grafana"
    program.touch(mode=0o755)
    assert peers.find_grafana({"GRAFANA_HOME": str(tmp_path)}) == (str(program), tmp_path)
    assert peers.find_grafana({"GRAFANA_HOME": str(tmp_path / "nowhere")}) is None
    assert peers.grafana_command(Home(Path("/h")), str(program), tmp_path)[:2] == [str(program), "server"]


def test_supervisor_listens_on_no_tcp_port_and_percent_signs_survive(home: Home) -> None:
    text = supervisor_config(home, {"console": ["/bin/echo", "100%", "two words"]})
    settings = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    settings.read_string(text)
    assert "inet_http_server" not in settings
    assert settings["unix_http_server"]["chmod"] == "0700"
    assert settings["program:console"]["command"] == "/bin/echo 100%% 'two words'"


def test_agents_are_told_their_ports_and_nothing_secret(home: Home) -> None:
    site_files.write_credentials(home, ME)
    by_identity = {agent.identity: agent for agent in agents(home)}
    exporter = by_identity["voltscope.exporter"].config
    assert exporter is not None
    assert exporter["engine"]["port"] == 21933
    assert site_files.operator_secret(home) not in repr(by_identity)
    device = json.loads(by_identity["platform.driver"].configs[1][1])
    assert (device["all_publish_interval"], device["publish_all_depth"]) == (5, True)


def test_our_agents_accept_the_configuration_they_are_given(home: Home) -> None:
    by_tag = {agent.tag: (agent.config or {}).get("engine") for agent in agents(home)}
    assert load(ExporterConfig, by_tag["exporter"]).port == 21933
    assert load(ProfilerConfig, by_tag["profiler"]).port == 21934
    assert load(LogshipConfig, by_tag["logship"]).log_files == (str(home.platform_log),)


def test_with_opensearch_records_and_captures_go_there(home: Home) -> None:
    by_tag = {agent.tag: (agent.config or {}).get("engine") for agent in agents(home)}
    assert load(LogshipConfig, by_tag["logship"]).receivers == ()
    assert load(ProfilerConfig, by_tag["profiler"]).index is None
    assert load(ProfilerConfig, by_tag["profiler"]).continuous.agents == ("platform.historian",)
    home.opensearch_asked = True
    by_tag = {agent.tag: (agent.config or {}).get("engine") for agent in agents(home)}
    (receiver,) = load(LogshipConfig, by_tag["logship"]).receivers
    assert isinstance(receiver, ElasticsearchReceiver)
    index = load(ProfilerConfig, by_tag["profiler"]).index
    assert index is not None
    assert receiver.urls == index.urls == ("http://127.0.0.1:21931",)
    assert index.console == "http://127.0.0.1:21935"
