"""All dashboards, by the name of the file each is generated into."""

from __future__ import annotations

from . import own
from .dashboards import agent, devices, fleet, historians, landscape, logs, platform, profiles, voltscope
from .parts.board import as_json

# In the order in which one goes from the whole to the part.
DASHBOARDS = (fleet, platform, agent, historians, devices, logs, profiles, landscape, voltscope)


def files(console: str = own.CONSOLE, kibana: str | None = own.KIBANA, opensearch: bool = False) -> dict[str, str]:
    """The content of each file, for a site whose parts are there: see `own.dashboard`."""
    found = {}
    for module in DASHBOARDS:
        text = as_json(module.dashboard())
        name = f"{module.__name__.rpartition('.')[2]}.json"
        found[name] = own.dashboard(text, console=console, kibana=kibana, opensearch=opensearch)
    return found
