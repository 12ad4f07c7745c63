"""Bad input of every kind, met by a running exporter over HTTP: what is wrong is named, and no scrape is lost."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from frozen_platform import frozen_facts, make_cache
from prometheus_client.parser import text_string_to_metric_families

from voltscope.metrics.engine import ExporterEngine
from voltscope.platform.agents import Exported, ExportedFamily, Facts, InstalledAgent
from voltscope.platform.bounds import bound

Start = Callable[..., ExporterEngine]


def scrape(engine: ExporterEngine) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Every sample of one scrape; a page that Prometheus could not read fails here."""
    with urllib.request.urlopen(f"{engine.url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def failed(seen: dict[str, list[tuple[dict[str, str], float]]]) -> list[str]:
    """The collectors that did not deliver."""
    return [labels["collector"] for labels, value in seen["voltscope_collector_success"] if not value]


def cache_is_readable(seen: dict[str, list[tuple[dict[str, str], float]]]) -> float:
    ((_, value),) = [
        (labels, value)
        for labels, value in seen["volttron_historian_database_readable"]
        if labels == {"agent": "platform.historian", "database": "cache"}
    ]
    return value


def sqlite_without_tables(path: Path) -> bytes:
    """A database that SQLite reads, and no historian made."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (id)")
    content = path.read_bytes()
    path.unlink()
    return content


def through_the_link(facts: Facts) -> Facts:
    """As the engine gets it: whatever cannot be sent fails here."""
    return msgspec.json.decode(msgspec.json.encode(facts), type=Facts)


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000], ids=repr)
def test_a_backup_database_of_garbage_is_said_to_be_unreadable(engine: Start, modular: Any, content: bytes) -> None:
    (modular.home / "agents" / "platform.historian" / "backup.sqlite").write_bytes(content)
    seen = scrape(engine())
    assert cache_is_readable(seen) == 0
    assert failed(seen) == []


def test_a_backup_database_without_its_tables_and_one_that_is_mended(engine: Start, modular: Any) -> None:
    path = modular.home / "agents" / "platform.historian" / "backup.sqlite"
    path.unlink()
    path.write_bytes(sqlite_without_tables(path.parent / "other.sqlite"))
    running = engine()
    assert cache_is_readable(scrape(running)) == 0
    path.unlink()
    make_cache(path, range(1, 3))
    assert cache_is_readable(scrape(running)) == 1


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)], ids=["fifo", "dir", "loop"])
def test_what_only_bears_the_name_of_a_database_holds_up_nothing(
    engine: Start, modular: Any, make: Callable[[Path], object]
) -> None:
    path = modular.home / "agents" / "platform.historian" / "backup.sqlite"
    path.unlink()
    make(path)
    assert failed(scrape(engine(collector_timeout_s=2.0))) == []


@pytest.mark.parametrize(
    "context",
    [
        "words",
        7,
        True,
        [[[]]],
        {"cache_count": "many", "publishing": "perhaps", "backlogged": None, "cache_full": [1]},
        {"cache_count": -5, "publishing": 3.5},
        {"cache_count": 10**400},
        {"cache_count": {"engine": "running"}, "engine": {}},
        {"engine": "\u202eexploded", "": None},
    ],
    ids=repr,
)
@pytest.mark.parametrize("identity", ["listener", "platform.historian"])
def test_garbage_in_a_health_context_costs_no_collector(
    engine: Start, modular: Any, context: Any, identity: str
) -> None:
    health = dict(modular.facts.health)
    health[identity] = msgspec.structs.replace(health[identity], answered=True, context=context, status="g\0od")
    facts = msgspec.structs.replace(modular.facts, health=health)
    if context != {"cache_count": 10**400}:  # no JSON of the bridge's holds a number without measure
        facts = through_the_link(facts)
    modular.facts = facts
    seen = scrape(engine())
    assert failed(seen) == []
    for samples in seen.values():
        assert not any(math.isnan(value) for _, value in samples)


def test_identities_that_are_no_utf8_or_have_ten_megabytes_are_shortened(engine: Start, modular: Any) -> None:
    raw = b"caf\xe9.agent".decode("utf-8", "surrogateescape")
    odd = [
        raw,
        "x" * 10_000_000,
        "historian" + "x" * 10_000,
        raw + "historian",
        "historian\0",
        'a"} 1\nup 0',
        "\0",
        "\u202e",
    ]
    agents = [InstalledAgent(identity=name, name=name, uuid="u", tag=name, version=name) for name in odd]
    modular.facts = msgspec.structs.replace(modular.facts, agents=[*modular.facts.agents, *agents])
    seen = scrape(engine())
    assert failed(seen) == []
    assert "up" not in seen
    names = {labels["agent"] for labels, _ in seen["volttron_agent_info"]}
    assert len(names) == len(modular.facts.agents)
    assert max(map(len, names)) <= 120


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("no list", "form"),
        ([{"name": "a", "type": "gauge", "samples": [{"labels": {"x": "y" * 10_000_000}, "value": 1}]}], "too-big"),
        ([{"name": "a", "type": "gauge", "samples": [{"value": n} for n in range(1_000_000)]}], "too-many"),
        ([{"name": "a", "type": "histogram", "samples": [{"value": 1}]}], "type"),
        ([{"name": "a_total", "type": "gauge", "samples": [{"value": 1}]}], "name"),
        ([{"name": "volttron_platform_up", "type": "gauge", "samples": [{"value": 0}]}], "reserved"),
        ([{"name": "a", "type": "gauge", "samples": [{"value": math.nan}]}], "value"),
        ([{"name": "a", "type": "gauge", "samples": [{"value": "1"}]}], "form"),
    ],
    ids=["no list", "10 MB", "a million", "type", "name", "forged", "NaN", "text"],
)
def test_lies_of_an_exporting_agent_are_counted_by_reason(
    engine: Start, modular: Any, answer: Any, reason: str
) -> None:
    bounded = bound(answer)
    good = ExportedFamily(name="meter_power_watts", type="gauge", samples=[({}, 5.0)])
    exported = {
        "listener": Exported(
            pid=next(agent.pid for agent in modular.facts.agents if agent.identity == "listener") or 0,
            answered_at=modular.now,
            families=[*bounded.families, good],
            dropped=dict(bounded.dropped),
        )
    }
    facts = through_the_link(msgspec.structs.replace(modular.facts, exported=exported))
    modular.facts = msgspec.structs.replace(facts, platform_pid=os.getpid())
    seen = modular.scrape()
    assert seen[f"voltscope_exported_dropped_total{{agent=listener,reason={reason}}}"] >= 1
    assert seen["meter_power_watts{agent=listener}"] == 5
    assert failed(scrape(engine())) == []


def test_facts_are_what_the_bridge_recorded() -> None:
    for generation in ("modular", "monolithic"):
        facts = frozen_facts(generation)
        assert through_the_link(facts) == facts
        assert json.loads(msgspec.json.encode(facts))["generation"] == generation
