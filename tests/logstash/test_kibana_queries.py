"""Every request of every object, run in a real OpenSearch on the shipped logs and profiles, finds what it should."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from kibana import troubles
from kibana.links import AFTER_S, BEFORE_S, LINKS, LOGS, PROFILES, Link
from kibana.objects import objects
from kibana.requests import queries, requests
from kibana.searches import SEARCHES, STORY
from kibana_rig import SINCE, UNTIL, ask, everything, logs, profiles
from servers.opensearch.node import OpenSearch

Document = dict[str, Any]
EVERYTHING: dict[str, Any] = {"match_all": {}}
OURS: dict[str, Any] = {"exists": {"field": "service.name"}}


@pytest.fixture(scope="module")
def node(opensearch: OpenSearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    folder = tmp_path_factory.mktemp("kibana")
    logs(opensearch, folder)
    profiles(opensearch, folder / "profiler")
    yield opensearch
    for name in ("kibanalogs", "kibanaprofiles"):
        opensearch.ask("DELETE", f"/{name}-*")
        opensearch.ask("DELETE", f"/_index_template/{name}")


def value(document: Document, path: str) -> Any:
    found: Any = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def text(document: Document) -> str:
    error = document.get("error", {})
    return "\n".join(str(one) for one in (document["message"], error.get("message", ""), error.get("stack_trace", "")))


def says(document: Document, expression: str) -> bool:
    return re.search(expression, document["message"], re.I) is not None


def severe(document: Document) -> bool:
    return value(document, "log.level") in ("error", "critical")


def by(document: Document, word: str) -> bool:
    names = (value(document, "service.name"), value(document, "log.logger"))
    return any(word in re.split(r"[^a-z0-9]+", str(name).lower()) for name in names)


def slow(document: Document) -> bool:
    if re.search("database is locked", text(document), re.I):
        return True
    took = re.search(r"Time taken to load results from db: ?(?:(\d+):(\d+):)?([\d.]+)s?$", document["message"])
    if took is None:
        return False
    return int(took[1] or 0) * 3600 + int(took[2] or 0) * 60 + float(took[3]) >= 1


# What each kind of trouble is, said once more in Python; and how often it is there.
TROUBLES: dict[str, tuple[Callable[[Document], bool], int]] = {
    "platform restarts": (
        lambda one: (
            value(one, "service.name") == "platform"
            and says(one, "initializing configuration store service|platform running on|sigint received")
        ),
        5,
    ),
    "agents restarted": (
        lambda one: (
            value(one, "service.name") == "platform" and says(one, "stopped unexpectedly|successfully restarted agent")
        ),
        27,
    ),
    "driver failures": (
        lambda one: (
            by(one, "driver")
            and (severe(one) or says(one, "failed to (scrape|set)|exception while polling|publish delayed"))
        ),
        27,
    ),
    "historian trouble": (
        lambda one: (
            ("historian" in value(one, "service.name") or by(one, "historian"))
            and (severe(one) or says(one, "out of configured tolerance|no connection configured|database is locked"))
        ),
        143,
    ),
    "slow queries": (slow, 4),
    "secrets redacted": (lambda one: "redacted" in text(one).lower(), 8),
}


@pytest.mark.parametrize("kind", sorted(troubles.ALL))
def test_a_kind_of_trouble_is_found_whole_and_alone(node: OpenSearch, kind: str) -> None:
    documents = everything(node, LOGS.pattern, EVERYTHING)
    query = {"query_string": {"query": troubles.ALL[kind], "analyze_wildcard": True}}
    found = {one["event"]["id"] for one in everything(node, LOGS.pattern, query)}
    holds, count = TROUBLES[kind]
    should = {one["event"]["id"]: one["message"][:80] for one in documents if holds(one)}
    assert {should.get(one, "?") for one in found ^ should.keys()} == set()
    assert (len(found), len(documents) > 1000) == (count, True)


def test_one_agents_story_is_told_in_order_with_what_the_platform_says_of_it(node: OpenSearch) -> None:
    known = {(one["type"], one["id"]): one for one in objects("kibana")}
    _, index, body = next(iter(requests(STORY, known, SINCE, UNTIL)))
    hits = [hit["_source"] for hit in ask(node, index, body)["hits"]["hits"]]
    names = Counter(one["service"]["name"] for one in hits)
    assert set(names) == {"platform", "platform.historian"} and names["platform.historian"] > 100
    assert all("platform.historian" in text(one) for one in hits if one["service"]["name"] == "platform")
    times = [one["@timestamp"] for one in hits]
    assert times == sorted(times)


@pytest.mark.parametrize("search", [one["attributes"]["title"] for one in SEARCHES])
def test_a_saved_search_finds_some_and_not_all(node: OpenSearch, search: str) -> None:
    [one] = [one for one in SEARCHES if one["attributes"]["title"] == search]
    known = {(each["type"], each["id"]): each for each in objects("kibana")}
    (_, index, body), (_, _, chart) = requests(one, known, SINCE, UNTIL)
    answer = ask(node, index, {**body, "track_total_hits": True})
    total = answer["hits"]["total"]["value"]
    every = len(everything(node, index, EVERYTHING))
    assert 0 < total < every or (index == PROFILES.pattern and total == every == 3)
    assert len(answer["hits"]["hits"]) == min(total, 500)
    assert sum(each["doc_count"] for each in ask(node, index, chart)["aggregations"]["2"]["buckets"]) == total
    order = one["attributes"]["sort"][0]
    shown = [value(hit["_source"], order[0]) for hit in answer["hits"]["hits"]]
    assert shown == sorted(shown, reverse=order[1] == "desc")
    made = {link.name for link in LINKS[one["references"][0]["id"]]}
    for column in set(one["attributes"]["columns"]) - made - {"labels.stream", "error.type", "labels.site"}:
        assert any(value(hit["_source"], column) is not None for hit in answer["hits"]["hits"]), column


def test_every_aggregation_of_every_object_returns_what_it_should(node: OpenSearch) -> None:
    """Against the same aggregation in Python, over the documents that the query finds."""
    seen: set[str] = set()
    for dashboard, panel, index, body in queries(SINCE, UNTIL):
        if "aggs" not in body or json.dumps(body) in seen:  # an object may be on both dashboards
            continue
        seen.add(json.dumps(body))
        documents = everything(node, index, body["query"])
        answer = ask(node, index, body)["aggregations"]
        assert documents, (dashboard, panel)
        check(node, index, body["aggs"], answer, documents, f"{dashboard} / {panel}")
    assert len(seen) > 20


def check(node: OpenSearch, index: str, aggs: Any, answer: Any, documents: list[Document], where: str) -> None:
    for name, asked in aggs.items():
        kind = next(key for key in asked if key != "aggs")
        keys, got = asked[kind], answer[name]
        if kind in ("terms", "date_histogram", "filters"):
            groups = grouped(node, index, kind, keys, documents)
            assert groups, (where, "nothing to count")
            buckets = got["buckets"]
            found = buckets if kind == "filters" else {one["key"]: one for one in buckets}
            if kind == "terms":
                assert len(found) == min(len(groups), keys["size"]), where
            else:
                assert {key for key, one in found.items() if one["doc_count"]} == set(groups), where
            for key, bucket in found.items():
                inside = groups.get(key, [])
                assert bucket["doc_count"] == len(inside), (where, key)
                if inside and "aggs" in asked:
                    check(node, index, asked["aggs"], bucket, inside, f"{where} / {key}")
            if kind == "terms":
                ordered(keys, buckets, groups, where)
        else:
            assert got["value"] == pytest.approx(measured(kind, keys["field"], documents), rel=1e-6), (where, kind)


def ordered(keys: Any, buckets: list[Any], groups: dict[Any, list[Document]], where: str) -> None:
    [(by, direction)] = keys["order"].items()
    if by == "_count":
        counts = sorted((len(one) for one in groups.values()), reverse=True)
        assert [one["doc_count"] for one in buckets] == counts[: keys["size"]], where
    elif by == "_key":
        assert [one["key"] for one in buckets] == sorted(groups)[: keys["size"]], where
    else:
        values = [one[by]["value"] for one in buckets]
        assert values == sorted(values, reverse=direction == "desc"), where


def grouped(node: OpenSearch, index: str, kind: str, keys: Any, documents: list[Document]) -> dict[Any, list[Document]]:
    groups: defaultdict[Any, list[Document]] = defaultdict(list)
    if kind == "filters":
        for label, query in keys["filters"].items():
            ids = {one["event"]["id"] for one in everything(node, index, query)}
            if inside := [one for one in documents if one["event"]["id"] in ids]:
                groups[label] = inside
        return groups
    for one in documents:
        if kind == "terms":
            found = value(one, keys["field"])
            found = keys.get("missing") if found is None else found
            for each in found if isinstance(found, list) else [found] if found is not None else []:
                groups[each].append(one)
        else:
            number, unit = re.fullmatch(
                r"(\d+)([smhd])", keys.get("fixed_interval") or keys["calendar_interval"]
            ).groups()
            span = int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] * 1000
            groups[milliseconds(one) // span * span].append(one)
    return groups


def measured(kind: str, field: str, documents: list[Document]) -> float:
    every = [milliseconds(one) if field == "@timestamp" else value(one, field) for one in documents]
    values = [one for one in every if one is not None]
    if kind == "cardinality":
        return len(set(values))
    return float({"max": max, "min": min, "sum": sum}[kind](values))


def milliseconds(document: Document) -> int:
    return round(datetime.fromisoformat(document["@timestamp"].replace("Z", "+00:00")).timestamp() * 1000)


def test_trouble_is_counted_by_instance(node: OpenSearch) -> None:
    wanted = ("voltscope: fleet", "voltscope: trouble by instance")
    [(_, _, index, body)] = [one for one in queries(SINCE, UNTIL) if one[:2] == wanted]
    buckets = ask(node, index, body)["aggregations"]["2"]["buckets"]
    counted = {one["key"]: {kind: each["doc_count"] for kind, each in one["3"]["buckets"].items()} for one in buckets}
    assert set(counted) == {"modular", "monolithic"}
    assert counted["modular"]["slow queries"] == 1 and counted["monolithic"]["slow queries"] == 3
    for kind, (_, count) in TROUBLES.items():
        assert counted["modular"][kind] + counted["monolithic"][kind] == count


def led(link: Link, document: Document) -> str:
    """What a link's address is made of."""
    if link.around is None:
        return str(value(document, link.of))
    prefix, times = ("var-", 1000) if link.around == "grafana" else ("", 1)
    names = {"site": "labels.site", "instance": "labels.instance", "agent": "service.name"}
    at = milliseconds(document) // 1000
    since, until = ("from", "to") if link.around == "grafana" else ("since", "until")
    given = {prefix + name: value(document, field) for name, field in names.items()}
    given |= {since: (at - BEFORE_S) * times, until: (at + AFTER_S) * times}
    return "&".join(f"{name}={content}" for name, content in given.items() if content is not None)


