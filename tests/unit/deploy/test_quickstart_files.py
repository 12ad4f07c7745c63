"""What the quickstart writes: configurations that the real programs accept, and secrets nobody else reads."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from quickstart_lib import account, alerting, dashboards, peers, site_files
from quickstart_lib.account import Account
from quickstart_lib.state import Home
from quickstart_lib.supervise import supervisor_config
from quickstart_lib.volttron_platform import agents
from servers.missing import without

from voltscope.alerting.settings import AlertdConfig
from voltscope.alerting.site.settings import AlertsConfig
from voltscope.configuration import load
from voltscope.logs.settings import ElasticsearchReceiver, LogshipConfig
from voltscope.metrics.engine import ExporterConfig
from voltscope.profiling.settings import ProfilerConfig
from voltscope.site import find_site
from voltscope.web import Access, User

ROOT = Path(__file__).resolve().parents[3]
ME = Account("me", os.geteuid(), os.getegid(), drop=False)


@pytest.mark.parametrize("alertmanager", [True, False])
def test_prometheus_accepts_its_configuration(home: Home, alertmanager: bool) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        without("promtool is not on PATH")
    peers.write_prometheus(home, ME, alertmanager=alertmanager)
    checked = subprocess.run(
        [promtool, "check", "config", "--lint-fatal", home.etc / "prometheus.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    shipped = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    assert f"{len(shipped)} rule files found" in checked.stdout
    for path in shipped:  # what was dead is gone sooner, and that is all
        assert (home.etc / "rules" / path.name).read_text() == path.read_text().replace(
            "keep_firing_for: 4m", "keep_firing_for: 10s"
        )
    config = yaml.safe_load((home.etc / "prometheus.yml").read_text())
    assert ("127.0.0.1:21937" in json.dumps(config.get("alerting"))) is alertmanager


def test_alertmanager_accepts_its_configuration_and_alertd_its_own(home: Home) -> None:
    words = Path("deploy/alertmanager/templates")
    shutil.copytree(ROOT / words, home.source / words)
    site_files.write_credentials(home, ME)
    site_files.write_site(home, ME, prometheus=True, grafana=False, alerting=True)
    alerting.write_alerting(home, ME)
    token = home.etc / "alertmanager/alertd-token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    bus = alerting.bus_token_file(home)
    assert stat.S_IMODE(bus.stat().st_mode) == 0o600
    known = [Access(home.credentials).by_authorization(f"Bearer {file.read_text()}") for file in (token, bus)]
    assert known == [User("alertmanager", "webhook"), User("voltscope.alerts", "acknowledger")]
    text = (home.etc / "alertmanager/alertmanager.yml").read_text()
    assert "http://127.0.0.1:21938/api/webhook" in text and str(token) in text
    assert "http://127.0.0.1:21935" in (home.etc / "alertmanager/templates/links.tmpl").read_text()
    config = load(AlertdConfig, json.loads((home.etc / "alertd.json").read_text()))
    assert config.alertmanager.urls == ("http://127.0.0.1:21937",) and config.port == 21938
    assert config.prometheus is not None and config.prometheus.urls == ("http://127.0.0.1:21930",)
    command = alerting.alertmanager_command(home, "alertmanager")
    assert {"--web.listen-address=127.0.0.1:21937", "--cluster.listen-address="} <= set(command)
    amtool = shutil.which("amtool")
    if amtool is None:
        without("amtool is not on PATH")
    checked = subprocess.run(
        [amtool, "check-config", home.etc / "alertmanager/alertmanager.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_listens_on_loopback_and_keeps_a_bounded_store(home: Home) -> None:
    command = peers.prometheus_command(home, "prometheus")
    assert "--web.listen-address=127.0.0.1:21930" in command
    assert {"--storage.tsdb.retention.time=7d", "--storage.tsdb.retention.size=1GB"} <= set(command)


def test_the_library_reads_the_site_file_and_the_credentials(home: Home) -> None:
    site_files.write_credentials(home, ME)
    site_files.write_site(home, ME, prometheus=True, grafana=False, alerting=False)
    site = find_site(home.site_file)
    assert (site.exporter, site.profiler) == ("http://127.0.0.1:21933", "http://127.0.0.1:21934")
    assert site.log_store_path == home.volttron / "voltscope/logship/spool"
    assert site.credentials == str(home.credentials)
    user = Access(home.credentials).by_login("operator", site_files.operator_secret(home))
    assert user is not None
    assert user.may("operator")


def test_a_site_without_prometheus_says_so(home: Home) -> None:
    site_files.write_site(home, ME, prometheus=False, grafana=False, alerting=False)
    assert find_site(home.site_file).prometheus is None


def test_with_opensearch_logs_are_searched_there(home: Home) -> None:
    assert site_files.write_site(home, ME, prometheus=True, grafana=False, alerting=False), "it is new"
    assert find_site(home.site_file).log_search is None
    home.opensearch_asked = True
    assert site_files.write_site(home, ME, prometheus=True, grafana=False, alerting=False)
    search = find_site(home.site_file).log_search
    assert search is not None and search.url == "http://127.0.0.1:21931"
    assert not site_files.write_site(home, ME, prometheus=True, grafana=False, alerting=False), "it says what it said"


def test_credentials_are_random_private_and_kept(home: Home) -> None:
    site_files.write_credentials(home, ME)
    first = home.credentials.read_text()
    site_files.write_credentials(home, ME)
    assert home.credentials.read_text() == first
    assert stat.S_IMODE(home.credentials.stat().st_mode) == 0o600
    secrets = {user["secret"] for user in json.loads(first)["users"]}
    assert len(secrets) == 2
    assert all(len(secret) >= 32 for secret in secrets)


def test_a_user_that_a_newer_quickstart_knows_is_added_once_and_the_others_stay(home: Home) -> None:
    site_files.write_credentials(home, ME)
    document = json.loads(home.credentials.read_text())
    document["users"].append({"name": "eve", "role": "viewer", "secret": "a secret of her own"})
    home.credentials.write_text(json.dumps(document))
    secret = site_files.secret_of_user(home, ME, "voltscope.alerts", "acknowledger")
    assert len(secret) >= 32 and site_files.secret_of_user(home, ME, "voltscope.alerts", "acknowledger") == secret
    assert stat.S_IMODE(home.credentials.stat().st_mode) == 0o600
    added = {"name": "voltscope.alerts", "role": "acknowledger", "secret": secret}
    assert json.loads(home.credentials.read_text())["users"] == [*document["users"], added]


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


@pytest.fixture
def grafana(home: Home) -> Callable[..., Path]:
    """Writes Grafana's configuration for a site with these other keys; returns where it lies."""
    shutil.copytree(ROOT / "grafana", home.source / "grafana", ignore=shutil.ignore_patterns("__pycache__"))
    site_files.write_credentials(home, ME)

    def write(**keys: Any) -> Path:
        site = {**site_files.site_document(home, prometheus=True, grafana=True, alerting=False), **keys}
        home.site_file.write_text(json.dumps(site))
        dashboards.write_grafana(home, ME, home.path / "nowhere")
        return Path(home.etc / "grafana")

    return write


