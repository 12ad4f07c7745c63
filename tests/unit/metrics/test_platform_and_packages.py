"""What a platform is configured to, which package each agent runs, what our own agents say of their engines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from frozen_platform import NOW

from voltscope.platform.agents import InstalledAgent
from voltscope.platform.packages import Packages

SECRET = "a-secret-of-the-web-service"


def record(folder: Path, name: str, version: str, at: float) -> Path:
    """What pip leaves of an installation."""
    path = folder / f"{name}-{version}.dist-info"
    path.mkdir(parents=True)
    os.utime(path, (at, at))
    return path


def configured(frozen: Any, text: str, at: float = 1.0) -> dict[str, float]:
    (frozen.home / "config").write_text(text)
    os.utime(frozen.home / "config", (at, at))
    found: dict[str, float] = frozen.scrape()
    return {key: value for key, value in found.items() if key.startswith("volttron_platform_")}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (
            "[volttron]\ninstance-name = vm\nmessagebus = zmq\nauth-enabled = True\n",
            "auth=true,message_bus=zmq,web=false",
        ),
        ('[volttron]\nmessage-bus = "rmq"\nauth-enabled = False\n', "auth=false,message_bus=rmq,web=false"),
        (f"[volttron]\nbind-web-address = http://0\nweb-secret-key = {SECRET}\n", "auth=true,message_bus=zmq,web=true"),
    ],
)
def test_the_configuration_is_told_without_its_secrets(modular: Any, text: str, labels: str) -> None:
    seen = configured(modular, text)
    assert seen[f"volttron_platform_config_info{{{labels}}}"] == 1
    assert SECRET not in str(seen)


def test_the_pace_of_the_platforms_monitor(modular: Any) -> None:
    text = "[volttron]\nagent-monitor-frequency = {}\n"
    assert configured(modular, text.format(600))["volttron_platform_agent_monitor_seconds"] == 600
    assert "volttron_platform_agent_monitor_seconds" not in configured(modular, text.format("often"))


@pytest.mark.parametrize("text", ["", "no section at all", "[other]\na = 1\n", "[volttron]\n[volttron\n\0\xff"])
def test_a_configuration_without_sense_costs_nothing_else(modular: Any, text: str) -> None:
    seen = configured(modular, text)
    assert seen["volttron_platform_up"] == 1
    assert modular.scrape()["voltscope_collector_success{collector=platform}"] == 1


def test_a_configuration_changed_since_the_start_is_not_in_force(modular: Any) -> None:
    started = modular.scrape()["volttron_platform_start_time_seconds"]
    changed = "volttron_platform_config_changed"
    assert configured(modular, "[volttron]\na = 1\n", started + 20)[changed] == 0, "the platform itself writes it"
    assert configured(modular, "[volttron]\na = 2\n", started + 600)[changed] == 1


def test_the_package_of_the_environment_and_the_one_monolithic_unpacked(tmp_path: Path) -> None:
    site, home = tmp_path / "site-packages", tmp_path / "home"
    record(site, "volttron_listener", "2.0.0rc4", 50.0)
    record(home / "agents" / "u1" / "listeneragent-3.3", "listeneragent", "3.3", 60.0)
    packages = Packages([str(site), str(tmp_path / "nosuch")])
    modular = packages.of(home, "volttron-listener", "2.0.0rc3", "u0")
    monolithic = packages.of(home, "listeneragent", "3.3", "u1")
    assert modular is not None and monolithic is not None
    assert (modular.version, modular.installed_at) == ("2.0.0rc4", 50.0)
    assert (monolithic.version, monolithic.installed_at) == ("3.3", 60.0)
    for name, uuid in (("nosuch", "u1"), ("../..", "u1"), ("a", "../../x"), ("", "")):
        assert packages.of(home, name, "1", uuid) is None


def test_a_package_that_was_upgraded_is_found_anew(tmp_path: Path) -> None:
    old = record(tmp_path, "volttron_listener", "1", 50.0)
    packages = Packages([str(tmp_path)])
    assert packages.of(tmp_path, "volttron-listener", "1", "u").version == "1"  # type: ignore[union-attr]
    old.rmdir()
    record(tmp_path, "volttron_listener", "2", 70.0)
    assert packages.of(tmp_path, "volttron-listener", "1", "u").version == "2"  # type: ignore[union-attr]


def test_an_agent_that_runs_on_older_code_than_is_installed(monolithic: Any) -> None:
    listener = next(a for a in monolithic.facts.agents if a.identity == "listener")
    folder = monolithic.home / "agents" / listener.uuid / f"{listener.name}-{listener.version}"
    path = record(folder, listener.name, str(listener.version), 1000.0)
    seen = monolithic.scrape()
    assert seen[f"volttron_agent_installed_info{{agent=listener,version={listener.version}}}"] == 1
    assert seen["volttron_agent_installed_timestamp_seconds{agent=listener}"] == 1000
    assert seen["volttron_agent_outdated{agent=listener}"] == 0
    os.utime(path, (NOW, NOW))
    assert monolithic.scrape()["volttron_agent_outdated{agent=listener}"] == 1


@pytest.mark.parametrize(
    ("identity", "name", "context", "state"),
    [
        ("voltscope.logship", "voltscope-logship", {"engine": "refused", "detail": "…"}, "refused"),
        ("voltscope.logship", "voltscope_logship", {"engine": "running"}, "running"),
        ("voltscope.logship", "voltscope-logship", {"engine": ["running"]}, None),
        ("voltscope.logship", "voltscope-logship", "running", None),
        ("somebody", "elses", {"engine": "running"}, None),
    ],
)
def test_our_agents_say_how_their_engines_are(
    modular: Any, identity: str, name: str, context: Any, state: str | None
) -> None:
    facts = modular.facts
    agent = InstalledAgent(identity=identity, name=name, uuid="u", pid=3950)
    health = msgspec.structs.replace(facts.health["listener"], answered=True, status="bad", context=context)
    modular.facts = msgspec.structs.replace(
        facts,
        agents=[a for a in facts.agents if a.identity != identity] + [agent],
        peers=[*facts.peers, identity],
        health={**facts.health, identity: health},
    )
    seen = modular.scrape()
    found = {key: value for key, value in seen.items() if key.startswith("voltscope_engine_state{") and identity in key}
    assert [key.rpartition("state=")[2].rstrip("}") for key, value in found.items() if value] == (
        [state] if state else []
    )
