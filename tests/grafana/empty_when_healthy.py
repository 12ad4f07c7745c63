"""Queries that bring nothing while all is well, or where an option is off: by dashboard, panel and perhaps query."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard_queries import Query

_ALERTS = "no alert fires"
_COUNTED = "only what happened is drawn: zeros would hide it among many lines, and the panel says that nothing did"
_LASTS = "only what is wrong is drawn, while it lasts; the panel says that nothing is"

# Dashboard `*`: whichever has the panel.
EMPTY: dict[tuple[str, ...], str] = {
    ("*", "Firing alerts"): _ALERTS,
    ("*", "mark Alerts"): _ALERTS,
    ("*", "mark Restarts"): "no agent was restarted",
    ("agent", "Alerts it sends"): _COUNTED,
    ("agent", "Exit status"): "an agent that runs has none",
    ("agent", "Firing alerts of this agent and its platform"): _ALERTS,
    ("agent", "Left out"): _COUNTED,
    ("devices", "Devices that were late"): _LASTS,
    ("devices", "Failed reads, over time"): _COUNTED,
    ("devices", "Firing alerts of devices"): _ALERTS,
    ("devices", "Late publishes"): _COUNTED,
    ("devices", "Missed publishes"): _COUNTED,
    ("devices", "Missing points"): _LASTS,
    ("fleet", "Alerts by severity"): _ALERTS,
    ("fleet", "Platforms that cannot be scraped"): _LASTS,
    ("fleet", "Platforms, the worst first", "B"): _ALERTS,
    ("fleet", "Platforms, the worst first", "C"): _ALERTS,
    ("historians", "Cannot be read"): _LASTS,
    ("historians", "Firing alerts of historians"): _ALERTS,
    ("historians", "What they say of themselves"): _LASTS,
    ("platform", "Agents that do not answer"): _LASTS,
    ("platform", "Alerts that agents send"): _LASTS,
    ("platform", "Errors in the log"): _COUNTED,
    ("platform", "Full in"): "a disk that does not fill has no such time",
    ("platform", "Restarts"): _COUNTED,
    ("voltscope", "Age of what agents export"): _LASTS,
    ("voltscope", "Age of what collectors deliver"): _LASTS,
    ("voltscope", "Agents that cannot be sampled"): _LASTS,
    ("voltscope", "Failures of collectors"): _LASTS,
    ("voltscope", "Firing alerts of voltscope"): _ALERTS,
    ("voltscope", "Found to be over"): _COUNTED,
    ("voltscope", "Live sessions that ended"): _COUNTED,
    ("voltscope", "Lost"): _COUNTED,
    ("voltscope", "Nobody is told of"): _COUNTED,
    ("voltscope", "Refused"): _COUNTED,
    ("voltscope", "Secrets found"): _COUNTED,
    ("voltscope", "Series refused"): _COUNTED,
}

_PROBE = "the agent has loaded no probe"
_FORWARDER = "there is no forwarder"
_RECEIVER = "no receiver of logs is configured"
_SENT = "the profiler sends captures nowhere"
_INDEXED = "the profiler sends captures to no store of documents"
_CONTINUOUS = "continuous profiling is off by default"

# Where an option is off; with it they bring data.
OPTIONAL: dict[tuple[str, ...], str] = {
    ("agent", "Greenlets"): _PROBE,
    ("agent", "Probe"): _PROBE,
    ("agent", "The oldest of them"): _PROBE,
    ("historians", "Canary"): "the canary is off by default",
    ("historians", "Connections"): _FORWARDER,
    ("historians", "Last forward"): _FORWARDER,
    ("historians", "Not connected"): _FORWARDER,
    ("platform", "Certificates"): "the platform has none",
    ("platform", "Unreadable certificates"): "the platform has none",
    ("profiles", "Cannot be sampled"): _CONTINUOUS,
    ("voltscope", "Behind"): _RECEIVER,
    ("voltscope", "Circuits"): _RECEIVER,
    ("voltscope", "Delivery took"): _RECEIVER,
    ("voltscope", "Last try"): _INDEXED,
    ("voltscope", "Read back"): _RECEIVER,
    ("voltscope", "Receivers refusing"): _RECEIVER,
    ("voltscope", "Sent"): _RECEIVER,
    ("voltscope", "Sent to Grafana"): _SENT,
    ("voltscope", "Sent to a Pyroscope server"): _SENT,
    ("voltscope", "Sent to a store of documents"): _INDEXED,
    ("voltscope", "Sent within 5 s"): _RECEIVER,
    ("voltscope", "The oldest waits"): _RECEIVER,
    ("voltscope", "Web configuration"): "there is no web configuration file",
}

_NO_ERROR = "nothing failed"

# Of log records.
EMPTY_RECORDS: dict[tuple[str, str], str] = {
    ("agent", "Errors and warnings"): _NO_ERROR,
    ("logs", "Errors by agent"): _NO_ERROR,
    ("logs", "Exceptions"): _NO_ERROR,
}


def empty_on_quickstart(opensearch: bool) -> dict[tuple[str, ...], str]:
    """What may be empty on a quickstart, which profiles its historian, and fills its OpenSearch if it has one."""
    there = {_CONTINUOUS, _RECEIVER, _INDEXED} if opensearch else {_CONTINUOUS}
    options = {where: why for where, why in OPTIONAL.items() if why not in there}
    return {**EMPTY, **options, ("platform", "Agents", "C"): "all of its agents run: none has an exit status"}


def reason(query: Query, listed: Mapping[tuple[str, ...], str] = EMPTY) -> str | None:
    """Why a query may be empty; None when it may not."""
    dashboard, panel, ref = query.where
    return listed.get((dashboard, panel, ref)) or listed.get((dashboard, panel)) or listed.get(("*", panel))
