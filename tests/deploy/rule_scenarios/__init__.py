"""What happens to a site, and which alerts that fires: each fires and resolves, and stays silent elsewhere."""

from __future__ import annotations

from rule_scenarios import agents, devices, historians, liveness, logs, ourselves, presence, resources, restarts
from rule_scenarios.scenario import Fires, Silent

_ROOMS = (presence, liveness, restarts, agents, historians, devices, resources, logs, ourselves)
FIRES: tuple[Fires, ...] = tuple(one for room in _ROOMS for one in room.FIRES)
SILENT: tuple[Silent, ...] = tuple(one for room in _ROOMS for one in room.SILENT)
