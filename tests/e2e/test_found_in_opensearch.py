"""What the platform logs and how it was profiled is found in OpenSearch, as it is found on the site itself."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import uuid
from datetime import datetime
from pathlib import Path

import pytest
from live_site import LiveSite, log_stamp, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "logstash"))

from kibana.requests import queries

QUERIES = (
    "",
    'agent:historian or (topic and not "no such words")',
    "logger:agent level>=info pub* not agent=platform.driver",
    "level:error or level:warning",
)
# what a platform that has started, has an agent and was profiled shows on the boards
ALWAYS = (
    "records by level",
    "instances",
    "agents",
    "loudest loggers",
    "platform restarts",
    "profiles taken",
    "hottest functions",
)


@pytest.fixture(scope="module")
def live(site):
    return LiveSite(site)


@pytest.fixture(scope="module")
def settled(live, opensearch_of_the_site):
    """A moment, by `--until`, before which nothing new arrives: not in the spool, not in OpenSearch."""
    token = f"s{uuid.uuid4().hex[:12]}"
    moment = datetime.fromtimestamp(time.time() - 10)
    with Path(live["log"]).open("a") as log:
        log.write(f"{log_stamp()} (PID:1) settled.test(1) INFO: {token}\n")
    # records arrive in the order of the log: when this one is there, those before it are
    wait_for(lambda: opensearch_of_the_site.find("voltscope-logs-*", {"match": {"message": token}}), timeout=60)
    return moment.isoformat(timespec="seconds")


@pytest.mark.parametrize("query", QUERIES)
def test_the_same_query_finds_the_same_records_in_the_spool_and_in_opensearch(live, settled, tmp_path, query):
    site = json.loads((Path(live["home"]) / "etc" / "site.json").read_text())
    assert site.pop("log_search")["url"] == live["opensearch"]
    spool = tmp_path / "site.json"
    spool.write_text(json.dumps(site))

    def found(*options):
        said = live.voltscope(*options, "logs", query, "--until", settled, "--limit", "300", "--json")
        return [json.loads(line) for line in said.splitlines()]

    there, here = found(), found("--site", spool)
    assert [record["event"]["id"] for record in there] == [record["event"]["id"] for record in here]
    assert there == here
    assert there


def test_the_quickstart_has_seen_for_itself_what_it_says(live, opensearch_of_the_site):
    if "output" not in live.status:
        pytest.skip("this quickstart was brought up by somebody else")
    said = live["output"]
    event = said.partition("event.id ")[2].split()[0]
    (record,) = opensearch_of_the_site.find("voltscope-logs-*", {"ids": {"values": [event]}})
    assert record["labels"]["instance"] == live.instance
    assert "_process_loop in " in said.partition("by a function's name")[2]
    assert live["opensearch"] in said.partition("Done in")[2]


@pytest.mark.usefixtures("settled")
def test_every_query_of_every_kibana_object_is_answered_on_what_the_platform_wrote(opensearch_of_the_site):
    records, refused = {}, []
    for board, panel, index, body in queries():
        try:
            answer = opensearch_of_the_site.ask(f"/{index}/_search", {**body, "track_total_hits": True})
        except urllib.error.HTTPError as error:
            refused.append((board, panel, error.read().decode()[:1000]))
            continue
        if answer["timed_out"] or answer["_shards"]["failed"]:
            refused.append((board, panel, answer["_shards"]))
        records[panel.removeprefix("voltscope: ")] = answer["hits"]["total"]["value"]
    assert refused == []
    for panel in ALWAYS:
        assert records[panel], f"{panel} shows nothing"


def test_links_of_a_capture_lead_to_its_pictures(live, opensearch_of_the_site):
    captures = wait_for(
        lambda: opensearch_of_the_site.find("voltscope-profiles-*", {"term": {"service.name": "platform.historian"}}),
        what="captures of the historian",
    )
    profile = captures[0]["voltscope"]["profile"]
    assert profile["svg_url"].startswith(live["console"])
    with live.console() as client:
        assert "<svg" in client.get(profile["svg_url"]).text
