"""What is down: exporter, platform, bus, site, agents."""

from __future__ import annotations

from rule_site import agent, flat, gone, healthy, ramp

from rule_scenarios.scenario import AFTER, BEFORE, DURING, LISTENER, SAMPLES, Fires, Silent, blip, one, state

AGENTS = ("listener", "platform.driver", "platform.historian")


def second_platform(ups: str = flat((1, SAMPLES))) -> dict[str, str]:
    """Another platform of the same site."""
    return {'up{job="voltscope", site="north", instance="plant2"}': ups}


def scraped_not() -> dict[str, str]:
    """A failed scrape ends every series but `up`."""
    found = {}
    for name, values in healthy(SAMPLES).items():
        start, _, _ = values.rpartition("x")
        found[name] = f"{start}x{BEFORE - 1} {gone(DURING)} {start}x{AFTER - 1}"
    return found | one("up", blip(0, 1))


def crashed(*identities: str, before: int = BEFORE, samples: int = DURING) -> dict[str, str]:
    """Agents that are killed one after another within one scrape, and stay down."""
    rest = SAMPLES - before - samples
    found = {}
    for identity in identities:
        found |= agent(identity, ("running", before), ("crashed", samples), ("running", rest))
        ended = f"_x{before} {flat((-9, samples))}" + (f" {gone(rest)}" if rest else "")
        found |= one("volttron_agent_exit_status", ended, agent=identity)
    return found


def site_lost() -> dict[str, str]:
    """Two platforms of a site cannot be scraped, one seen 15 s after the other."""
    ups = flat((1, BEFORE + 1), (0, DURING - 1), (1, AFTER))
    return scraped_not() | second_platform(ups)


def platform_killed() -> dict[str, str]:
    """Platform and agents die and are started again; the exporter runs apart."""
    found = one("volttron_platform_up", blip(0, 1)) | one("voltscope_facts_fresh", blip(0, 1))
    found |= one("volttron_platform_uptime_seconds", f"{ramp(20000, 15, BEFORE)} {gone(DURING)} {ramp(5, 15, AFTER)}")
    for identity in AGENTS:
        found |= state(identity, "crashed")
    return found | one("volttron_agent_restarts_total", flat((0, BEFORE + DURING), (1, AFTER)), **LISTENER)


FIRES = (
    # seen at 5m, which may be 15 s late (30 s where an answer is waited for), and told within 60 s
    Fires("VolttronExporterDown", scraped_not(), "5m45s", "14m15s", {}),
    Fires("VolttronPlatformDown", platform_killed(), "5m45s", "14m15s", {}),
    Fires(
        "VoltscopeExporterBlind",
        one("voltscope_facts_fresh", blip(0, 1)) | one("volttron_platform_up", blip(0, 1)),
        "5m45s",
        "14m15s",
        {},
    ),
    Fires("VolttronBusProbeFailing", one("volttron_bus_probe_success", blip(0, 1)), "5m30s", "14m15s", {}),
    Fires("VolttronSiteDown", site_lost(), "5m45s", "14m15s", {"job": "voltscope", "site": "north"}, "2", site=False),
    Fires(
        "VolttronManyAgentsDown",
        crashed(*AGENTS),
        "5m30s",
        "15m",
        {},
        value="3",
        agents="listener platform.driver platform.historian ",
    ),
    Fires(  # another one, while those are down still
        "VolttronAgentCrashed",
        crashed(*AGENTS, samples=80) | crashed("another", before=60, samples=10),
        "15m30s",
        "24m45s",
        {"agent": "another"},
        before="14m45s",
        already=("VolttronManyAgentsDown",),
        alongside=("VolttronManyAgentsDown",),
        later=("VolttronManyAgentsDown",),
    ),
    Fires(
        "VolttronAgentCrashed",
        state("listener", "crashed")
        | one("volttron_agent_exit_status", f"_x{BEFORE} {flat((-9, DURING))} {gone(AFTER)}", **LISTENER)
        | one("volttron_agent_restarts_total", flat((0, BEFORE + DURING), (1, AFTER)), **LISTENER),
        "5m30s",
        "15m",
    ),
    Fires(  # restarted by the platform before the next scrape: one scrape saw it
        "VolttronAgentCrashed",
        state("listener", "crashed", 1)
        | one("volttron_agent_exit_status", f"_x{BEFORE} 1 {gone(SAMPLES - BEFORE - 1)}", **LISTENER),
        "5m30s",
        "10m15s",
    ),
    Fires("VolttronAgentCrashed", state("listener", "crashed"), "5m45s", "14m15s"),  # nobody has reaped it
    Fires("VolttronAgentZombie", state("listener", "zombie"), "5m45s", "14m15s"),
    Fires("VolttronAgentHung", state("listener", "hung"), "5m30s", "14m15s"),
    Fires("VolttronAgentStopped", state("listener", "stopped"), "5m45s", "10m15s"),
    Fires(
        "VolttronAgentNotStarted",
        agent("listener", ("never-started", 40), ("running", SAMPLES - 40))
        | one("volttron_platform_uptime_seconds", ramp(0, 15, SAMPLES)),
        "6m20s",
        "10m15s",
        before="6m",
    ),
)

