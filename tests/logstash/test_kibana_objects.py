"""The objects' form: what both products import, what they refer to, and that every field they name is indexed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kibana.links import LINKS, LOGS, Addresses
from kibana.objects import FILES, ndjson, objects
from kibana.requests import fields, queries

from voltscope.logs.transports.index_template import template as logs_template
from voltscope.profiling.index_document import template as profiles_template

ROOT = Path(__file__).resolve().parents[2]
PRODUCTS = sorted(FILES)

# What each type's saved objects may hold and of which type, as all products have declared it since 7.10: Kibana 7.17
# refuses an object with any other attribute, Kibana 8 checks types as well. `runtimeFieldMap` is Kibana's alone.
SOURCE = {"searchSourceJSON": str}
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "index-pattern": {
        "title": str, "timeFieldName": str, "fields": str, "fieldFormatMap": str, "runtimeFieldMap": str,
    },
    "search": {
        "title": str, "description": str, "hits": int, "columns": [str], "sort": [[str]], "version": int,
        "kibanaSavedObjectMeta": SOURCE,
    },
    "visualization": {
        "title": str, "description": str, "visState": str, "uiStateJSON": str, "version": int,
        "kibanaSavedObjectMeta": SOURCE,
    },
    "dashboard": {
        "title": str, "description": str, "hits": int, "panelsJSON": str, "optionsJSON": str, "version": int,
        "timeRestore": bool, "timeFrom": str, "timeTo": str, "refreshInterval": {"pause": bool, "value": int},
        "kibanaSavedObjectMeta": SOURCE,
    },
}  # fmt: skip
# The last migration each product knows of a type: an object that claims a later one is refused. OpenSearch Dashboards
# knows none that are later than these.
LAST_MIGRATION = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
VISUALIZATIONS = {"histogram", "horizontal_bar", "line", "table", "metric", "markdown", "input_control_vis"}


@pytest.fixture(params=PRODUCTS)
def made(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return objects(request.param)


@pytest.mark.parametrize("product", PRODUCTS)
def test_generating_again_changes_nothing(product: Any) -> None:
    assert FILES[product].read_text("utf-8") == ndjson(objects(product)), "run logstash/kibana/generate"


def test_the_generator_writes_the_files(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, ROOT / "logstash/kibana/generate", "--output", tmp_path], check=True)
    assert done.returncode == 0
    for path in FILES.values():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_objects_have_only_what_every_version_takes(made: list[dict[str, Any]]) -> None:
    for one in made:
        kind = one["type"]
        assert set(one) == {"type", "id", "attributes", "references", "migrationVersion"}
        of_type(one["attributes"], ATTRIBUTES[kind])
        assert one["migrationVersion"] == {kind: LAST_MIGRATION[kind]}
        assert re.fullmatch(r"voltscope-[a-z-]+", one["id"])
    assert ("runtimeFieldMap" in made[0]["attributes"]) == (made == objects("kibana"))


def of_type(value: Any, declared: Any) -> None:
    if isinstance(declared, dict):
        for name, inner in value.items():
            of_type(inner, declared[name])
    elif isinstance(declared, list):
        for inner in value:
            of_type(inner, declared[0])
    else:
        assert type(value) is declared


def test_both_products_ask_the_same_of_the_store() -> None:
    kibana, other = (queries(0.0, 86_400.0, objects(product)) for product in ("kibana", "opensearch-dashboards"))
    assert kibana == other and len(kibana) > 60


def test_every_reference_leads_to_an_object_that_comes_before(made: list[dict[str, Any]]) -> None:
    known: set[tuple[str, str]] = set()
    for one in made:
        assert {(each["type"], each["id"]) for each in one["references"]} <= known
        assert (one["type"], one["id"]) not in known
        known.add((one["type"], one["id"]))
        names = [each["name"] for each in one["references"]]
        assert len(names) == len(set(names))
        # every reference is used, and every use is a reference
        used = set(re.findall(r'RefName\\*": ?\\*"([^"\\]+)', json.dumps(one["attributes"])))
        assert used == set(names)
    titles = [one["attributes"]["title"] for one in made]
    assert len(titles) == len(set(titles))


def test_a_visualisation_is_of_a_kind_both_have_with_numbered_aggregations(made: list[dict[str, Any]]) -> None:
    for one in made:
        if one["type"] != "visualization":
            continue
        state = json.loads(one["attributes"]["visState"])
        assert state["title"] == one["attributes"]["title"] and state["type"] in VISUALIZATIONS
        assert [agg["id"] for agg in state["aggs"]] == [str(n) for n in range(1, len(state["aggs"]) + 1)]
        schemas = {agg["schema"] for agg in state["aggs"]}
        allowed = {"table": {"metric", "bucket"}, "metric": {"metric"}}.get(
            state["type"], {"metric", "segment", "group"}
        )
        assert schemas <= allowed
        for agg in state["aggs"]:
            order = agg["params"].get("orderBy", "_key")
            assert order == "_key" or state["aggs"][int(order) - 1]["schema"] == "metric"


def test_panels_fill_the_grid_without_covering_each_other(made: list[dict[str, Any]]) -> None:
    boards = [one for one in made if one["type"] == "dashboard"]
    assert [one["id"] for one in boards] == ["voltscope-fleet", "voltscope-platform"]
    for board in boards:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(board["attributes"]["panelsJSON"]):
            grid = panel["gridData"]
            cells = {
                (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
            }
            assert not cells & taken and max(x for x, _ in cells) < 48
            taken |= cells
        assert len(taken) == 48 * (1 + max(y for _, y in taken))


def test_every_object_is_on_a_dashboard_or_a_search(made: list[dict[str, Any]]) -> None:
    shown = {each["id"] for one in made if one["type"] == "dashboard" for each in one["references"]}
    assert {one["id"] for one in made if one["type"] == "visualization"} == shown - {
        one["id"] for one in made if one["type"] == "search"
    }


def indexed(template: dict[str, Any]) -> set[str]:
    """Every field of a mapping by its path, multi-fields included."""
    found: set[str] = set()

    def walk(properties: dict[str, Any], prefix: str) -> None:
        for name, field in properties.items():
            path = f"{prefix}{name}"
            if field.get("type", "object") not in ("object", "nested"):
                found.add(path)
            found.update(f"{path}.{part}" for part in field.get("fields", {}))
            walk(field.get("properties", {}), f"{path}.")

    walk(template["template"]["mappings"]["properties"], "")
    return found


@pytest.mark.parametrize("flavour", ["elasticsearch", "opensearch", "plain"])
def test_every_field_of_every_object_is_in_its_index_template(made: list[dict[str, Any]], flavour: Any) -> None:
    known = {
        "voltscope-logs": indexed(logs_template("voltscope-logs", False, flavour)),
        "voltscope-profiles": indexed(profiles_template("voltscope-profiles")),
    }
    for one in made:
        view = one["id"] if one["type"] == "index-pattern" else next(
            (each["id"] for each in one["references"] if each["type"] == "index-pattern"), None
        )  # fmt: skip
        if view is not None:
            links = {link.name for link in LINKS[view]}
            assert fields(one) - links <= known[view], one["id"]
            assert one["type"] != "index-pattern" or {link.of for link in LINKS[view]} <= known[view]


def test_fields_are_read_out_of_queries() -> None:
    query = '(a.b:x OR c:*y*) AND NOT d.words:("one: two" OR z) OR message:/[0-9]{3}s/'
    one = {"type": "search", "attributes": {"columns": [], "sort": [], "kibanaSavedObjectMeta": {
        "searchSourceJSON": json.dumps({"query": {"query": query}})}}}  # fmt: skip
    assert fields(one) == {"a.b", "c", "d.words", "message"}


def test_links_lead_to_the_console_and_the_grafana_that_were_named() -> None:
    named = Addresses("https://console.example/volttron/", "https://grafana.example/")
    for product in PRODUCTS:
        here, there = ndjson(objects(product)), ndjson(objects(product, named))
        assert "http://127.0.0.1:10935/" in here and "http://127.0.0.1:3000/" in here and "127.0.0.1" not in there
        formats = json.loads(objects(product, named)[0]["attributes"]["fieldFormatMap"])
        template = {name: shown["params"]["urlTemplate"] for name, shown in formats.items() if shown["id"] == "url"}
        assert template["in_console"].startswith("https://console.example/volttron/logs?q=id%3D{{value}}")
        assert template["agent_in_grafana"] == "https://grafana.example/d/voltscope-agent?{{rawValue}}"
        assert "[Grafana](https://grafana.example/d/voltscope-fleet)" in there


def test_where_there_is_no_grafana_nothing_leads_there() -> None:
    for product in PRODUCTS:
        made = ndjson(objects(product, Addresses(grafana=None)))
        assert "/d/voltscope" not in made and "agent_in_grafana" not in made and "agent_in_console" in made


def test_the_pages_links_lead_to_are_the_consoles() -> None:
    console = ROOT / "voltscope" / "console"
    pages = "".join(file.read_text("utf-8") for file in console.glob("*.py"))
    boards = {f"/d/{json.loads(file.read_text())['uid']}" for file in (ROOT / "grafana/json").glob("*.json")}
    for link in (link for view in LINKS.values() for link in view):
        if link.around == "grafana":
            assert link.path.partition("?")[0] in boards
        else:
            page = re.match(r"/\w+", link.path)
            assert page is not None and f'"{page[0]}' in pages
    assert LOGS.pattern == "voltscope-logs-*"


def test_a_space_has_ids_of_its_own() -> None:
    first, other = objects("kibana"), objects("kibana", space="ops")
    assert {one["id"] for one in other} == {f"{one['id']}-ops" for one in first}
    known = {(one["type"], one["id"]) for one in other}
    assert all((each["type"], each["id"]) in known for one in other for each in one["references"])
