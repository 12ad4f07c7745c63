"""What the profiler says of itself, and what the probes in agents say of greenlets, as metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voltscope.live.probes import counts
from voltscope.live.session import ENDINGS
from voltscope.live.sessions import Sessions
from voltscope.live.views import View
from voltscope.profiling.companions import Companions
from voltscope.profiling.recorder import Recorder
from voltscope.profiling.targets import PLATFORM
from voltscope.web import WebConfigFile

_OUTCOMES = ("done", "failed", "cancelled", "refused")
_STATES = ("running", "waiting", "ready", "new")
# A probe answers in a millisecond. An agent whose interpreter is held by native code does not, and no scrape waits.
_PROBES_S = 0.15
_MOST_AGENTS = 150  # six series each, of the thousand that one agent may export


def families(
    recorder: Recorder, web: WebConfigFile | None, companions: Companions | None, volttron_home: Path
) -> list[dict[str, Any]]:
    """Families in the form of the RPC contract `voltscope.metrics`."""
    outcomes = [{"labels": {"outcome": one}, "value": recorder.outcomes[one]} for one in _OUTCOMES]
    found = [
        _family("voltscope_captures_total", "counter", "Captures asked for, by how they ended.", outcomes),
        _family("voltscope_captures_running", "gauge", "Captures recording now.", [_plain(recorder.running)]),
        _family(
            "voltscope_capture_seconds_total",
            "counter",
            "Seconds during which stacks were sampled.",
            [_plain(recorder.seconds_recorded)],
        ),
    ]
    if web is not None:
        web.current()  # nobody may have asked for a page since it changed
        text = "Whether the profiler's web configuration file as it is now is in force."
        found.append(_family("voltscope_profiler_web_config_valid", "gauge", text, [_plain(float(web.valid))]))
    if companions is not None:
        found += _continuous(companions)
        for receiver, sender in companions.senders():
            found += _sending(receiver, sender.status())
    pids = {one["agent"]: one["pid"] for one in recorder.targets() if one["agent"] != PLATFORM}
    return found + greenlets(volttron_home, dict(sorted(pids.items())[:_MOST_AGENTS]))


def greenlets(volttron_home: Path, pids: dict[str, int]) -> list[dict[str, Any]]:
    """What the probes of those agents count, by identity; one that does not answer at once is left out."""
    answered = counts(volttron_home, pids, _PROBES_S)
    told = {agent: answer for agent, answer in answered.items() if _is_count(answer)}
    by_state = [
        {"labels": {"agent": agent, "state": state}, "value": float(answer["states"].get(state, 0))}
        for agent, answer in told.items()
        for state in _STATES
    ]
    oldest = [
        {"labels": {"agent": agent}, "value": float(answer["oldest_s"])}
        for agent, answer in told.items()
        if isinstance(answer.get("oldest_s"), int | float)
    ]
    answers = [{"labels": {"agent": agent}, "value": float(agent in answered)} for agent in pids]
    found = (
        _family("volttron_agent_greenlets", "gauge", "Greenlets of an agent, by what they do.", by_state),
        _family(
            "volttron_agent_greenlet_oldest_seconds", "gauge", "Since when the probe knows the oldest of them.", oldest
        ),
        _family("volttron_agent_probe", "gauge", "Whether an agent's probe answers.", answers),
    )
    return [family for family in found if family["samples"]]


def sessions(live: Sessions) -> list[dict[str, Any]]:
    """What the live sessions say of themselves."""
    ended = [
        {"labels": {"view": view.value, "ended": ending}, "value": float(live.totals[view.value, ending])}
        for view in View
        for ending in ENDINGS
    ]
    return [
        _family("voltscope_live_sessions_running", "gauge", "Live sessions running now.", [_plain(live.running)]),
        _family("voltscope_live_sessions_total", "counter", "Live sessions, by view and by how they ended.", ended),
    ]


def _is_count(answer: dict[str, Any]) -> bool:
    states = answer.get("states")
    return isinstance(states, dict) and all(isinstance(one, int | float) for one in states.values())


def _continuous(companions: Companions) -> list[dict[str, Any]]:
    continuous = companions.continuous
    failing = [
        {"labels": {"agent": one["agent"]}, "value": float(one["failure"] is not None)} for one in continuous.status()
    ]
    text = "Whether an agent cannot be sampled."
    return [
        _family("voltscope_continuous_windows_total", "counter", "Windows kept.", [_plain(continuous.kept)]),
        _family(
            "voltscope_continuous_missed_total",
            "counter",
            "Rounds that could not be read.",
            [_plain(continuous.missed)],
        ),
        *([_family("voltscope_continuous_failing", "gauge", text, failing)] if failing else []),
    ]


def _sending(receiver: str, status: dict[str, Any]) -> list[dict[str, Any]]:
    told = (
        ("waiting", "gauge", "Captures or windows that it has not acknowledged.", status["waiting"]),
        (
            "sent_total",
            "counter",
            "Captures or windows that it has acknowledged since the engine began.",
            status["sent"],
        ),
        ("refused_total", "counter", "Those that it will never take, since the engine began.", status["refused"]),
        ("success", "gauge", "Whether the last try to send worked.", float(status["failure"] is None)),
    )
    return [
        _family(f"voltscope_profiler_{receiver}_{name}", kind, text, [_plain(value)])
        for name, kind, text, value in told
    ]


def _family(name: str, kind: str, text: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "type": kind, "help": text, "samples": samples}


def _plain(value: float) -> dict[str, Any]:
    return {"labels": {}, "value": value}
