"""The engine as the bridge sees it: configured, started, asked, reconfigured and stopped, with real threads."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from logs_rig import record
from waiting import until

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import ConfigError, UnknownMethod
from voltscope.logs.engine import SPOOL, LogshipEngine
from voltscope.logs.identity import Identities
from voltscope.logs.parse import Header
from voltscope.logs.settings import LogshipConfig
from voltscope.platform.agents import Facts, InstalledAgent
from voltscope.platform.home import instance_name
from voltscope.search.searcher import Wish
from voltscope.search.store import Store


class Site:
    def __init__(self, folder: Path) -> None:
        self.home, self.data = folder / "home", folder / "data"
        self.home.mkdir()
        self.data.mkdir()
        self.log = self.home / "volttron.log"
        self.facts: Facts | None = None
        self.engine = LogshipEngine(
            EngineContext("logship", self.data, self.home, lambda seconds: FactsAnswer(self.facts, None, None))
        )

    def write(self, text: str, level: str = "INFO") -> None:
        with self.log.open("a") as file:
            file.write(record(text, level) + "\n")

    def store(self) -> Store:
        return Store.open(self.data / SPOOL)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.engine.stop()


def test_a_line_written_is_found_within_a_second_or_so_without_any_bridge(site: Site) -> None:
    site.engine.configure({})
    site.engine.start()
    store = site.store()
    written = 0

    def soon() -> bool:
        nonlocal written
        written += 1
        began = time.monotonic()
        site.write(f"needle{written}", "ERROR")
        until(lambda: len(store.find(Wish(f"error AND needle{written}")).hits) == 1)
        return time.monotonic() - began < 1.2

    assert any(soon() for _ in range(20))  # on a busy machine not each
    assert site.engine.handle("status", {})["records"] == written


def test_facts_name_the_process_nobody_else_names(site: Site) -> None:
    site.facts = Facts(
        generation="modular",
        instance="vm",
        volttron_home=str(site.home),
        taken_at=0.0,
        agents=[InstalledAgent(identity="demo", name="volttron-demo-1.0", uuid="u", pid=77)],
    )
    site.engine.configure({"log_files": [str(site.log)]})
    site.engine.start()
    site.write("hello")
    store = site.store()
    until(lambda: store.newest() == "1")
    until(lambda: site.engine._identities is not None and not site.engine._identities.wants_facts)
    site.write("again")
    until(lambda: len(store.find(Wish(agent="demo")).hits) >= 1)
    names = {family["name"]: family for family in site.engine.handle("metrics", {})}
    assert {"labels": {"agent": "demo", "level": "info"}, "value": 1.0} in [
        {**sample, "value": min(sample["value"], 1.0)} for sample in names["volttron_log_records_total"]["samples"]
    ]


def test_failed_scrapes_and_secrets_are_among_its_metrics(site: Site) -> None:
    site.engine.configure({"log_files": [str(site.log)]})
    site.engine.start()
    failed = record("Failed to scrape campus/fake:", "ERROR").replace("demo.agent", "platform_driver.driver")
    site.log.write_text(f"{failed}\nTraceback\n" + record("secretkey=" + "a" * 43) + "\n" + record("last") + "\n")
    store = site.store()
    until(lambda: store.newest() == "3")
    names = {family["name"]: family["samples"] for family in site.engine.handle("metrics", {})}
    assert names["volttron_device_scrape_errors_total"] == [{"labels": {"device": "campus/fake"}, "value": 1.0}]
    assert sum(sample["value"] for sample in names["volttron_log_secrets_total"]) == 1
    assert {tuple(sample["labels"]) for sample in names["volttron_log_secrets_total"]} == {("rule",)}


def test_a_configuration_is_applied_without_a_restart(site: Site) -> None:
    site.engine.configure({})
    site.engine.start()
    site.write("badge B-123")
    store = site.store()
    until(lambda: store.newest() == "1")
    other = site.home / "other.log"
    site.engine.configure({"log_files": [str(other)], "redaction_patterns": [r"B-\d+"], "site": "north"})
    other.write_text(record("badge B-456") + "\n")
    until(lambda: store.newest() == "2")
    hit = store.find(Wish()).hits[0]
    assert hit.message == "badge [REDACTED]"
    assert hit.doc()["labels"]["site"] == "north"


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"retention": 3}, "retention"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"redaction_patterns": ["("]}, "redaction_patterns[0]"),
        ({"receivers": [{"type": "syslog", "host": "h", "port": 0}]}, "receivers[0].port"),
    ],
)
def test_a_wrong_configuration_is_refused_and_changes_nothing(site: Site, wrong: dict[str, object], key: str) -> None:
    site.engine.configure({"retention_days": 3})
    with pytest.raises(ConfigError) as refused:
        site.engine.configure(wrong)
    assert refused.value.key == key
    assert site.engine._config.retention_days == 3


def test_every_configuration_key_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "logs.md").read_text()
    for field in msgspec.structs.fields(LogshipConfig):
        assert f"| `{field.name}` |" in text


def test_an_unknown_method_is_said_to_be_so(site: Site) -> None:
    with pytest.raises(UnknownMethod):
        site.engine.handle("no-such", {})


def test_the_log_of_the_running_platform_is_found_by_its_process(site: Site) -> None:
    program = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()", "-l", "own.log"]
    platform = subprocess.Popen(program, cwd=site.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert platform.stdout is not None
        platform.stdout.readline()
        (site.home / "VOLTTRON_PID").write_text(str(platform.pid))
        (site.home / "own.log").write_text(record("found") + "\n")
        site.engine.configure({})
        site.engine.start()
        store = site.store()
        until(lambda: store.newest() == "1")
        assert site.engine.handle("status", {})["logs"][0]["path"] == str(site.home / "own.log")
    finally:
        platform.kill()
        platform.communicate()
    assert (site.data / "last-log").read_text() == str(site.home / "own.log")


def test_an_idle_engine_costs_next_to_nothing(site: Site) -> None:
    site.engine.configure({})
    site.write("one")
    site.engine.start()
    store = site.store()
    until(lambda: store.newest() == "1")

    def spent() -> float:
        """Processor seconds within two seconds, of whatever else lives in this process as well."""
        before = time.process_time()
        time.sleep(2)
        return time.process_time() - before

    assert any(spent() < 0.1 for _ in range(5))


def test_a_damaged_compressed_neighbour_stops_nothing(site: Site) -> None:
    site.write("before")
    site.engine.configure({"log_files": [str(site.log)]})
    site.engine.start()
    until(lambda: site.engine.handle("status", {})["records"] == 1)
    site.engine.stop()
    damaged = bytearray(gzip.compress(b"".join(b"%d\n" % number for number in range(5000))))
    damaged[12:60] = bytes(byte ^ 0xFF for byte in damaged[12:60])
    (site.home / "volttron.log.1.gz").write_bytes(damaged)
    site.log.unlink()
    site.write("after")
    site.engine = LogshipEngine(EngineContext("logship", site.data, site.home, lambda _: FactsAnswer(None, None, None)))
    site.engine.configure({"log_files": [str(site.log)]})
    site.engine.start()
    until(lambda: [hit.message for hit in site.store().follow(Wish(), "0")] == ["before", "after"])


def test_what_nobody_foresaw_is_said_counted_and_read_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("voltscope.logs.engine._PAUSE_S", 0.05)
    whole, failures = Identities.of, [RuntimeError("unforeseen")] * 2

    def of(self: Identities, header: Header, at: float) -> tuple[str, str | None, bool]:
        if header.pid == 4712 and failures:
            raise failures.pop()
        return whole(self, header, at)

    monkeypatch.setattr(Identities, "of", of)
    site.log.write_text(f"{record('first')}\n{record('second').replace('PID:77', 'PID:4712')}\n{record('third')}\n")
    site.engine.configure({"log_files": [str(site.log)]})
    site.engine.start()
    until(lambda: [hit.message for hit in site.store().follow(Wish(), "0")] == ["first", "second", "third"])
    assert site.engine.handle("status", {})["spool"]["failures"] == 2
    assert "logship: unforeseen" in capsys.readouterr().err


def test_an_instance_name_that_comes_late_is_that_of_later_records(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voltscope.logs.engine._FACTS_SOON_S", 0.01)
    monkeypatch.setattr("voltscope.logs.engine._FACTS_EVERY_S", 0.01)
    site.facts = Facts(generation="modular", instance="i", volttron_home="/vh", taken_at=1.0)
    site.engine.configure({"log_files": [str(site.log)]})
    site.engine.start()
    site.write("before")
    until(lambda: site.engine.handle("status", {})["records"] == 1)
    (site.home / "config").write_text("[volttron]\ninstance-name = learnt\n")
    until(lambda: next(iter(site.engine._pipelines.values())).origin.instance == "learnt")
    site.write("after")
    until(lambda: site.store().labels().get("instance") == "learnt")


@pytest.mark.parametrize("name", ["~nobody-of-that-name/volttron.log", "a\0b"])
def test_a_path_that_can_be_none_is_refused(site: Site, name: str) -> None:
    with pytest.raises(ConfigError, match=r"log_files\[0\]"):
        site.engine.configure({"log_files": [name]})


def test_a_receiver_that_can_be_no_host_is_a_failure_and_tried_again(site: Site) -> None:
    site.write("one")
    site.engine.configure(
        {"log_files": [str(site.log)], "receivers": [{"type": "syslog", "host": "logs..example", "port": 514}]}
    )
    site.engine.start()
    until(lambda: site.engine.handle("status", {})["receivers"][0]["failures"] > 1)


def test_logs_and_metrics_name_a_platform_without_a_name_alike(site: Site) -> None:
    site.engine.configure({})
    site.engine.start()
    site.write("one")
    until(lambda: site.engine.handle("status", {})["records"] == 1)
    assert site.store().labels()["instance"] == instance_name(site.home)