SILENT = (
    Silent("VolttronExporterDown", "one scrape failed", one("up", blip(0, 1, 1))),
    Silent(
        "VolttronSiteDown",
        "another platform of the site answers",
        scraped_not() | second_platform(),
        despite=("VolttronExporterDown",),
    ),
    Silent("VolttronSiteDown", "a scrape of each failed", one("up", blip(0, 1, 1)) | second_platform(blip(0, 1, 1))),
    Silent(
        "VolttronManyAgentsDown",
        "two crashed",
        crashed(*AGENTS[:2]),
        despite=("VolttronAgentCrashed",),
    ),
    Silent(
        "VolttronManyAgentsDown",
        "they crashed one after another, with longer between",
        crashed("listener", samples=80) | crashed("one", before=45, samples=55) | crashed("two", before=70, samples=30),
        despite=("VolttronAgentCrashed",),
    ),
    Silent(
        "VolttronManyAgentsDown",
        "they had not yet connected",
        {name: values for identity in AGENTS for name, values in state(identity, "zombie", 1).items()},
    ),
    Silent("VolttronPlatformDown", "nothing is wrong", {}),
    Silent(
        "VolttronPlatformDown",
        "the platform lives and the exporter is blind",
        one("voltscope_facts_fresh", blip(0, 1)) | one("volttron_platform_up", blip(0, 1)),
        despite=("VoltscopeExporterBlind",),
    ),
    Silent(
        "VoltscopeExporterBlind",
        "alone, without a bridge, it never sees more",
        one("voltscope_facts_fresh", flat((0, SAMPLES))) | one("voltscope_facts_age_seconds", "_x99"),
    ),
    Silent("VolttronBusProbeFailing", "one message was late", one("volttron_bus_probe_success", blip(0, 1, 1))),
    Silent("VolttronAgentCrashed", "a stopping agent looked crashed once", state("listener", "crashed", 1)),
    Silent(
        "VolttronAgentCrashed",
        "with the platform everything is gone",
        platform_killed(),
        despite=("VolttronPlatformDown",),
    ),
    Silent("VolttronAgentZombie", "it was not yet connected again", state("listener", "zombie", 2)),
    Silent("VolttronAgentHung", "one answer was missing", state("listener", "hung", 1)),
    Silent("VolttronAgentStopped", "somebody disabled and stopped it", state("listener", "stopped", enabled=False)),
    Silent("VolttronAgentNotStarted", "it is not enabled", agent("spare", ("never-started", SAMPLES), enabled=False)),
    Silent(
        "VolttronAgentNotStarted",
        "the platform has only just started",
        one("volttron_platform_uptime_seconds", ramp(0, 15, SAMPLES))
        | agent("listener", ("never-started", 15), ("running", SAMPLES - 15)),
    ),
)
