"""All dashboards, by the name of the file each is generated into."""

from __future__ import annotations

import json
from typing import Any, Literal

from .dashboards import agent, devices, fleet, historians, landscape, logs, platform, profiles, voltscope
from .parts.board import as_json
from .parts.variables import DEFAULT_CONSOLE

OPENSEARCH = "grafana-opensearch-datasource"
# In the order in which one goes from the whole to the part.
DASHBOARDS = (fleet, platform, agent, historians, devices, logs, profiles, landscape, voltscope)


Logs = Literal["elasticsearch", "opensearch"]


def files(console: str = DEFAULT_CONSOLE, logs: Logs = "elasticsearch") -> dict[str, str]:
    """The content of each file. `console`: where links to the console lead; `logs`: what keeps the records."""
    found = {}
    for module in DASHBOARDS:
        text = as_json(module.dashboard()).replace(DEFAULT_CONSOLE, console)
        found[f"{module.__name__.rpartition('.')[2]}.json"] = _asks_opensearch(text) if logs == "opensearch" else text
    return found


def _asks_opensearch(text: str) -> str:
    """A dashboard that asks Grafana's plugin for OpenSearch, which began as its data source for Elasticsearch."""

    def changed(one: Any) -> Any:
        if isinstance(one, list):
            return [changed(item) for item in one]
        if not isinstance(one, dict):
            return one
        kept = {key: changed(item) for key, item in one.items()}
        if kept.get("type") == "elasticsearch":
            kept["type"] = OPENSEARCH
        if kept.get("type") == "datasource" and kept.get("query") == "elasticsearch":
            kept["query"] = OPENSEARCH
            kept["description"] = f"Which data source of type {OPENSEARCH} is asked."
        if "bucketAggs" in kept:
            kinds = {metric["type"] for metric in kept["metrics"]}
            kept |= {"queryType": "lucene", "luceneQueryType": "Logs" if "logs" in kinds else "Metric"}
        return kept

    return json.dumps(changed(json.loads(text)), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
