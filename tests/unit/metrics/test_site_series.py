"""Reachability, the bus, alerts, the disk, certificates and the clock."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from voltscope.metrics.certificates import earliest_expiry
from voltscope.metrics.collectors.clock import ClockCollector, Reading
from voltscope.metrics.families import Samples
from voltscope.platform.agents import Bus

JUMPS = "volttron_clock_jumps_total"


def test_reachability_and_its_histogram(modular: Any) -> None:
    seen = modular.scrape()
    assert seen["volttron_agent_rpc_reachable{agent=listener}"] == 1
    assert seen["volttron_agent_rpc_latency_seconds_bucket{agent=listener,le=0.002}"] == 90
    assert seen["volttron_agent_rpc_latency_seconds_bucket{agent=listener,le=1.0}"] == 99
    assert seen["volttron_agent_rpc_latency_seconds_bucket{agent=listener,le=+Inf}"] == 100
    assert seen["volttron_agent_rpc_latency_seconds_count{agent=listener}"] == 100
    assert seen["volttron_agent_rpc_latency_seconds_sum{agent=listener}"] == 2.25
    assert "volttron_agent_rpc_reachable{agent=killed}" not in seen


def test_an_agent_without_an_answer_and_one_off_the_bus_are_not_reachable(monolithic: Any) -> None:
    assert monolithic.scrape()["volttron_agent_rpc_reachable{agent=listener}"] == 0
    health = monolithic.facts.health["listener"]
    monolithic.facts.health["listener"] = msgspec.structs.replace(health, answered=True)
    assert monolithic.scrape()["volttron_agent_rpc_reachable{agent=listener}"] == 0, "its last answer is history"
    monolithic.facts.peers.append("listener")
    assert monolithic.scrape()["volttron_agent_rpc_reachable{agent=listener}"] == 1


def test_alerts(modular: Any) -> None:
    seen = modular.scrape()
    assert seen["volttron_alert_active{agent=platform.historian,key=historian_cache_full}"] == 1
    assert seen["volttron_alert_active{agent=platform.watcher,key=other}"] == 0
    assert seen["volttron_alerts_total{agent=platform.watcher,key=other}"] == 12


def test_the_bus(modular: Any) -> None:
    seen = modular.scrape()
    assert seen["volttron_bus_messages_total{root=devices}"] == 2000
    assert seen["volttron_bus_bytes_total{root=heartbeat}"] == 4800
    assert (seen["volttron_bus_probe_success"], seen["volttron_bus_probe_seconds"]) == (1, 0.004)
    modular.facts = msgspec.structs.replace(modular.facts, bus=Bus(probe_success=False))
    seen = modular.scrape()
    assert seen["volttron_bus_probe_success"] == 0 and "volttron_bus_probe_seconds" not in seen
    modular.error = "gone"
    assert "volttron_bus_probe_success" not in modular.scrape()


def test_the_disk_of_volttron_home(modular: Any) -> None:
    seen = modular.scrape()
    disk = os.statvfs(modular.home)
    assert seen["volttron_disk_size_bytes"] == disk.f_blocks * disk.f_frsize
    assert 0 < seen["volttron_disk_free_bytes"] < seen["volttron_disk_size_bytes"]


def _certificate(path: Path, *options: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=test", "-keyout", os.devnull, "-out", str(path), *options),
        ],
        check=True,
        capture_output=True,
    )
    return path


def _openssl_says(path: Path) -> float:
    line = subprocess.run(
        ["openssl", "x509", "-in", str(path), "-noout", "-enddate", "-dateopt", "iso_8601"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    given = ["date", "-u", "-d", line.strip().removeprefix("notAfter="), "+%s"]
    return float(subprocess.run(given, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("days", ["1", "30", "20000"])  # the last is written as GeneralizedTime
def test_expiry_is_what_openssl_says(tmp_path: Path, days: str) -> None:
    path = _certificate(tmp_path / "a.crt", "-days", days)
    assert earliest_expiry(path) == _openssl_says(path)


def test_certificates_of_the_home(modular: Any) -> None:
    folder = modular.home / "certificates"
    ours = _certificate(folder / "certs" / "site.crt", "-days", "90")
    first = _certificate(folder / "certs" / "chain.pem", "-days", "10")
    earliest = _openssl_says(first)
    first.write_text(ours.read_text() + first.read_text())
    (folder / "certs" / "broken.crt").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (folder / "certs" / "other.txt").write_text("no certificate")
    (folder / "private").mkdir()
    (folder / "private" / "key.pem").write_text("secret")
    seen = modular.scrape()
    name = "volttron_certificate_expiry_timestamp_seconds{certificate=certs/"
    assert {series: value for series, value in seen.items() if series.startswith(name)} == {
        f"{name}site.crt}}": _openssl_says(ours),
        f"{name}chain.pem}}": earliest,
    }
    assert seen["volttron_certificates_unreadable"] == 1
    ours.unlink()
    assert f"{name}site.crt}}" not in modular.scrape()


@pytest.mark.parametrize(
    ("readings", "jumps"),
    [
        ([(0, 1000, 0), (15, 1015.1, 15)], 0),
        ([(0, 1000, 0), (15, 1075, 15)], 1),
        ([(0, 1000, 0), (15, 955, 15), (30, 970, 30)], 1),
        ([(0, 1000, 0), (36000, 37010, 36000)], 0),  # ten hours of NTP at its fastest
        ([(0, 1000, 0), (15, 1100, 115), (120, 1120, 120)], 0),  # the thread had to wait between the clocks
    ],
)
def test_the_clock_jumps_when_it_is_set(tmp_path: Path, readings: list[tuple[float, ...]], jumps: int) -> None:
    given = iter([Reading(*reading) for reading in readings])
    collector = ClockCollector(tmp_path, read=lambda: next(given))
    snapshot: Any = None  # it looks at the clocks alone
    for _ in readings:
        samples = Samples(collector.families)
        collector.collect(snapshot, samples)
    assert samples.metrics()[0].samples[0].value == jumps


def test_a_clock_that_goes_right_has_not_jumped(modular: Any) -> None:
    modular.scrape()
    modular.now += 5000  # the frozen clock of the snapshot is not the machine's
    assert modular.scrape()[JUMPS] == 0
