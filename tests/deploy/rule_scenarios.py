"""What happens to a site, and which alerts that fires: each alert fires and resolves, and stays silent elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rule_site import agent, flat, gone, healthy, ramp, series

# A fault, unless said otherwise, is in the samples 20 to 39: it is seen from 5m on, and over at 10m.
BEFORE, DURING, AFTER = 20, 20, 60
SAMPLES = BEFORE + DURING + AFTER

HISTORIAN = {"agent": "platform.historian"}
LISTENER = {"agent": "listener"}
AGENTS = ("listener", "platform.driver", "platform.historian")
DEVICE = {"device": "campus/fake"}
FORWARDER = {"agent": "forward"}
SECRET = {"rule": "secret-key"}
STORE = {"key": "elasticsearch+https://store:9200/voltscope-logs"}
LOGSHIP = {"agent": "voltscope.logship"}
PROFILER = {"agent": "voltscope.profiler"}


@dataclass(frozen=True)
class Fires:
    """The alert fires at `at` with these labels, and at `after` no more. `value` as its description shows it.

    Of other alerts, exactly `alongside` fires at `at`, `already` just before the fault and `later` at `after`.
    `agents`: whom it names.
    """

    alert: str
    change: Mapping[str, str]
    at: str
    after: str
    labels: Mapping[str, str] = field(default_factory=lambda: dict(LISTENER))
    value: str = ""
    samples: int = SAMPLES
    before: str = "4m45s"
    already: tuple[str, ...] = ()
    alongside: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    site: bool = True
    agents: str = ""


@dataclass(frozen=True)
class Silent:
    """The alert never fires, and of others exactly `despite` at any time."""

    alert: str
    because: str
    change: Mapping[str, str]
    samples: int = SAMPLES
    despite: tuple[str, ...] = ()


def blip(value: float, otherwise: float = 0, samples: int = DURING) -> str:
    """`value` for as many samples as a fault lasts, `otherwise` around it."""
    return flat((otherwise, BEFORE), (value, samples), (otherwise, SAMPLES - BEFORE - samples))


def state(identity: str, fault: str, samples: int = DURING, *, enabled: bool = True) -> dict[str, str]:
    """An agent that leaves the state running for a while."""
    rest = SAMPLES - BEFORE - samples
    return agent(identity, ("running", BEFORE), (fault, samples), ("running", rest), enabled=enabled)


def one(name: str, values: str, /, **labels: str) -> dict[str, str]:
    """One series changed."""
    return {series(name, **labels): values}


def vanished(*, last_up: float = 1, back: bool) -> dict[str, str]:
    """The whole site leaves the targets at 5m; before, `up` was `last_up` for 90 s."""
    rest = SAMPLES - BEFORE
    found = {}
    for name, values in healthy(SAMPLES).items():
        kept = values.rsplit("x", 1)[0]
        if "+0x" in values and len(values.split()) == 1:
            again = [f"{kept}x{rest - 41}"] if back else []
            found[name] = " ".join([f"{kept}x{BEFORE - 1}", gone(40 if back else rest), *again])
        else:
            found[name] = f"{kept}x{BEFORE - 1} {gone(rest)}"
    ups = flat((1, BEFORE - 6), (last_up, 6))
    found[series("up")] = f"{ups} {gone(40)} {flat((1, rest - 40))}" if back else f"{ups} {gone(rest)}"
    return found


def second_platform(ups: str = flat((1, SAMPLES))) -> dict[str, str]:
    """Another platform of the same site."""
    return {'up{job="voltscope", site="north", instance="plant2"}': ups}


def other_site(samples: int) -> dict[str, str]:
    """A second site of the job that stays."""
    return {'up{job="voltscope", site="south", instance="plant2"}': flat((1, samples))}


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
    # presence
    Fires("VolttronExporterAbsent", vanished(back=True), "10m30s", "15m30s", {"job": "voltscope"}, site=False),
    Fires(
        "VolttronSiteVanished",
        vanished(back=True) | other_site(SAMPLES),
        "10m30s",
        "15m30s",
        {},
    ),
    # liveness: seen at 5m, which may be 15 s late (30 s where an answer is waited for), and told within 60 s
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
    Fires(
        "VolttronAgentCrashLooping",
        one(
            "volttron_agent_restarts_total",
            flat((0, BEFORE), *((count, 2) for count in range(1, 10)), (10, SAMPLES)),
            **LISTENER,
        ),
        "6m15s",
        "27m",
        value="3",
        samples=120,
    ),
    Fires(
        "VolttronAgentRestarted",
        one("volttron_agent_restarts_total", flat((0, BEFORE), (1, SAMPLES - BEFORE)), **LISTENER),
        "5m15s",
        "10m30s",
    ),
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
    # agents
    Fires(
        "VolttronAgentHealthBad",
        one("volttron_agent_health", blip(1), status="bad", **LISTENER),
        "6m15s",
        "10m15s",
    ),
    Fires(
        "VolttronAgentHeartbeatOld",
        one("volttron_agent_heartbeat_age_seconds", f"{flat((20, BEFORE))} {ramp(20, 15, 30)} 5+0x49", **LISTENER),
        "8m45s",
        "13m",
        value="4m 5s",
    ),
    Fires(
        "VolttronAgentNeverHeartbeating",
        one("volttron_platform_info", flat((1, SAMPLES)), generation="monolithic")
        | one("volttron_agent_heartbeat_sent", flat((0, 60), (1, 40)), **LISTENER),
        "10m15s",
        "15m15s",
        before="9m45s",
    ),
    Fires(
        "VolttronAgentRpcSlow",
        {
            series("volttron_agent_rpc_latency_seconds_bucket", le="0.5", **LISTENER): f"0+3x{BEFORE + 39} 177+5x60",
            series("volttron_agent_rpc_latency_seconds_bucket", le="1.0", **LISTENER): f"0+5x{BEFORE + 39} 295+5x60",
            series("volttron_agent_rpc_latency_seconds_bucket", le="+Inf", **LISTENER): f"0+5x{BEFORE + 39} 295+5x60",
        },
        "6m",
        "20m30s",
        value="875ms",
        before="4m30s",
    ),
    Fires(
        "VolttronAgentBusy",
        one("volttron_process_cpu_seconds_total", "100+15x79 1286+1x40", mode="user", **LISTENER),
        "15m30s",
        "25m",
        value="100%",
        before="9m45s",
        samples=120,
    ),
    Fires(
        "VolttronAlertActive",
        one("volttron_alert_active", blip(1), key="historian_cache_full", **LISTENER),
        "5m15s",
        "10m15s",
        LISTENER | {"key": "historian_cache_full"},
    ),
    # historians
    Fires(
        "VolttronHistorianStale",
        one("volttron_historian_newest_row_age_seconds", f"{flat((4, BEFORE))} {ramp(15, 15, 40)} 4+0x39", **HISTORIAN),
        "12m30s",
        "15m15s",
        HISTORIAN,
        value="7m 45s",
    ),
    Fires(
        "VolttronHistorianShadowed",
        one("volttron_historian_shadowed", blip(1, samples=40), **HISTORIAN)
        | one(
            "volttron_historian_newest_row_age_seconds", f"{flat((4, BEFORE))} {ramp(15, 15, 40)} 4+0x39", **HISTORIAN
        ),
        "12m30s",
        "15m15s",
        HISTORIAN,
    ),
    Fires(
        "VolttronHistorianBacklogGrowing",
        one(
            "volttron_historian_backlog_records",
            f"{flat((3, 20))} {ramp(50, 50, 100)} {ramp(4000, -800, 6)} 0+0x60",
            **HISTORIAN,
        ),
        "22m",
        "32m",
        HISTORIAN,
        value="1.45k",
        samples=180,
    ),
    Fires(
        "VolttronHistorianNotPublishing",
        one("volttron_historian_publishing", blip(0, 1), **HISTORIAN),
        "6m15s",
        "10m15s",
        HISTORIAN,
    ),
    Fires(  # stuck: its last word was that it publishes
        "VolttronHistorianNotPublishing",
        one(
            "volttron_historian_rows_written_total",
            f"{ramp(1000, 30, 20)} {flat((1600, 60))} {ramp(1600, 300, 20)}",
            **HISTORIAN,
        )
        | one("volttron_historian_backlog_bytes", f"{flat((8192, 20))} {ramp(8192, 4096, 60)} 8192+0x19", **HISTORIAN),
        "16m30s",
        "20m30s",
        HISTORIAN,
    ),
    Fires(
        "VolttronHistorianCacheFull",
        one("volttron_historian_cache_full", blip(1), **HISTORIAN),
        "5m45s",
        "10m15s",
        HISTORIAN,
    ),
    Fires(
        "VolttronCanaryLost",
        one("volttron_historian_canary_age_seconds", f"{flat((40, 20))} {ramp(60, 15, 40)} 40+0x39", **HISTORIAN),
        "10m30s",
        "15m15s",
        HISTORIAN,
        value="6m 30s",
    ),
    Fires(
        "VolttronHistorianDatabaseUnreadable",
        one("volttron_historian_database_readable", blip(0, 1), database="store", **HISTORIAN),
        "7m15s",
        "10m15s",
        HISTORIAN | {"database": "store"},
    ),
    Fires(
        "VolttronHistorianInvalidTimestamps",
        one("volttron_historian_invalid_timestamps", blip(12), **HISTORIAN),
        "7m15s",
        "10m15s",
        HISTORIAN,
        value="12",
    ),
    # devices
    Fires(
        "VolttronDeviceSilent",
        one("volttron_device_last_update_age_seconds", f"{flat((3, 20))} {ramp(15, 15, 20)} 3+0x59", **DEVICE),
        "6m15s",
        "10m15s",
        DEVICE,
        value="1m 30s",
    ),
    Fires(  # never seen since we watch
        "VolttronDeviceSilent",
        one("volttron_device_interval_seconds", flat((60, SAMPLES)), device="campus/new")
        | one("volttron_device_watched_seconds", f"{ramp(0, 15, 60)} {ramp(900, 15, 40)}", device="campus/new")
        | one("volttron_device_last_update_age_seconds", "_x60 3+0x39", device="campus/new"),
        "4m",
        "15m15s",
        {"device": "campus/new"},
        value="4m 0s",
        before="3m",
    ),
    Fires(
        "VolttronDeviceScrapeErrors",
        one(
            "volttron_device_scrape_errors_total",
            f"{flat((0, 20))} {ramp(1, 1, 20)} {flat((20, 80))}",
            **DEVICE,
            **LOGSHIP,
        ),
        "8m",
        "21m",
        DEVICE,
        value="13",
        samples=120,
    ),
    # resources
    Fires(
        "VolttronDescriptorsExhausting",
        one("volttron_process_worst_fd_ratio", blip(0.9, 0.1), **LISTENER),
        "6m15s",
        "10m15s",
        value="90%",
    ),
    Fires(  # half are open, and it goes on
        "VolttronDescriptorsExhausting",
        one("volttron_process_worst_fd_ratio", blip(0.6, 0.1), **LISTENER)
        | one("volttron_process_open_fds", ramp(500, 3, SAMPLES), **LISTENER),
        "6m15s",
        "10m15s",
        value="60%",
    ),
    Fires(
        "VolttronMemoryLeaking",
        one("volttron_process_proportional_memory_bytes", f"{ramp(60e6, 200e3, 640)} 60e6+0x99", **LISTENER),
        "2h",
        "2h45m",
        value="45.78Mi",
        before="1h",
        samples=740,
    ),
    Fires(  # steeply
        "VolttronMemoryLeaking",
        one(
            "volttron_process_proportional_memory_bytes",
            f"{flat((60e6, 20))} {ramp(60e6, 8e6, 60)} {flat((60e6, 60))}",
            **LISTENER,
        ),
        "17m",
        "25m",
        value="1.073Gi",
        samples=140,
    ),
    Fires(
        "VolttronDiskFilling",
        one("volttron_disk_size_bytes", flat((100e9, 1600)))
        | one("volttron_disk_free_bytes", f"{ramp(20e9, -10e6, 1000)} {flat((60e9, 600))}"),
        "3h",
        "4h30m",
        {},
        value="12.8%",
        before="2h",
        samples=1600,
    ),
    Fires(
        "VolttronDiskFull",
        one("volttron_disk_size_bytes", flat((100e9, SAMPLES))) | one("volttron_disk_free_bytes", blip(2e9, 20e9)),
        "6m15s",
        "10m15s",
        {},
        value="2%",
    ),
    Fires(
        "VolttronCertificateExpiring",
        one("volttron_certificate_expiry_timestamp_seconds", blip(864600, 1e8, 40), certificate="root-ca"),
        "10m",
        "15m15s",
        {"certificate": "root-ca"},
        value="10d 0h 0m 0s",
    ),
    Fires(
        "VolttronCertificateExpired",
        one("volttron_certificate_expiry_timestamp_seconds", flat((300, 40), (1e8, 60)), certificate="root-ca"),
        "6m15s",
        "10m15s",
        {"certificate": "root-ca"},
        before="4m45s",
    ),
    Fires(
        "VolttronClockJumped",
        one("volttron_clock_jumps_total", flat((0, 20), (1, 80))),
        "5m15s",
        "15m30s",
        {},
    ),
    # logs
    Fires(
        "VolttronLogFlood",
        one(
            "volttron_log_records_total",
            f"{ramp(0, 15, 20)} {ramp(300, 3000, 20)} {ramp(57315, 15, 60)}",
            level="info",
            **LISTENER,
        )
        | one("volttron_log_records_total", ramp(0, 1, SAMPLES), level="error", **LISTENER),
        "8m15s",
        "12m30s",
        value="200.1",
    ),
    Fires(
        "VolttronSecretInLog",
        one("volttron_log_secrets_total", flat((0, 20), (2, 80)), **SECRET, **LOGSHIP),
        "5m15s",
        "20m30s",
        SECRET,
        value="2",
    ),
    Fires(  # the first of its kind
        "VolttronSecretInLog",
        one("volttron_log_secrets_total", f"_x{2 * BEFORE} {flat((1, SAMPLES - 2 * BEFORE))}", **SECRET, **LOGSHIP),
        "10m15s",
        "15m30s",
        SECRET,
        value="1",
    ),
    Fires(
        "VoltscopeLogRecordsMissing",
        one("voltscope_log_verify_missing_records", blip(3), **STORE, **LOGSHIP),
        "5m15s",
        "10m15s",
        STORE | LOGSHIP,
        value="3",
    ),
    Fires(  # and it goes on firing though a scrape had failed five minutes before
        "VolttronSecretInLog",
        one("volttron_log_secrets_total", f"_x{2 * BEFORE} {flat((1, SAMPLES - 2 * BEFORE))}", **SECRET, **LOGSHIP)
        | one("volttron_platform_up", f"{flat((1, 22))} {gone(1)} {flat((1, SAMPLES - 23))}"),
        "10m30s",
        "15m30s",
        SECRET,
        value="1",
    ),
    # ourselves
    Fires(
        "VoltscopeCollectorFailing",
        one("voltscope_collector_success", blip(0, 1), collector="historian"),
        "7m15s",
        "10m15s",
        {"collector": "historian"},
    ),
    Fires(
        "VoltscopeEngineRestarting",
        one("voltscope_engine_restarts_total", flat((2, 20), (3, 4), (4, 4), (5, 132))),
        "7m15s",
        "37m30s",
        {},
        value="3",
        samples=160,
    ),
    Fires(
        "VolttronForwarderStuck",
        one("volttron_forwarder_connected", blip(0, 1), **FORWARDER),
        "7m15s",
        "10m15s",
        FORWARDER,
    ),
    Fires(
        "VolttronForwarderStuck",
        one("volttron_historian_backlog_age_seconds", flat((0, 20), (900, 20), (0, 60)), **FORWARDER)
        | one("volttron_forwarder_tcp_connections", flat((0, SAMPLES)), **FORWARDER),
        "7m15s",
        "10m15s",
        FORWARDER,
    ),
    Fires("VoltscopeWebConfigInvalid", one("voltscope_web_config_valid", blip(0, 1)), "6m15s", "10m15s", {}),
    Fires(
        "VoltscopeWebConfigInvalid",
        one("voltscope_profiler_web_config_valid", blip(0, 1), **PROFILER),
        "6m15s",
        "10m15s",
        PROFILER,
    ),
    Fires(
        "VoltscopeCapturesNotIndexed",
        one("voltscope_profiler_index_waiting", blip(3, samples=60), **PROFILER)
        | one("voltscope_profiler_index_success", blip(0, 1, 60), **PROFILER),
        "15m15s",
        "20m15s",
        PROFILER,
        value="3",
    ),
    Fires("VoltscopeExportFailing", one("voltscope_exported_up", blip(0, 1), **LISTENER), "8m15s", "10m15s"),
    Fires(
        "VoltscopeThirdPartyMetricsDropped",
        one(
            "voltscope_exported_dropped_total",
            f"{flat((0, 20))} {ramp(1, 1, 30)} {flat((30, 90))}",
            reason="type",
            **LISTENER,
        ),
        "10m15s",
        "28m",
        LISTENER | {"reason": "type"},
        samples=140,
    ),
    Fires(
        "VolttronBusSlow",
        one("volttron_bus_probe_seconds", blip(2, 0.005, 60)),
        "13m",
        "25m",
        {},
        value="2s",
    ),
)

SILENT = (
    Silent(
        "VolttronExporterAbsent",
        "the last site was stopped before it left the targets",
        vanished(last_up=0, back=False),
        despite=("VolttronExporterDown",),
    ),
    Silent(
        "VolttronSiteVanished",
        "the site was stopped before it left the targets",
        vanished(last_up=0, back=False) | other_site(SAMPLES),
        despite=("VolttronExporterDown",),
    ),
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
    Silent(
        "VolttronAgentCrashLooping",
        "the platform was restarted three times",
        one("volttron_platform_uptime_seconds", " ".join(ramp(start, 15, 25) for start in (20000, 5, 5, 5)))
        | one("volttron_agent_restarts_total", flat((0, 25), (1, 25), (2, 25), (3, 25)), **LISTENER),
    ),
    Silent(
        "VolttronAgentRestarted",
        "the platform was restarted",
        one("volttron_platform_uptime_seconds", f"{ramp(20000, 15, 25)} {ramp(5, 15, 75)}")
        | one("volttron_agent_restarts_total", flat((0, 27), (1, 73)), **LISTENER),
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
    Silent(
        "VolttronAgentHealthBad",
        "it was bad for a moment",
        one("volttron_agent_health", blip(1, samples=3), status="bad", **LISTENER),
    ),
    Silent(
        "VolttronAgentHeartbeatOld",
        "a hung agent has an alert of its own",
        state("listener", "hung", 80)
        | one("volttron_agent_heartbeat_age_seconds", ramp(0, 15, SAMPLES), **LISTENER)
        | one("volttron_agent_heartbeat_age_seconds", f"{flat((20, BEFORE))} {ramp(20, 15, 80)}", **LISTENER),
        despite=("VolttronAgentHung",),
    ),
    Silent("VolttronAgentNeverHeartbeating", "modular agents send none by default", {}),
    Silent(
        "VolttronAgentRpcSlow",
        "one ping of a thousand was slow",
        {
            series("volttron_agent_rpc_latency_seconds_bucket", le="0.5", **LISTENER): "0+999x99",
            series("volttron_agent_rpc_latency_seconds_bucket", le="+Inf", **LISTENER): "0+1000x99",
        },
    ),
    Silent(
        "VolttronAgentBusy",
        "it started, and worked for three minutes",
        one(
            "volttron_process_cpu_seconds_total",
            f"{ramp(100, 1, 20)} {ramp(120, 15, 12)} {ramp(301, 1, 68)}",
            mode="user",
            **LISTENER,
        ),
    ),
    Silent(
        "VolttronAlertActive",
        "the alert has been resolved",
        one("volttron_alert_active", flat((0, SAMPLES)), key="other", **LISTENER),
    ),
    Silent(
        "VolttronHistorianStale",
        "its devices publish every 15 minutes",
        one("volttron_device_interval_seconds", flat((900, SAMPLES)), **DEVICE)
        | one("volttron_historian_newest_row_age_seconds", f"{ramp(0, 15, 60)} {ramp(0, 15, 40)}", **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianStale",
        "no device publishes",
        one("volttron_device_last_update_age_seconds", ramp(3, 15, SAMPLES), **DEVICE)
        | one("volttron_historian_newest_row_age_seconds", ramp(3, 15, SAMPLES), **HISTORIAN),
        despite=("VolttronDeviceSilent",),
    ),
    Silent(
        "VolttronHistorianShadowed",
        "it was for a moment",
        one("volttron_historian_shadowed", blip(1, samples=2), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianBacklogGrowing",
        "batches come and go",
        one("volttron_historian_backlog_records", " ".join([ramp(0, 100, 10)] * 10), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianBacklogGrowing",
        "a large one is being worked off",
        one("volttron_historian_backlog_records", ramp(100000, -500, SAMPLES), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianNotPublishing",
        "nothing comes in, and its health is as old",
        one("volttron_historian_rows_written_total", flat((1000, SAMPLES)), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianCacheFull",
        "one publish made room again",
        one("volttron_historian_cache_full", blip(1, samples=2), **HISTORIAN),
    ),
    Silent(
        "VolttronCanaryLost",
        "a historian stores once in four minutes",
        one("volttron_historian_canary_age_seconds", " ".join([ramp(0, 15, 20)] * 5), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianDatabaseUnreadable",
        "it was locked for a minute",
        one("volttron_historian_database_readable", blip(0, 1, 4), database="store", **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianInvalidTimestamps",
        "there are none",
        one("volttron_historian_invalid_timestamps", flat((0, SAMPLES)), **HISTORIAN),
    ),
    Silent(
        "VolttronDeviceSilent",
        "the driver is what hangs",
        state("platform.driver", "hung", 80)
        | one("volttron_device_last_update_age_seconds", f"{flat((3, 20))} {ramp(15, 15, 80)}", **DEVICE),
        despite=("VolttronAgentHung",),
    ),
    Silent(
        "VolttronDeviceScrapeErrors",
        "a scrape fails now and then",
        one("volttron_device_scrape_errors_total", flat((0, 30), (1, 30), (2, 40)), **DEVICE, **LOGSHIP),
    ),
    Silent(
        "VolttronDescriptorsExhausting",
        "many are open, but no more than before",
        one("volttron_process_worst_fd_ratio", flat((0.7, SAMPLES)), **LISTENER),
    ),
    Silent(
        "VolttronMemoryLeaking",
        "it peaks and comes down again",
        one("volttron_process_proportional_memory_bytes", " ".join([ramp(60e6, 1e6, 100)] * 7), **LISTENER),
        samples=700,
    ),
    Silent(
        "VolttronMemoryLeaking",
        "it has only just started",
        one("volttron_process_proportional_memory_bytes", f"{ramp(20e6, 20e6, 20)} {flat((420e6, 480))}", **LISTENER)
        | one("volttron_process_start_time_seconds", flat((0, 500)), **LISTENER),
        samples=500,
    ),
    Silent(
        "VolttronDiskFilling",
        "little is free, but it stays so",
        one("volttron_disk_size_bytes", flat((100e9, 600))) | one("volttron_disk_free_bytes", flat((10e9, 600))),
        samples=600,
    ),
    Silent(
        "VolttronDiskFull",
        "a tenth is free",
        one("volttron_disk_size_bytes", flat((100e9, SAMPLES)))
        | one("volttron_disk_free_bytes", flat((10e9, SAMPLES))),
    ),
    Silent(
        "VolttronCertificateExpiring",
        "it is good for a year",
        one("volttron_certificate_expiry_timestamp_seconds", flat((31536000, SAMPLES)), certificate="root-ca"),
    ),
    Silent(
        "VolttronCertificateExpired",
        "it expires in three days",
        one("volttron_certificate_expiry_timestamp_seconds", flat((259200, SAMPLES)), certificate="root-ca"),
        despite=("VolttronCertificateExpiring",),
    ),
    Silent("VolttronClockJumped", "it has not since", one("volttron_clock_jumps_total", flat((4, SAMPLES)))),
    Silent(
        "VolttronLogFlood",
        "a traceback of 1000 lines is no flood",
        one("volttron_log_records_total", flat((0, 20), (1000, 80)), level="error", **LISTENER),
    ),
    Silent(
        "VolttronSecretInLog",
        "they are from before",
        one("volttron_log_secrets_total", flat((7, SAMPLES)), **SECRET, **LOGSHIP),
    ),
    Silent(
        "VolttronSecretInLog",
        "who counts them was away for a minute",
        one("volttron_log_secrets_total", f"{flat((7, 20))} {gone(4)} {flat((7, SAMPLES - 24))}", **SECRET, **LOGSHIP),
    ),
    Silent(
        "VoltscopeCollectorFailing",
        "it was slow for a minute",
        one("voltscope_collector_success", blip(0, 1, 4), collector="historian"),
    ),
    Silent(
        "VoltscopeLogRecordsMissing",
        "they wait for a receiver that is down",
        one("voltscope_log_verify_missing_records", flat((0, SAMPLES)), **STORE, **LOGSHIP)
        | one("voltscope_log_behind_records", ramp(0, 1000, SAMPLES), **STORE, **LOGSHIP),
    ),
    Silent(
        "VoltscopeCapturesNotIndexed",
        "the store was restarted",
        one("voltscope_profiler_index_waiting", blip(1, samples=12), **PROFILER)
        | one("voltscope_profiler_index_success", blip(0, 1, 12), **PROFILER),
    ),
    Silent(
        "VoltscopeEngineRestarting",
        "it was restarted once",
        one("voltscope_engine_restarts_total", flat((2, 20), (3, 80))),
    ),
    Silent(
        "VoltscopeEngineRestarting",
        "the platform was restarted three times, and it with the platform",
        one("volttron_platform_uptime_seconds", " ".join(ramp(start, 15, 25) for start in (20000, 5, 5, 5)))
        | one("voltscope_engine_restarts_total", flat((2, 25), (3, 25), (4, 25), (5, 25))),
    ),
    Silent(
        "VolttronForwarderStuck",
        "it waits for its next try",
        one("volttron_historian_backlog_age_seconds", ramp(0, 5, SAMPLES), **FORWARDER)
        | one("volttron_forwarder_tcp_connections", flat((1, SAMPLES)), **FORWARDER)
        | one("volttron_forwarder_connected", flat((1, SAMPLES)), **FORWARDER),
    ),
    Silent(
        "VolttronForwarderStuck",
        "a historian of old data is no forwarder",
        one("volttron_historian_backlog_age_seconds", flat((90000, SAMPLES)), **HISTORIAN),
    ),
    Silent("VoltscopeWebConfigInvalid", "it was being written", one("voltscope_web_config_valid", blip(0, 1, 2))),
    Silent("VoltscopeExportFailing", "it was busy once", one("voltscope_exported_up", blip(0, 1, 4), **LISTENER)),
    Silent(
        "VoltscopeThirdPartyMetricsDropped",
        "nothing has been refused lately",
        one("voltscope_exported_dropped_total", flat((9, SAMPLES)), reason="type", **LISTENER),
    ),
    Silent("VolttronBusSlow", "one message was slow", one("volttron_bus_probe_seconds", blip(5, 0.005, 1))),
)
