"""The visualisations, each a question about a fleet or a platform."""

from __future__ import annotations

from kibana.charts import bars, by, by_query, controls, count, figures, lines, markdown, metric, over_time, table
from kibana.links import LOGS, PROFILES, Addresses
from kibana.saved_objects import Json, View, reference, visualization
from kibana.troubles import AGENT_RESTARTS, ALL, ANY, ERRORS

LINKS_ID = "voltscope-links"

CONTROLS = visualization(
    "voltscope-controls",
    None,
    "voltscope: site, instance, agent",
    "Choose what the dashboard shows.",
    controls({"Site": "labels.site", "Instance": "labels.instance", "Agent": "service.name"}),
    references=[reference(f"control_{number}_index_pattern", "index-pattern", LOGS.id) for number in range(3)],
)


def links(at: Addresses, fingerprint: str) -> Json:
    """Ways on. `fingerprint`: of all other objects, for `kibana-import` to know them by."""
    base = at.console.rstrip("/")
    written = (
        f"[Console]({base}/) · [search the logs of this site]({base}/logs) · [take a flamegraph]({base}/flamegraphs)"
    )
    if at.grafana:
        written += f" · [Grafana]({at.grafana.rstrip('/')}/d/voltscope-fleet)"
    said = f"To the console and Grafana. Objects {fingerprint}."
    return visualization(LINKS_ID, None, "voltscope: links", said, markdown(written))


def _logs(name: str, title: str, description: str, state: Json, query: str = "", view: View = LOGS) -> Json:
    return visualization(f"voltscope-{name}", view, f"voltscope: {title}", description, state, query)


FLEET_FIGURES = _logs(
    "fleet-figures",
    "the fleet in figures",
    "Records, and from how many sites, instances and agents.",
    figures(
        [
            count("records"),
            metric("cardinality", "labels.site", "sites"),
            metric("cardinality", "labels.instance", "instances"),
            metric("cardinality", "service.name", "agents"),
            metric("max", "@timestamp", "newest"),
        ]
    ),
)
LEVELS = _logs(
    "records-by-level",
    "records by level",
    "How much is logged, and how bad it is.",
    bars([count("records")], over_time(), by("log.level", "level", 5)),
)
ERRORS_BY_INSTANCE = _logs(
    "errors-by-instance",
    "errors by instance",
    "Errors and worse over time, the ten worst instances.",
    lines([count("errors")], over_time(), by("labels.instance", "instance")),
    ERRORS,
)
INSTANCES = _logs(
    "instances",
    "instances",
    "Every instance with its newest record: one that fell silent is seen by its time.",
    table(
        [count("records"), metric("cardinality", "service.name", "agents"), metric("max", "@timestamp", "newest")],
        [by("labels.site", "site", 50, "_key"), by("labels.instance", "instance", 200, "_key")],
        20,
    ),
)
TROUBLE_BY_INSTANCE = _logs(
    "trouble-by-instance",
    "trouble by instance",
    "Which instance has which kind of trouble.",
    table([count("records")], [by("labels.instance", "instance", 50), by_query(ALL)], 15),
    ANY,
)
TROUBLE = _logs(
    "trouble-over-time",
    "trouble over time",
    "Each kind of trouble; a record may be of several kinds.",
    bars([count("records")], over_time(), by_query(ALL)),
    ANY,
)
ERRORS_BY_AGENT = _logs(
    "errors-by-agent",
    "agents with the most errors",
    "The agents with the most errors, and whether they were logged or printed on stderr.",
    bars(
        [count("errors")],
        by("service.name", "agent", 15),
        by("labels.stream", "printed on", 3, missing="logged"),
        horizontal=True,
    ),
    ERRORS,
)
AGENTS = _logs(
    "records-by-agent",
    "records by agent",
    "Who logs how much.",
    bars([count("records")], over_time(), by("service.name", "agent", 12)),
)
AGENT_LEVELS = _logs(
    "agents",
    "agents",
    "Every agent with its levels, processes and newest record.",
    table(
        [
            count("records"),
            metric("cardinality", "process.pid", "processes"),
            metric("max", "@timestamp", "newest"),
        ],
        [by("service.name", "agent", 50, "_key"), by("log.level", "level", 5)],
        20,
    ),
)
EXCEPTIONS = _logs(
    "exceptions",
    "exceptions",
    "What is raised, by whom, and when last.",
    table(
        [count("times"), metric("max", "@timestamp", "newest")],
        [by("error.type", "exception", 20), by("service.name", "agent", 5)],
        15,
    ),
    "error.type:*",
)
LOGGERS = _logs(
    "loggers",
    "loudest loggers",
    "Which part of the code logs the most.",
    bars([count("records")], by("log.logger", "logger", 15), by("log.level", "level", 5), horizontal=True),
)
RESTARTS = _logs(
    "agent-restarts",
    "unexpected ends of agents",
    "Over time, by instance.",
    bars([count("records")], over_time(), by("labels.instance", "instance")),
    AGENT_RESTARTS,
)
PROFILES_BY_REASON = _logs(
    "profiles-by-reason",
    "profiles by reason",
    "When captures were taken, and why.",
    bars([count("captures")], over_time(), by("voltscope.profile.reason", "reason")),
    view=PROFILES,
)
HOTTEST = _logs(
    "hottest-functions",
    "hottest functions",
    "In which function each agent was seen working most, its largest share, and of how many samples.",
    table(
        [
            count("captures"),
            metric("max", "voltscope.profile.hottest_share", "largest share"),
            metric("sum", "voltscope.profile.samples", "samples"),
            metric("max", "event.duration", "longest"),
        ],
        [by("service.name", "agent", 20), by("voltscope.profile.hottest", "function", 5, "2")],
        15,
    ),
    view=PROFILES,
)
FUNCTIONS = _logs(
    "functions",
    "functions seen in most captures",
    "And in how many agents.",
    table(
        [count("captures"), metric("cardinality", "service.name", "agents")],
        [by("voltscope.profile.function_names", "function", 30)],
        10,
    ),
    view=PROFILES,
)

VISUALISATIONS: list[Json] = [
    CONTROLS,
    FLEET_FIGURES,
    LEVELS,
    ERRORS_BY_INSTANCE,
    INSTANCES,
    TROUBLE_BY_INSTANCE,
    TROUBLE,
    ERRORS_BY_AGENT,
    AGENTS,
    AGENT_LEVELS,
    EXCEPTIONS,
    LOGGERS,
    RESTARTS,
    PROFILES_BY_REASON,
    HOTTEST,
    FUNCTIONS,
]