def test_grafana_is_closed_to_the_anonymous_and_its_password_is_in_no_configuration(
    home: Home, grafana: Callable[..., Path]
) -> None:
    grafana()
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(home.etc / "grafana.ini")
    assert settings["server"]["http_addr"] == "127.0.0.1"
    assert settings["auth.anonymous"]["enabled"] == "false"
    assert Path(settings["dashboards"]["default_home_dashboard_path"]).is_file()
    assert site_files.operator_secret(home) not in (home.etc / "grafana.ini").read_text()
    assert stat.S_IMODE((home.etc / "grafana-password").stat().st_mode) == 0o600


def provisioned(path: Path) -> dict[str, dict[str, Any]]:
    """Data sources by uid."""
    return {one["uid"]: one for one in yaml.safe_load(path.read_text())["datasources"]}


def test_grafanas_data_sources_are_those_of_the_sources_with_this_sites_addresses(
    home: Home, grafana: Callable[..., Path]
) -> None:
    file = "datasources/voltscope.yaml"
    kept = provisioned(ROOT / "grafana/provisioning" / file)
    url = "http://127.0.0.1:{}".format
    metrics = {"url": url(home.ports.prometheus), "jsonData": {"httpMethod": "POST", "timeInterval": "5s"}}
    profiles = {"url": url(home.ports.profiler)}
    made = provisioned(grafana() / file)
    assert made == {
        "voltscope-prometheus": kept["voltscope-prometheus"] | metrics,
        "voltscope-pyroscope": kept["voltscope-pyroscope"] | profiles,
    }
    everything = grafana(alertmanager=url(home.ports.base + 7), log_search={"url": url(home.ports.opensearch)})
    made = provisioned(everything / file)
    assert made.keys() == kept.keys()
    for uid, source in made.items():
        changed = {key for key in source if source[key] != kept[uid][key]}
        assert changed <= {"url", "jsonData"} and source["jsonData"].keys() == kept[uid]["jsonData"].keys()
    assert made["voltscope-prometheus"]["jsonData"]["alertmanagerUid"] == "voltscope-alertmanager"
    assert made["voltscope-alertmanager"]["url"] == url(home.ports.base + 7)
    assert made["voltscope-elasticsearch"]["url"] == url(home.ports.opensearch)
    (link,) = made["voltscope-elasticsearch"]["jsonData"]["dataLinks"]
    assert link["url"].startswith(url(home.ports.console))


