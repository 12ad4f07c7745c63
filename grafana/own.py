"""One site's own dashboards and data sources: those kept here with its addresses, without what it does not have."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# Where all of it is when nobody says otherwise: what is kept here has these addresses.
CONSOLE = "http://127.0.0.1:10935"
KIBANA = "http://127.0.0.1:5601"
FOLDER = "/var/lib/grafana/dashboards/voltscope"
OPENSEARCH = "grafana-opensearch-datasource"


@dataclass(frozen=True)
class Addresses:
    """Base URLs of a site's parts as Grafana reaches them; None where it has none.

    `opensearch`: with records, asked by Grafana's plugin for it; `elasticsearch`: by what Grafana has itself.
    """

    console: str = CONSOLE
    kibana: str | None = KIBANA
    prometheus: str | None = "http://127.0.0.1:9090"
    alertmanager: str | None = "http://127.0.0.1:9093"
    elasticsearch: str | None = "http://127.0.0.1:9200"
    opensearch: str | None = None
    profiler: str | None = "http://127.0.0.1:10934"


def dashboard(kept: str, *, console: str = CONSOLE, kibana: str | None = KIBANA, opensearch: bool = False) -> str:
    """A dashboard's JSON, with links to these addresses. `opensearch`: Grafana's plugin for it is asked for records."""
    text = kept.replace(CONSOLE, console.rstrip("/")).replace(KIBANA, (kibana or KIBANA).rstrip("/"))
    made = json.loads(text)
    if kibana is None:
        made = _without_kibana(made)
    elif space := re.search(r"/s/([^/]+)/?$", kibana):
        # in a space of Kibana, kibana-import gives objects ids of their own
        made = json.loads(re.sub(r"(index:'|/view/)(voltscope-[a-z]+)", rf"\1\2-{space[1]}", text))
    if opensearch:
        made = _asks_opensearch(made)
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def data_sources(kept: str, at: Addresses, interval_s: int) -> str:
    """The provisioning file of data sources, YAML, with those of a site. `interval_s`: how often Prometheus scrapes."""
    ports = {
        9090: at.prometheus,
        9093: at.alertmanager,
        9200: at.elasticsearch or at.opensearch,
        10934: at.profiler,
        10935: at.console,
    }
    there = {
        "voltscope-prometheus": at.prometheus,
        "voltscope-alertmanager": at.alertmanager,
        "voltscope-elasticsearch": at.elasticsearch,
        "voltscope-opensearch": at.opensearch,
        "voltscope-pyroscope": at.profiler,
    }
    made = ["apiVersion: 1", "datasources:"]
    for part in kept.split("\n\n"):
        if uid := re.search(r"\buid: (\S+)", part):
            if not there[uid[1]]:
                continue
            lines = re.sub(r"(?m)^  # (?=  |- )", "  ", part).splitlines()
            made += [line for line in lines if not line.lstrip().startswith("#")]
    text = "\n".join(made) + "\n"
    text = re.sub(r"http://127\.0\.0\.1:(\d+)", lambda one: str(ports[int(one[1])]), text)
    text = text.replace("timeInterval: 15s", f"timeInterval: {interval_s}s")
    return text if at.alertmanager else re.sub(r"(?m)^ +alertmanagerUid: .*\n", "", text)


def dashboard_folder(kept: str, folder: str) -> str:
    """The provisioning file of dashboards, YAML, for those in `folder`."""
    return kept.replace(FOLDER, json.dumps(folder))


def _without_kibana(one: Any) -> Any:
    """Without links there, and without the variable that has its address."""
    if isinstance(one, list):
        return [_without_kibana(item) for item in one if not _is_of_kibana(item)]
    return {key: _without_kibana(item) for key, item in one.items()} if isinstance(one, dict) else one


def _is_of_kibana(one: Any) -> bool:
    return isinstance(one, dict) and (one.get("name") == "kibana" or str(one.get("url")).startswith("${kibana}"))


def _asks_opensearch(one: Any) -> Any:
    """Asks Grafana's plugin for OpenSearch, which began as its data source for Elasticsearch."""
    if isinstance(one, list):
        return [_asks_opensearch(item) for item in one]
    if not isinstance(one, dict):
        return one
    kept = {key: _asks_opensearch(item) for key, item in one.items()}
    if kept.get("type") == "elasticsearch":
        kept["type"] = OPENSEARCH
    if kept.get("type") == "datasource" and kept.get("query") == "elasticsearch":
        kept["query"] = OPENSEARCH
        kept["description"] = f"Which data source of type {OPENSEARCH} is asked."
    if "bucketAggs" in kept:
        kinds = {metric["type"] for metric in kept["metrics"]}
        kept |= {"queryType": "lucene", "luceneQueryType": "Logs" if "logs" in kinds else "Metric"}
    return kept
