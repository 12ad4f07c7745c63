"""What agents export themselves, as Prometheus sees it: named after its agent, and unable to pass for ours."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from voltscope.platform.agents import Exported, ExportedFamily
from voltscope.platform.bounds import bound


def _family(name: str, *samples: tuple[dict[str, str], float], kind: str = "gauge") -> ExportedFamily:
    return ExportedFamily(name=name, type=kind, help="Help.", samples=list(samples or [({}, 1.0)]))


def _export(frozen: Any, **families: list[ExportedFamily]) -> None:
    """Let agents export; `historian` stands for platform.historian."""
    pids = {agent.identity: agent.pid for agent in frozen.facts.agents}
    named = {identity.replace("historian", "platform.historian"): what for identity, what in families.items()}
    frozen.facts = msgspec.structs.replace(
        frozen.facts,
        exported={
            identity: Exported(pid=pids[identity], answered_at=frozen.now - 1, families=what)
            for identity, what in named.items()
        },
    )


def _rename(frozen: Any, old: str, **fields: str) -> None:
    agents = frozen.facts.agents
    index = next(n for n, agent in enumerate(agents) if agent.identity == old)
    agents[index] = msgspec.structs.replace(agents[index], **fields)


def _dropped(seen: dict[str, float], agent: str = "listener") -> dict[str, float]:
    start = f"voltscope_exported_dropped_total{{agent={agent},reason="
    return {series[len(start) : -1]: value for series, value in seen.items() if series.startswith(start)}


def test_series_carry_their_agent(modular: Any) -> None:
    seen = modular.scrape()
    assert seen["meter_power_watts{agent=listener,meter=a}"] == 1.5
    assert seen["meter_polls_total{agent=listener}"] == 7
    assert seen["voltscope_exported_up{agent=listener}"] == 1
    assert seen["voltscope_exported_series{agent=listener}"] == 3
    assert seen["voltscope_exported_age_seconds{agent=listener}"] == 0.5
    assert seen["volttron_platform_up"] == 1, "and nobody else's"


def test_what_the_bridge_refused_and_what_we_refuse_are_counted_once_an_answer(modular: Any) -> None:
    assert _dropped(modular.scrape()) == {"form": 2, "reserved": 1}
    assert _dropped(modular.scrape()) == {"form": 2, "reserved": 1}, "the same answer, in another scrape"
    again = msgspec.structs.replace(modular.facts.exported["listener"], answered_at=modular.now)
    modular.facts = msgspec.structs.replace(modular.facts, exported={"listener": again})
    assert _dropped(modular.scrape()) == {"form": 2, "reserved": 2}


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        (_family("volttron_mine"), "reserved"),
        (_family("voltscope_mine_total", kind="counter"), "reserved"),
        (_family("up"), "reserved"),
        (_family("scrape_duration_seconds"), "reserved"),
        (_family("ALERTS"), "reserved"),
        (_family("__name__"), "reserved"),
        (_family("a b"), "name"),
        (_family("a\n# TYPE b gauge\nb 1"), "name"),
        (_family("ünï"), "name"),
        (_family("polls", kind="counter"), "name"),
        (_family("polls_total"), "name"),
        (_family("polls_bucket"), "name"),
        (_family("polls", kind="histogram"), "type"),
        (_family("polls", kind="Gauge\n"), "type"),
        (_family("polls_total", ({}, -1.0), kind="counter"), "value"),
        (_family("m", ({"agent": "platform"}, 1.0)), "reserved"),
        (_family("m", ({"instance": "x"}, 1.0)), "reserved"),
        (_family("m", ({"__name__": "x"}, 1.0)), "reserved"),
        (_family("m", ({'a="b",c': "x"}, 1.0)), "name"),
        (_family("m", ({}, 1.0), ({}, 1.0)), "duplicate"),
    ],
)
def test_what_may_not_be_is_refused_and_the_rest_is_kept(modular: Any, family: ExportedFamily, reason: str) -> None:
    _export(modular, listener=[family, _family("fine_watts")])
    seen = modular.scrape()
    assert _dropped(seen) == {reason: 1}
    assert seen["fine_watts{agent=listener}"] == 1
    assert seen["volttron_platform_up"] == 1
    assert seen["voltscope_collector_success{collector=exported}"] == 1


def test_two_agents_share_a_family_of_one_type_and_the_later_ones_other_type_is_refused(modular: Any) -> None:
    _export(
        modular,
        listener=[_family("shared_watts"), _family("torn")],
        historian=[_family("shared_watts"), _family("torn_total", kind="counter")],
    )
    seen = modular.scrape()
    assert seen["shared_watts{agent=listener}"] == seen["shared_watts{agent=platform.historian}"] == 1
    assert "torn{agent=listener}" in seen and "torn_total{agent=platform.historian}" not in seen
    assert _dropped(seen, "platform.historian") == {"type-conflict": 1}


def test_our_own_agents_may_use_our_prefix_and_speak_of_other_agents(modular: Any) -> None:
    records = _family("volttron_log_records_total", ({"agent": "listener", "level": "info"}, 5.0), kind="counter")
    _export(modular, listener=[records])
    assert _dropped(modular.scrape()) == {"reserved": 1}
    _rename(modular, "listener", identity="voltscope.logship")
    modular.facts = msgspec.structs.replace(
        modular.facts, exported={"voltscope.logship": modular.facts.exported["listener"]}
    )
    assert _dropped(modular.scrape(), "voltscope.logship") == {"reserved": 1}, "the identity alone is not enough"
    _rename(modular, "voltscope.logship", name="voltscope_logship-0.1.0")
    seen = modular.scrape()
    assert seen["volttron_log_records_total{agent=listener,level=info}"] == 5


def test_not_even_our_own_agents_may_forge_what_a_collector_declares(modular: Any) -> None:
    _rename(modular, "listener", identity="voltscope.x", name="voltscope-x")
    modular.facts.exported["voltscope.x"] = Exported(
        pid=3950, answered_at=modular.now, families=[_family("volttron_platform_up"), _family("voltscope_scrapes")]
    )
    seen = modular.scrape()
    assert seen["volttron_platform_up"] == 1
    assert _dropped(seen, "voltscope.x") == {"reserved": 2}


@pytest.mark.parametrize(("change", "up"), [({"pid": 1}, 0), ({"answered_at": 1795241870.0}, 1), ({"error": "x"}, 0)])
def test_old_answers_and_those_of_a_dead_process(modular: Any, change: dict[str, Any], up: int) -> None:
    changed = msgspec.structs.replace(modular.facts.exported["listener"], **change)
    modular.facts = msgspec.structs.replace(modular.facts, exported={"listener": changed})
    seen = modular.scrape()
    assert seen["voltscope_exported_up{agent=listener}"] == up
    # an agent that fails once keeps its last values while they are fresh
    assert ("meter_polls_total{agent=listener}" in seen) == ("error" in change)


def test_series_of_an_agent_that_is_gone_are_gone(modular: Any) -> None:
    modular.scrape()
    modular.facts = msgspec.structs.replace(modular.facts, exported={})
    assert not [series for series in modular.scrape() if "exported_" in series or "meter_" in series]


def test_the_most_that_an_agent_may_send_is_rendered_in_little_time(modular: Any) -> None:
    answer = bound(
        [
            {
                "name": f"m{n}_watts",
                "type": "gauge",
                "samples": [{"labels": {"x": str(i)}, "value": i} for i in range(50)],
            }
            for n in range(40)
        ]
    )
    _export(modular, listener=answer.families)
    seen = modular.scrape()
    assert seen["voltscope_exported_series{agent=listener}"] == 1000
