"""What may be asked of a live session: parameters read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voltscope.errors import BadRequest
from voltscope.live.source import Wish
from voltscope.live.views import View

_PARAMETERS = ("agent", "view", "seconds", "source", "rate", "switches", "latency")
_MOST_SECONDS = {View.FLOW: 60}
_LONGEST_S, _USUAL_S = 600, 60
# Above these a look costs the agent more than it tells.
_MOST_RATE = {View.GREENLETS: 20}
_FASTEST = 1000


@dataclass(frozen=True)
class Request:
    """A session asked for and checked. `source` None: the first that can."""

    agent: str
    view: View
    source: str | None
    wish: Wish


def read_request(params: dict[str, Any]) -> Request:
    """A request from JSON: agent, view, seconds = 60, source, rate, switches = true, latency = false.

    Raises BadRequest naming the parameter.
    """
    unknown = set(params) - set(_PARAMETERS)
    if unknown:
        raise BadRequest(f"unknown parameter {sorted(unknown)[0][:40]!r}.", f"Known: {', '.join(_PARAMETERS)}.")
    view = _view(params.get("view"))
    source = params.get("source")
    if source is not None and not isinstance(source, str):
        raise BadRequest("source: found no text; allowed: a source's name.", "GET /api/live/sources names them.")
    longest = _MOST_SECONDS.get(view, _LONGEST_S)
    seconds = _number("seconds", params.get("seconds"), 1, longest)
    rate = _number("rate", params.get("rate"), 1, _MOST_RATE.get(view, _FASTEST))
    switches, latency = _yes_or_no(params, "switches", True), _yes_or_no(params, "latency", False)
    wish = Wish(min(_USUAL_S, longest) if seconds is None else seconds, rate, switches, latency)
    return Request(agent_of(params.get("agent")), view, source or None, wish)


def agent_of(value: object) -> str:
    """An agent's identity. Raises BadRequest."""
    if not isinstance(value, str) or not value:
        raise BadRequest("parameter agent is missing.", "Name an agent's VIP identity, or `platform`.")
    return value


def _view(value: object) -> View:
    views = [view.value for view in View]
    if value not in views:
        raise BadRequest(f"view: found {str(value)[:40]!r}; allowed: {', '.join(views)}.")
    return View(value)


def _yes_or_no(params: dict[str, Any], name: str, usual: bool) -> bool:
    value = params.get(name)
    if value is None:
        return usual
    if not isinstance(value, bool):
        raise BadRequest(f"{name}: found another value; allowed: true, false.")
    return value


def _number(name: str, value: object, least: float, most: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise BadRequest(f"{name}: found {str(value)[:40]}; allowed: {least} to {most}.")
    return float(value)
