"""Landscape: platform, agents, topics and devices as a graph, coloured by state, from Prometheus alone."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import firing, variables
from ..parts.board import Row, board
from ..parts.links import CONSOLE, to_dashboard
from ..parts.panels import graph
from ..parts.queries import ALERTS_OF_ONE, ONE, rows

# Names of colours, which is what the panel takes; as near to the palette as there are.
COLOURS = {
    "running": "mediumseagreen",
    "stopped": "darkgray",
    "never-started": "skyblue",
    "zombie": "orchid",
    "hung": "orange",
    "crashed": "orangered",
}
LABELS = "id, title, subtitle, color, board"
# `board` is the dashboard that has more of a node: what is one's agent is the other's device
OPEN = to_dashboard(
    "Dashboard of ${__data.fields.title}",
    "voltscope-${__data.fields.board}",
    site="$site",
    instance="$instance",
    agent="__fields.title",
    device="__fields.title",
)


def _set(expr: str, /, **labels: str) -> str:
    """Sets labels to constant texts."""
    for name, text in labels.items():
        expr = f'label_replace({expr}, "{name}", "{text}", "", "")'
    return expr


def _copy(expr: str, label: str, /, **labels: str) -> str:
    """Sets labels from another; `$1` is its value."""
    for name, text in labels.items():
        expr = f'label_replace({expr}, "{name}", "{text}", "{label}", "(.*)")'
    return expr


def _platform() -> list[str]:
    named = _set(
        _copy(f"volttron_platform_up{{{ONE}}} PICK", "instance", id="platform", title="$1"),
        subtitle="platform",
        board="platform",
    )
    return [
        _set(named.replace("PICK", f"== {value}"), color=colour)
        for value, colour in ((1, "mediumseagreen"), (0, "orangered"))
    ]


def _agents() -> list[str]:
    return [
        _set(
            _copy(
                f'volttron_agent_state{{{ONE},state="{state}"}} == 1',
                "agent",
                id="agent/$1",
                title="$1",
            ),
            subtitle=state,
            color=colour,
            board="agent",
        )
        for state, colour in COLOURS.items()
    ]


def _topics() -> list[str]:
    # from the platform, so that they are there before the first message
    up = f"volttron_platform_up{{{ONE}}}"
    return [
        _set(up, id=f"topic/{root}", title=f"{root}/", subtitle="topic", color="steelblue", board="platform")
        for root in ("devices", "heartbeat", "alerts")
    ]


def _devices() -> list[str]:
    # not as it is recorded: an edge to a device that the rules have not seen yet would take the whole graph down
    silent = f"(volttron_device_last_update_age_seconds{{{ONE}}} or volttron_device_watched_seconds{{{ONE}}})"
    silence = f"{silent} / volttron_device_interval_seconds{{{ONE}}}"
    return [
        _set(
            _copy(f"({silence} {when})", "device", id="device/$1", title="$1"),
            subtitle=word,
            color=colour,
            board="devices",
        )
        for when, word, colour in (
            ("< 1.5", "fresh", "mediumseagreen"),
            (">= 1.5 < 3", "late", "orange"),
            (">= 3", "silent", "orangered"),
        )
    ]


def _edge(expr: str, identity: str, label: str, source: str, target: str) -> str:
    return _copy(expr, label, id=identity, source=source, target=target)


def _edges() -> list[str]:
    installed = f"volttron_agent_info{{{ONE}}}"
    devices = f"volttron_device_interval_seconds{{{ONE}}}"
    driver = f'on (instance) group_left () volttron_agent_info{{{ONE},agent="platform.driver"}}'
    published = f'volttron_bus_messages_total{{{ONE},root="devices"}}'
    # an edge to nowhere would take the whole graph down: peers that are not installed are no nodes
    known = f"and on (instance, agent) {installed}"
    stores = f"volttron_historian_backlog_bytes{{{ONE}}} {known}"
    beating = f"volttron_agent_heartbeat_sent{{{ONE}}} == 1 {known}"
    sends = f"volttron_alerts_total{{{ONE}}} > 0 {known}"
    return [
        _edge(installed, "installed/$1", "agent", "platform", "agent/$1"),
        _edge(f"{devices} * {driver}", "polled/$1", "device", "agent/platform.driver", "device/$1"),
        _edge(f"{published} * {driver}", "drives/$1", "root", "agent/platform.driver", "topic/$1"),
        _edge(stores, "stores/$1", "agent", "topic/devices", "agent/$1"),
        _edge(beating, "beats/$1", "agent", "agent/$1", "topic/heartbeat"),
        _edge(sends, "alerts/$1", "agent", "agent/$1", "topic/alerts"),
    ]


def dashboard() -> model.Dashboard:
    nodes = [*_platform(), *_agents(), *_topics(), *_devices()]
    return board(
        "landscape",
        "Landscape",
        "What the platform is made of, as known now: its agents, the topics we may count, its devices, by their state.",
        (
            Row(
                "Now",
                (
                    graph(
                        "Platform, agents, topics, devices",
                        "Green: running or fresh; orange: hung or late; red: crashed, silent or down; violet: a "
                        "process that is no peer; grey: stopped; light blue: never started; blue: a topic. The word "
                        "stands below each name. Lines: agents of the platform, devices of the driver, who stores and "
                        "who publishes what, as far as metrics tell.",
                        rows(f"max by ({LABELS}) (\n  " + "\n  or ".join(nodes) + "\n)", "nodes"),
                        rows("max by (id, source, target) (\n  " + "\n  or ".join(_edges()) + "\n)", "edges"),
                        none="No exporter was scraped for this platform.",
                        link=OPEN,
                    ),
                    firing.firing(ALERTS_OF_ONE),
                ),
            ),
        ),
        choose=(variables.prometheus(), variables.site(), variables.instance()),
        to=(CONSOLE,),
        refresh="5m",
    )
