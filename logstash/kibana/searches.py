"""The saved searches: what an operator looks for first."""

from __future__ import annotations

from kibana.links import LOGS, PROFILES
from kibana.saved_objects import Json, search
from kibana.troubles import (
    AGENT_RESTARTS,
    DRIVER_FAILURES,
    ERRORS,
    HISTORIAN_TROUBLE,
    PLATFORM_RESTARTS,
    SECRETS_REDACTED,
    SLOW_QUERIES,
)

_NEWEST = [["@timestamp", "desc"]]
_WHERE = ["labels.site", "labels.instance"]

ERRORS_BY_AGENT = search(
    "voltscope-search-errors-by-agent",
    LOGS,
    "voltscope: errors by agent",
    "Errors and worse, agent by agent, newest first.",
    ERRORS,
    ["service.name", "log.logger", "message", "error.type", "labels.stream", "in_console", "agent_in_console"],
    [["service.name", "asc"], ["@timestamp", "desc"]],
)

STORY = search(
    "voltscope-search-one-agents-story",
    LOGS,
    "voltscope: one agent's story",
    "What one agent logged and what the platform logged about it, oldest first. Write another agent into the query.",
    'service.name:"platform.historian" OR (service.name:platform AND message:"platform.historian")',
    ["service.name", "log.level", "log.logger", "message", "process.pid", "agent_in_console"],
    [["@timestamp", "asc"], ["event.sequence", "asc"]],
)

RESTARTS = search(
    "voltscope-search-platform-restarts",
    LOGS,
    "voltscope: platform restarts",
    "Platforms that started or were told to stop.",
    PLATFORM_RESTARTS,
    [*_WHERE, "host.name", "message", "in_console"],
    _NEWEST,
)

AGENTS_RESTARTED = search(
    "voltscope-search-agents-restarted",
    LOGS,
    "voltscope: agents that ended unexpectedly",
    "Agents that ended by themselves, and what became of them.",
    AGENT_RESTARTS,
    [*_WHERE, "message", "in_console"],
    _NEWEST,
)

DRIVER = search(
    "voltscope-search-driver-failures",
    LOGS,
    "voltscope: driver failures",
    "Devices that are not polled, points that cannot be set, data that cannot be published.",
    DRIVER_FAILURES,
    [*_WHERE, "log.logger", "message", "error.type", "in_console"],
    _NEWEST,
)

HISTORIAN = search(
    "voltscope-search-historian-trouble",
    LOGS,
    "voltscope: historian trouble",
    "Errors of historians, data they refuse, caches that are full, databases that are locked.",
    HISTORIAN_TROUBLE,
    [*_WHERE, "service.name", "message", "error.type", "in_console"],
    _NEWEST,
)

SLOW = search(
    "voltscope-search-slow-queries",
    LOGS,
    "voltscope: slow queries",
    "Queries to a historian's database that took a second or more (logged at DEBUG), and locked databases.",
    SLOW_QUERIES,
    [*_WHERE, "service.name", "message", "in_console"],
    _NEWEST,
)

SECRETS = search(
    "voltscope-search-secrets-redacted",
    LOGS,
    "voltscope: secrets redacted",
    "Records from which voltscope took a secret: somebody logs what should stay secret.",
    SECRETS_REDACTED,
    [*_WHERE, "service.name", "log.logger", "message", "in_console"],
    _NEWEST,
)

PROFILES_TAKEN = search(
    "voltscope-search-profiles-taken",
    PROFILES,
    "voltscope: profiles taken",
    'Captures with links. Who spends time in json.dumps? voltscope.profile.function_names:"json.dumps"',
    "",
    [
        "service.name",
        "voltscope.profile.reason",
        "voltscope.profile.words",
        "voltscope.profile.hottest",
        "event.duration",
        "voltscope.profile.samples",
        "flamegraph",
        "speedscope",
        "logged",
    ],
    _NEWEST,
)

SEARCHES: list[Json] = [
    ERRORS_BY_AGENT,
    STORY,
    RESTARTS,
    AGENTS_RESTARTED,
    DRIVER,
    HISTORIAN,
    SLOW,
    SECRETS,
    PROFILES_TAKEN,
]
