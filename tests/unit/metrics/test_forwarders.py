"""Forwarders of both generations: their words, as recorded on real platforms, their connections and their caches."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from frozen_platform import DATA, NOW, make_cache

from voltscope.platform.agents import Health, InstalledAgent
from voltscope.platform.processes import ProcessTable
from voltscope.platform.times import epoch

# What `health.get_status` answered, of modular's 2.0.0rc0 and of monolithic's 5.1: just started, with a destination
# that was there, and with one that was not.
RECORDED = json.loads((DATA / "forwarders.json").read_text())
PID = 3950


def forwarder(frozen: Any, identity: str, name: str, answer: dict[str, Any] | None, asked_at: float = NOW) -> None:
    """Put a forwarder into the frozen platform, which last answered so; None: not at all."""
    facts = frozen.facts
    agent = InstalledAgent(identity=identity, name=name, uuid="f", version="1", pid=PID)
    health = Health(answered=answer is not None, asked_at=asked_at, seconds=0.01)
    if answer is not None:
        health = msgspec.structs.replace(
            health,
            status=answer["status"].lower(),
            context=answer["context"],
            last_updated=epoch(answer["last_updated"], None),
        )
    others = [known for known in facts.agents if known.identity != identity]
    frozen.facts = msgspec.structs.replace(
        facts,
        agents=[*others, agent],
        peers=sorted({*facts.peers, identity}),
        health={**facts.health, identity: health},
        taken_at=asked_at,
    )


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: f"{entry['generation']}: {entry['answer']['context']}")
def test_its_words_tell_whether_it_is_connected(modular: Any, entry: dict[str, Any]) -> None:
    identity = entry["identity"]
    forwarder(modular, identity, entry["name"], entry["answer"])
    assert modular.scrape().get(f"volttron_forwarder_connected{{agent={identity}}}") == entry["connected"]


def test_the_last_forward_ages_and_outlives_what_it_says_later(modular: Any) -> None:
    published = next(e["answer"] for e in RECORDED if "published" in (e["answer"]["context"] or ""))
    age = "volttron_forwarder_last_forward_age_seconds{agent=forward}"
    forwarder(modular, "forward", "forwarderagent", published | {"last_updated": "2026-11-21T05:00:00+00:00"})
    at = epoch("2026-11-21T05:00:00+00:00", None)
    assert at is not None
    modular.now = at + 5
    assert modular.scrape()[age] == 5
    modular.now += 60
    lost = {"status": "BAD", "context": "Timeout occured", "last_updated": "2026-11-21T05:01:00+00:00"}
    forwarder(modular, "forward", "forwarderagent", lost)
    seen = modular.scrape()
    assert (seen[age], seen["volttron_forwarder_connected{agent=forward}"]) == (65, 0)
    forwarder(modular, "forward", "forwarderagent", None)
    seen = modular.scrape()
    assert seen[age] == 65
    assert "volttron_forwarder_connected{agent=forward}" not in seen, "a forwarder that hangs says nothing"


def test_nothing_published_is_no_forward(modular: Any) -> None:
    none = {"status": "GOOD", "context": "published 0 items", "last_updated": "2026-11-21T05:00:00+00:00"}
    forwarder(modular, "forward", "forwarderagent", none)
    assert "volttron_forwarder_last_forward_age_seconds{agent=forward}" not in modular.scrape()


def test_what_waits_in_its_cache_is_counted_and_ages(modular: Any) -> None:
    forwarder(modular, "forward.north", "volttron-forward-historian", None)
    make_cache(modular.home / "agents" / "forward.north" / "backup.sqlite", range(1, 4))
    modular.now = NOW + 90
    seen = modular.scrape()
    assert seen["volttron_historian_backlog_records{agent=forward.north}"] == 3
    assert seen["volttron_historian_backlog_age_seconds{agent=forward.north}"] == 90


def test_monolithics_forwarder_is_known_by_its_distribution(monolithic: Any) -> None:
    forwarder(monolithic, "platform.out", "forwarderagent", None)
    assert "volttron_forwarder_tcp_connections{agent=platform.out}" in monolithic.scrape()
    assert not [key for key in monolithic.scrape() if "forwarder" in key and "agent=platform.historian" in key]


def test_a_data_movers_word_of_old_is_not_believed(monolithic: Any) -> None:
    failed_once = {"status": "BAD", "context": "Timeout occurred", "last_updated": "2026-11-21T05:00:00+00:00"}
    forwarder(monolithic, "mover", "datamoveragent", failed_once)
    seen = monolithic.scrape()
    assert "volttron_forwarder_tcp_connections{agent=mover}" in seen
    assert "volttron_forwarder_connected{agent=mover}" not in seen


CONNECTING = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listener:
    print("listens", flush=True)
    input()
    with socket.create_connection(listener.getsockname()), listener.accept()[0]:
        print("has connected to itself", flush=True)
        input()
"""


def test_only_connections_that_stand_count() -> None:
    table = ProcessTable()
    with subprocess.Popen(
        [sys.executable, "-c", CONNECTING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline()
        assert table.tcp_connections(process.pid) == 0, "a listener is no connection"
        print(file=process.stdin, flush=True)
        assert process.stdout.readline()
        assert table.tcp_connections(process.pid) == 2
        process.kill()
    assert table.tcp_connections(2**22 + 1) is None


@pytest.mark.parametrize("context", [{"published": 3}, ["published 3 items"], 7, "published", "", "x" * 4096])
def test_other_words_are_no_connection(modular: Any, context: object) -> None:
    answer = {"status": "GOOD", "context": context, "last_updated": None}
    forwarder(modular, "forward", "forwarderagent", answer)
    seen = modular.scrape()
    assert "volttron_forwarder_connected{agent=forward}" not in seen
    assert seen["voltscope_collector_success{collector=forwarder}"] == 1