@pytest.mark.parametrize("view", [LOGS, PROFILES], ids=lambda view: view.id)
def test_links_are_made_of_every_record_and_break_none(node: OpenSearch, view: Any) -> None:
    """By the scripts themselves: Kibana's runtime field is OpenSearch's derived field."""
    node.ask("PUT", "/kibanalogs-other/_doc/1?refresh=true", {"text": "of somebody else"})
    for link in LINKS[view.id]:
        derived = {link.name: {"type": "keyword", "script": {"source": link.runtime}}}
        scripted = {link.name: {"script": {"source": link.scripted, "lang": "painless"}}}
        body = {"derived": derived, "fields": [link.name], "script_fields": scripted}
        for hit in ask(node, view.pattern, {**body, "size": 500, "query": OURS, "_source": True})["hits"]["hits"]:
            assert set(hit["fields"][link.name]) == {led(link, hit["_source"])}
        [hit] = ask(node, LOGS.pattern, {**body, "size": 10, "query": {"exists": {"field": "text"}}})["hits"]["hits"]
        assert hit["fields"].get(link.name) in (None, [""])
    node.ask("DELETE", "/kibanalogs-other")


@pytest.mark.parametrize("link", [link for link in LINKS[LOGS.id] if link.around], ids=lambda link: link.name)
def test_names_with_signs_of_addresses_lead_to_themselves(node: OpenSearch, link: Link) -> None:
    named = {"site": 'north & 100% "wing"', "instance": "a#b+c=d"}
    record = {"@timestamp": "2026-11-21T04:00:00Z", "labels": named, "service": {"name": "pump 1"}}
    node.ask("PUT", "/kibanalogs-signs/_doc/1?refresh=true", record)
    body = {"query": {"term": {"service.name": "pump 1"}}, "derived": {link.name: {"type": "keyword", "script": {}}}}
    body["derived"][link.name]["script"] = {"source": link.runtime}
    [hit] = ask(node, LOGS.pattern, {**body, "fields": [link.name]})["hits"]["hits"]
    [made] = hit["fields"][link.name]
    given = {name.removeprefix("var-"): content for name, content in parse_qsl(made)}
    assert {name: given[name] for name in ("site", "instance", "agent")} == {**named, "agent": "pump 1"}
    assert len(given) == 5 and " " not in made
    node.ask("DELETE", "/kibanalogs-signs")


def test_who_spends_time_in_json_dumps(node: OpenSearch) -> None:
    query = {"query_string": {"query": 'voltscope.profile.function_names:"json.dumps"'}}
    assert [one["service"]["name"] for one in everything(node, PROFILES.pattern, query)] == ["platform.historian"] * 2


def test_a_request_is_json_that_says_its_time(node: OpenSearch) -> None:
    for _, _, _, body in queries():
        [moments] = [one["range"]["@timestamp"] for one in json.loads(json.dumps(body))["query"]["bool"]["filter"]]
        assert moments["gte"] < moments["lte"]
