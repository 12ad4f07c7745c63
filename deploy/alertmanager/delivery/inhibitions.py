"""What hushes what: a cause that is told of needs no word on its consequences."""

from __future__ import annotations

from typing import Any

from .routes import names

_INSTANCE = ["site", "instance"]
_AGENT = ["site", "instance", "agent"]
_OF_AGENTS = 'agent=~".+"'
_OF_DEVICES = 'device=~".+"'


def inhibitions() -> list[dict[str, Any]]:
    """All of them, from the widest cause to the narrowest."""
    lost = ("VolttronExporterDown", "VolttronSiteVanished")
    platform = ("VolttronPlatformDown", "VoltscopeExporterBlind")
    dead = ("VolttronAgentCrashed", "VolttronAgentCrashLooping", "VolttronAgentZombie", "VolttronAgentHung")
    unlike = 'alertname!~"VolttronSiteDown|VolttronSiteVanished|VolttronExporterDown|Watchdog"'
    return [
        _rule(
            "With its uplink lost nothing is known of a site.",
            ["VolttronSiteDown"],
            ['alertname!~"VolttronSiteDown|Watchdog"'],
            ["site"],
        ),
        _rule("With its exporter lost nothing is known of a platform.", lost, [unlike], _INSTANCE),
        _rule("A platform that is down takes its agents along,", platform, [_OF_AGENTS], _INSTANCE),
        _rule("and its devices,", platform, [_OF_DEVICES], _INSTANCE),
        _rule(
            "and its bus, and what watches it.",
            platform,
            [
                names(
                    "VolttronManyAgentsDown",
                    "VolttronBusProbeFailing",
                    "VolttronBusSlow",
                    "VoltscopeCollectorFailing",
                    "VoltscopeEngineRestarting",
                )
            ],
            _INSTANCE,
        ),
        _rule(
            "A bus that loses messages makes agents slow.",
            ["VolttronBusProbeFailing"],
            [names("VolttronBusSlow", "VolttronAgentRpcSlow", "VolttronAgentHeartbeatOld")],
            _INSTANCE,
        ),
        _rule(
            "Those that went down together are restarted together.",
            ["VolttronManyAgentsDown"],
            [names("VolttronAgentCrashLooping", "VolttronAgentRestarted")],
            _INSTANCE,
        ),
        _rule(
            "An agent that is dead is not well, either.",
            dead,
            ['severity=~"warning|info"', 'alertname!="VolttronAlertFlapping"'],
            _AGENT,
        ),
        _rule(
            "One that crashes again and again has crashed.",
            ["VolttronAgentCrashLooping"],
            [names("VolttronAgentCrashed", "VolttronAgentZombie", "VolttronAgentHung")],
            _AGENT,
        ),
        _rule(
            "One that crashed answers nobody.",
            ["VolttronAgentCrashed"],
            [names("VolttronAgentZombie", "VolttronAgentHung")],
            _AGENT,
        ),
        _rule(
            "A historian that stores nothing, and is known why.",
            ["VolttronHistorianShadowed", "VolttronHistorianNotPublishing", "VolttronHistorianCacheFull"],
            [names("VolttronHistorianStale", "VolttronHistorianBacklogGrowing", "VolttronCanaryLost")],
            _AGENT,
        ),
        _rule(
            "What the site's own agent passes on of the bus, the exporter has seen, too.",
            ["VolttronBusAlert"],
            [names("VolttronAlertActive")],
            [*_AGENT, "key"],
        ),
        _rule(
            "A silent device fails to be read.",
            ["VolttronDeviceSilent"],
            [names("VolttronDeviceScrapeErrors")],
            [*_INSTANCE, "device"],
        ),
        _rule("A full disk is filling.", ["VolttronDiskFull"], [names("VolttronDiskFilling")], _INSTANCE),
    ]


def _rule(about: str, causes: tuple[str, ...] | list[str], consequences: list[str], equal: list[str]) -> dict[str, Any]:
    return {"#": about, "source_matchers": [names(*causes)], "target_matchers": consequences, "equal": equal}
