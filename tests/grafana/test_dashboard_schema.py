"""What holds for every dashboard: laid out, said in words, asked by variable, and just as its source generates it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dashboard_queries import FILES, ROOT, load, panels

sys.path.append(str(ROOT))

from grafana import own

generated = pytest.mark.skipif(sys.version_info < (3, 11), reason="the dashboard SDK needs Python 3.11")

SOURCES = {"prometheus": "prometheus", "elasticsearch": "elasticsearch", "grafana-pyroscope-datasource": "pyroscope"}
# Okabe and Ito's, and colours by name where a panel takes nothing else.
PALETTE = {"#009E73", "#56B4E9", "#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#999999"}


def variables(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return dashboard["templating"]["list"]


@generated
def test_generating_them_again_changes_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "grafana/generate", "--output", tmp_path], check=True, timeout=60)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in FILES.values()}


@generated
def test_links_lead_elsewhere_and_records_are_asked_of_opensearch_where_one_says(tmp_path: Path) -> None:
    given = ["--output", tmp_path, "--logs", "opensearch", "--console", "https://console.example"]
    given += ["--kibana", "https://kibana.example/s/ops/"]
    subprocess.run([sys.executable, ROOT / "grafana/generate", *given], check=True, timeout=60)
    kinds = set()
    for name in FILES:
        text = (tmp_path / f"{name}.json").read_text()
        assert "https://console.example" in text and "127.0.0.1" not in text
        assert set(re.findall(r"(?:index:'|/view/)voltscope-[a-z]+([^?']*)", text)) <= {"-ops"}
        made, kept = json.loads(text), load(name)
        assert '"elasticsearch"' not in json.dumps(made).replace('"name": "elasticsearch"', "")
        for ours, panel in zip(panels(kept), panels(made), strict=True):
            for before, target in zip(ours.get("targets", []), panel.get("targets", []), strict=True):
                if target["datasource"]["type"] == "grafana-opensearch-datasource":
                    kinds.add((panel["type"], target["luceneQueryType"]))
                    assert before["query"] == target["query"] and before["metrics"] == target["metrics"]
    assert kinds == {("logs", "Logs"), ("timeseries", "Metric"), ("table", "Metric")}


def test_a_recorded_state_is_shown_by_the_name_it_was_recorded_for() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "deploy/prometheus/rules").glob("*.yml"))
    recorded = dict(re.findall(r"record: (\S+:code)\n +expr: \|-\n((?: {10}.*\n)+)", rules))
    shown = set()
    for name in FILES:
        for panel in panels(load(name)):
            for target in panel.get("targets", []):
                for metric in set(re.findall(r"\w+:\w+:code", target.get("expr", ""))):
                    states = re.findall(r'\{state="([\w-]+)"\} == 1\) \* (\d)', recorded[metric])
                    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
                    assert {told["text"]: number for number, told in mapping["options"].items()} == dict(states)
                    shown.add(metric)
    assert shown == recorded.keys() and len(shown) == 2


def test_a_site_without_kibana_has_no_links_there() -> None:
    for name, path in FILES.items():
        made = json.loads(own.dashboard(path.read_text(), kibana=None))
        assert "kibana" not in json.dumps(made).replace("Kibana", "")
        same = own.dashboard(path.read_text())
        assert same == path.read_text()
        rest = [link for link in load(name)["links"] if not link.get("url", "").startswith("${kibana}")]
        assert made["links"] == rest and made["panels"] == load(name)["panels"]


def test_their_own_names_are_theirs_alone() -> None:
    boards = {name: load(name) for name in FILES}
    assert {name: board["uid"] for name, board in boards.items()} == {name: f"voltscope-{name}" for name in FILES}
    assert len({board["title"] for board in boards.values()}) == len(boards)


@pytest.mark.parametrize("name", FILES)
def test_panels_have_an_id_a_title_and_a_place_of_their_own(name: str) -> None:
    board = load(name)
    everything = [*panels(board), *(panel for panel in board["panels"] if panel["type"] == "row")]
    assert len({panel["id"] for panel in everything}) == len(everything)
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles), f"twice: {[one for one in titles if titles.count(one) > 1]}"
    taken: dict[tuple[int, int], str] = {}
    for panel in everything:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24 and place["w"] > 0 and place["h"] > 0, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies over {taken[x, y]}"
                taken[x, y] = panel["title"]


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_full_and_level(name: str) -> None:
    lines: dict[int, list[dict[str, Any]]] = {}
    for panel in panels(load(name)):
        lines.setdefault(panel["gridPos"]["y"], []).append(panel)
    for line in lines.values():
        titles = [panel["title"] for panel in line]
        assert sum(panel["gridPos"]["w"] for panel in line) == 24, titles
        assert len({panel["gridPos"]["h"] for panel in line}) == 1, titles


@pytest.mark.parametrize("name", FILES)
def test_every_panel_says_what_it_shows_in_which_unit_and_what_no_data_means(name: str) -> None:
    for panel in panels(load(name)):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["description"].rstrip("”").endswith((".", "?")), f"{panel['title']} is not described"
        assert defaults["unit"], f"{panel['title']} has no unit"
        assert defaults["noValue"].endswith((".", "?")), f"{panel['title']} does not say what no data means"
        if panel["type"] in ("stat", "bargauge", "timeseries", "table", "status-history", "state-timeline"):
            assert defaults["thresholds"]["steps"], f"{panel['title']} has no thresholds"


@pytest.mark.parametrize("name", FILES)
def test_bars_of_what_happened_are_not_drawn_several_times(name: str) -> None:
    for panel in panels(load(name)):
        drawn = panel["fieldConfig"]["defaults"].get("custom", {}).get("drawStyle")
        if panel["datasource"]["type"] == "prometheus" and (drawn == "bars" or panel["type"] == "heatmap"):
            # at least: what $__rate_interval is at a scrape each 15 s
            assert panel["interval"] == "1m", panel["title"]


@pytest.mark.parametrize("name", FILES)
def test_empty_cells_and_gaps_say_not_what_an_empty_panel_means(name: str) -> None:
    words = {"table": "", "state-timeline": "no data"}
    for panel in panels(load(name)):
        if panel["type"] in words:
            first = panel["fieldConfig"]["overrides"][0]
            assert first["matcher"] == {"id": "byRegexp", "options": ".*"}, panel["title"]
            assert first["properties"] == [{"id": "noValue", "value": words[panel["type"]]}]


@pytest.mark.parametrize("name", FILES)
def test_data_sources_are_chosen_by_variable(name: str) -> None:
    board = load(name)
    offered = {one["name"]: one["query"] for one in variables(board) if one["type"] == "datasource"}
    asked = [target["datasource"] for panel in panels(board) for target in panel.get("targets", [])]
    asked += [panel["datasource"] for panel in panels(board)]
    asked += [one["datasource"] for one in variables(board) if "datasource" in one]
    asked += [one["datasource"] for one in board["annotations"]["list"] if one["datasource"]["uid"] != "-- Grafana --"]
    for source in asked:
        variable = SOURCES[source["type"]]
        assert source["uid"] == f"${{{variable}}}"
        assert offered[variable] == source["type"]
    assert set(offered) == {SOURCES[source["type"]] for source in asked}, "a data source is offered that nobody asks"


@pytest.mark.parametrize("name", FILES)
def test_variables_are_chained_used_and_explained(name: str) -> None:
    board = load(name)
    names = [one["name"] for one in variables(board)]
    assert ("kibana" in names) == (name in {"platform", "agent", "logs"})
    assert len(set(names)) == len(names)
    text = json.dumps(board)
    for number, variable in enumerate(variables(board)):
        assert variable["label"] and variable["description"].endswith(".")
        used = re.findall(r"\$\{?(\w+)", json.dumps([variable.get("query"), variable.get("datasource")]))
        assert set(used) <= set(names[:number]), f"${variable['name']} needs what comes after it"
        assert re.search(rf"\$\{{?{variable['name']}\b", text), f"${variable['name']} is not used"
    if "instance" in names:
        asked = json.dumps(variables(board)[names.index("instance")]["query"])
        assert "$site" in asked, "instances of all sites are offered"


@pytest.mark.parametrize("name", FILES)
def test_links_stay_at_the_same_platform_and_time(name: str) -> None:
    board = load(name)
    menu = next(link for link in board["links"] if link["type"] == "dashboards")
    assert menu["includeVars"] and menu["keepTime"] and set(menu["tags"]) <= set(board["tags"])
    assert board["tags"][0] == "voltscope"
    # a variable of one value keeps an All that a link gives it, and nothing is found
    there = [load(one) for one in FILES if set(menu["tags"]) <= set(load(one)["tags"])]
    every = {one["name"] for one in variables(board) if one.get("includeAll")}
    assert len(there) > 1 and all(
        one.get("includeAll") for each in there for one in variables(each) if one["name"] in every
    )
    for url in re.findall(r'"url": "([^"]+)"', json.dumps(board)):
        if url.startswith("/d/"):
            uid = url.removeprefix("/d/voltscope-").partition("?")[0]
            # of a node of the landscape the query says which
            there = re.findall(r'\\"board\\", \\"(\w+)\\"', json.dumps(board)) if "board" in uid else [uid]
            known = {one["name"] for each in set(there) for one in variables(load(each))}
            assert url.endswith("${__url_time_range}"), url
            given = set(re.findall(r"var-(\w+)=", url))
            assert given and given <= known, url
        else:
            page = re.match(r"\$\{(console|kibana)\}/", url)
            assert page and page[1] in {one["name"] for one in variables(board)}, url


@pytest.mark.parametrize("name", FILES)
def test_what_is_typed_is_asked_as_it_was_typed(name: str) -> None:
    typed = [one["name"] for one in variables(load(name)) if one["type"] == "textbox" and one["name"] == "text"]
    asked = json.dumps([panel["targets"] for panel in panels(load(name))])
    used = re.findall(r"\$\{?(\w+)(:\w+)?\}?", asked)
    assert {form for one, form in used if one in typed} <= {":raw"}, "Lucene's signs would be escaped"


@pytest.mark.parametrize("name", FILES)
def test_colours_can_be_told_apart_by_everybody(name: str) -> None:
    text = FILES[name].read_text()
    assert set(re.findall(r"#[0-9A-Fa-f]{6}\b", text)) <= PALETTE
    named = set(re.findall(r'"(?:color|fixedColor|iconColor)": "([a-z-]+)"', text))
    assert not named, "a colour of Grafana's own"


def test_alerts_are_shown_on_every_dashboard_of_metrics() -> None:
    without = {name for name in FILES if "ALERTS" not in FILES[name].read_text()}
    # of records and stacks; both have links to those of metrics
    assert without == {"logs", "profiles"}


def test_columns_of_tables_are_labels_or_values_that_the_queries_bring() -> None:
    for name in FILES:
        for panel in panels(load(name)):
            if panel["type"] != "table" or panel["datasource"]["type"] != "prometheus":
                continue
            wanted = set(panel["transformations"][1]["options"]["include"]["names"])
            refs = [target["refId"] for target in panel["targets"]]
            values = {"Value"} if len(refs) == 1 else {f"Value #{ref}" for ref in refs}
            text = " ".join(target["expr"] for target in panel["targets"])
            labels = {column for column in wanted if not column.startswith("Value")}
            assert wanted - labels <= values, f"{name}: {panel['title']}"
            for label in labels:
                assert re.search(rf"\b{label}\b", text) or label == "certificate", f"{name}: {panel['title']} {label}"
