"""All dashboards, by the name of the file each is generated into."""

from __future__ import annotations

from .dashboards import agent, devices, fleet, historians, landscape, logs, platform, profiles, voltscope
from .parts.board import as_json
from .parts.variables import DEFAULT_CONSOLE

# In the order in which one goes from the whole to the part.
DASHBOARDS = (fleet, platform, agent, historians, devices, logs, profiles, landscape, voltscope)


def files(console: str = DEFAULT_CONSOLE) -> dict[str, str]:
    """The content of each file. `console`: where links to the console lead."""
    return {
        f"{module.__name__.rpartition('.')[2]}.json": as_json(module.dashboard()).replace(DEFAULT_CONSOLE, console)
        for module in DASHBOARDS
    }