def test_with_grafanas_plugin_for_opensearch_records_are_asked_through_it(
    home: Home, grafana: Callable[..., Path]
) -> None:
    (home.grafana / "plugins/grafana-opensearch-datasource").mkdir(parents=True)
    made = grafana(log_search={"url": "http://127.0.0.1:9"})
    sources = provisioned(made / "datasources/voltscope.yaml")
    assert "voltscope-elasticsearch" not in sources
    assert sources["voltscope-opensearch"]["type"] == "grafana-opensearch-datasource"
    assert sources["voltscope-opensearch"]["url"] == "http://127.0.0.1:9"
    (link,) = sources["voltscope-opensearch"]["jsonData"]["dataLinks"]
    assert link["url"].startswith(f"http://127.0.0.1:{home.ports.console}/logs?q=id%3D$$")
    logs = (made / "voltscope/logs.json").read_text()
    assert '"type": "grafana-opensearch-datasource"' in logs and '"type": "elasticsearch"' not in logs


def test_grafana_gets_our_dashboards_with_links_to_this_sites_console(home: Home, grafana: Callable[..., Path]) -> None:
    made = grafana()
    kept = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/voltscope.yaml").read_text())
    (provider,) = yaml.safe_load((made / "dashboards/voltscope.yaml").read_text())["providers"]
    folder = Path(provider["options"]["path"])
    assert {**provider, "options": kept["providers"][0]["options"]} == kept["providers"][0]
    boards = {path.name: path.read_text() for path in folder.glob("*.json")}
    assert boards.keys() == {path.name for path in (ROOT / "grafana/json").glob("*.json")}
    for text in boards.values():
        assert f"http://127.0.0.1:{home.ports.console}" in text and "127.0.0.1:10935" not in text
        assert "${kibana}" not in text, "this site has none"
    assert "https://kibana.example" in (grafana(kibana="https://kibana.example") / "voltscope/agent.json").read_text()


def test_a_home_keeps_the_grafana_it_had(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_HOME", "/nowhere")
    assert dashboards.grafana_of(home) is None
    home.state["grafana"] = ["/bin/true", "/opt/grafana"]
    assert dashboards.grafana_of(home) == ("/bin/true", Path("/opt/grafana"))
    home.state["grafana"] = ["/no/longer/there", "/opt/grafana"]
    assert dashboards.grafana_of(home) is None


def test_grafana_is_found_where_its_home_says(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/grafana"
    program.touch(mode=0o755)
    assert dashboards.find_grafana({"GRAFANA_HOME": str(tmp_path)}) == (str(program), tmp_path)
    assert dashboards.find_grafana({"GRAFANA_HOME": str(tmp_path / "nowhere")}) is None
    assert dashboards.grafana_command(Home(Path("/h")), str(program), tmp_path)[:2] == [str(program), "server"]


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


def test_alerts_of_the_bus_go_to_alertmanager_where_there_is_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home.bin))
    monkeypatch.setattr(account, "SEARCH", str(home.bin))
    assert "alerts" not in [agent.tag for agent in agents(home)]
    program = home.bin / "prometheus-alertmanager"
    program.write_text("")
    program.chmod(0o755)
    by_tag = {agent.tag: (agent.config or {}).get("engine") for agent in agents(home)}
    config = load(AlertsConfig, by_tag["alerts"])
    assert config.site == site_files.SITE and config.alertmanager.urls == ("http://127.0.0.1:21937",)
    assert config.alertd is not None and config.alertd.urls == ("http://127.0.0.1:21938",)
    assert config.alertd.token_file == str(alerting.bus_token_file(home))


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
