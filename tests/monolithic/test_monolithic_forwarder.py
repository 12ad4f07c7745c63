"""A monolithic platform's forward historian, with a destination and without one."""

import json

import pytest
from live_site import wait_for

QUIET = {f"capture_{kind}_data": False for kind in ("device", "log", "analysis", "record")}


@pytest.fixture(scope="module")
def forwarders(live):
    """`forward.home` forwards to its own platform under other topics, `forward.nowhere` to a port nobody listens on."""
    serverkey = live.platform.vctl("auth", "serverkey").strip().splitlines()[-1]
    addresses = {
        "home": next(
            line.partition("=")[2].strip()
            for line in (live.home / "config").read_text().splitlines()
            if line.startswith("vip-address")
        ),
        "nowhere": "tcp://127.0.0.1:1",
    }
    # a prefix of its own for each: whoever shares one with all_platforms set would be starved
    watched = {"home": "devices/campus/building/fake/all", "nowhere": "devices/campus/building/fake/al"}
    for name, address in addresses.items():
        config = live.platform.folder / f"forward.{name}.json"
        config.write_text(
            json.dumps(
                {
                    **QUIET,
                    "destination-vip": address,
                    "destination-serverkey": serverkey,
                    "custom_topic_list": [watched[name]],
                    "topic_replace_list": [{"from": "devices", "to": "forwarded"}],
                }
            )
        )
        config.chmod(0o644)
        source = live.platform.checkout / "services" / "core" / "ForwardHistorian"
        identity = ("--vip-identity", f"forward.{name}", "--tag", name)
        live.platform.vctl("install", source, *identity, "--agent-config", config, "--start")
    yield
    for name in addresses:
        live.platform.vctl("remove", "--tag", name)


def test_a_forwarder_that_reaches_its_destination_is_connected(live, forwarders):
    def connected():
        assert live.value("volttron_platform_up") == 1
        return live.value("volttron_forwarder_connected", agent="forward.home")

    wait_for(lambda: connected() == 1, timeout=60, what="a connected forwarder")
    wait_for(
        lambda: live.value("volttron_forwarder_last_forward_age_seconds", agent="forward.home") is not None,
        timeout=90,
        what="a first forward",
    )
    assert live.value("volttron_forwarder_last_forward_age_seconds", agent="forward.home") < 60
    assert live.value("volttron_forwarder_tcp_connections", agent="forward.home") >= 1


def test_a_forwarder_that_does_not_reach_it_says_so_and_its_cache_grows_old(live, forwarders):
    wait_for(
        lambda: live.value("volttron_forwarder_connected", agent="forward.nowhere") == 0,
        timeout=120,
        what="a forwarder that is not connected",
    )
    assert live.value("volttron_forwarder_tcp_connections", agent="forward.nowhere") == 0
    age = wait_for(
        lambda: live.value("volttron_historian_backlog_age_seconds", agent="forward.nowhere"), what="an old record"
    )
    wait_for(
        lambda: live.value("volttron_historian_backlog_age_seconds", agent="forward.nowhere") > age + 5,
        what="an older record",
    )
    assert live.value("volttron_historian_backlog_records", agent="forward.nowhere") >= 1
    assert live.value("volttron_forwarder_last_forward_age_seconds", agent="forward.nowhere") is None
