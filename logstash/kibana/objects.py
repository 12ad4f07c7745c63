"""All objects, in the order of an import file: what is referred to comes first."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kibana import visualisations as shown
from kibana.data_views import data_views
from kibana.links import Addresses
from kibana.saved_objects import Json, Panel, Product, dashboard
from kibana.searches import (
    DRIVER,
    ERRORS_BY_AGENT,
    HISTORIAN,
    PROFILES_TAKEN,
    RESTARTS,
    SEARCHES,
    SLOW,
)

HERE = Addresses()
FILES: dict[Product, Path] = {
    "kibana": Path(__file__).parent / "kibana.ndjson",
    "opensearch-dashboards": Path(__file__).parent / "opensearch-dashboards.ndjson",
}


def objects(product: Product, at: Addresses = HERE, space: str | None = None) -> list[Json]:
    """`at`: where links lead. `space`: of Kibana, the default one when None."""
    first = _objects(product, at, "")
    fingerprint = hashlib.sha256(ndjson(first).encode()).hexdigest()[:12]
    made = _objects(product, at, fingerprint)
    return made if space is None else [_in_space(one, space) for one in made]


def _in_space(one: Json, space: str) -> Json:
    """With ids of its own: Kibana 8 knows an id once in all spaces, and would make one up that changes each time."""
    references = [{**each, "id": f"{each['id']}-{space}"} for each in one["references"]]
    return {**one, "id": f"{one['id']}-{space}", "references": references}


def _objects(product: Product, at: Addresses, fingerprint: str) -> list[Json]:
    links = shown.links(at, fingerprint)
    fleet = dashboard(
        "voltscope-fleet",
        "voltscope: fleet",
        "All sites and instances: who is silent, who has trouble, who has errors.",
        [
            Panel(shown.CONTROLS, 0, 0, 36, 7),
            Panel(links, 36, 0, 12, 7),
            Panel(shown.FLEET_FIGURES, 0, 7, 48, 7),
            Panel(shown.LEVELS, 0, 14, 24, 13),
            Panel(shown.ERRORS_BY_INSTANCE, 24, 14, 24, 13),
            Panel(shown.INSTANCES, 0, 27, 24, 16),
            Panel(shown.TROUBLE_BY_INSTANCE, 24, 27, 24, 16),
            Panel(shown.ERRORS_BY_AGENT, 0, 43, 24, 14),
            Panel(shown.EXCEPTIONS, 24, 43, 24, 14),
            Panel(shown.RESTARTS, 0, 57, 24, 12),
            Panel(RESTARTS, 24, 57, 24, 12),
            Panel(shown.PROFILES_BY_REASON, 0, 69, 16, 14),
            Panel(shown.HOTTEST, 16, 69, 32, 14),
        ],
        "now-7d",
    )
    platform = dashboard(
        "voltscope-platform",
        "voltscope: platform",
        "One platform: what its agents log, what fails, where time goes. Choose the instance above.",
        [
            Panel(shown.CONTROLS, 0, 0, 36, 7),
            Panel(links, 36, 0, 12, 7),
            Panel(shown.AGENTS, 0, 7, 24, 13),
            Panel(shown.TROUBLE, 24, 7, 24, 13),
            Panel(shown.AGENT_LEVELS, 0, 20, 24, 16),
            Panel(shown.LOGGERS, 24, 20, 24, 16),
            Panel(ERRORS_BY_AGENT, 0, 36, 48, 16),
            Panel(DRIVER, 0, 52, 24, 14),
            Panel(HISTORIAN, 24, 52, 24, 14),
            Panel(SLOW, 0, 66, 24, 12),
            Panel(shown.FUNCTIONS, 24, 66, 24, 12),
            Panel(PROFILES_TAKEN, 0, 78, 48, 14),
        ],
        "now-24h",
    )
    return [*data_views(at, product), *SEARCHES, *shown.VISUALISATIONS, links, fleet, platform]


def ndjson(made: list[Json]) -> str:
    """An import file: one object a line."""
    return "".join(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in made)
