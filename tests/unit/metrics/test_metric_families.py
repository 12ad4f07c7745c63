"""Families, their labels, and the reference made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families

from voltscope.metrics import reference
from voltscope.metrics.engine import ExporterConfig
from voltscope.metrics.exposition import declared
from voltscope.metrics.families import LABEL_LIMIT, Samples, gauge, label_value

THING = gauge("volttron_thing", "A thing.", "agent", state=("on", "off"))
HOSTILE = [
    'a"} 1\nvolttron_platform_up 0',
    "\x00\x1b[2J",
    "x" * 5000,
    "\ud800",
    "back\\slash",
    "",
    "ünïcode",
    "a\u2028b",
    "\ud800historian",
]


def test_undeclared_labels_values_and_families_are_refused() -> None:
    samples = Samples((THING,))
    with pytest.raises(ValueError, match="labels"):
        samples.set(THING, 1, agent="a")
    with pytest.raises(ValueError, match="one of"):
        samples.set(THING, 1, agent="a", state="broken")
    with pytest.raises(ValueError, match="not declared"):
        samples.set(gauge("other", "Other."), 1)


def test_an_enumeration_is_one_and_else_zero() -> None:
    samples = Samples((THING,))
    samples.choose(THING, "off", agent="a")
    (metric,) = samples.metrics()
    assert [(s.labels["state"], s.value) for s in metric.samples] == [("on", 0), ("off", 1)]


def test_label_values_are_short_printable_and_stay_apart() -> None:
    cleaned = [label_value(value) for value in HOSTILE]
    assert all(len(value) <= LABEL_LIMIT and (value.isprintable()) for value in cleaned)
    assert label_value("x" * 500) != label_value("x" * 501)
    assert label_value("a\n") != label_value("a\r")
    assert label_value("platform.historian") == "platform.historian"


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text;version=1.0.0"])
def test_hostile_identities_cannot_break_or_forge_the_exposition(modular: Any, accept: str) -> None:
    agents = modular.facts.agents
    for number, value in enumerate(HOSTILE):
        agents.append(msgspec.structs.replace(agents[0], identity=value, name=value, tag=value, uuid=f"../{number}"))
    agents.append(msgspec.structs.replace(agents[0], identity="../../historian", name="../historian", uuid=".."))
    modular.facts = msgspec.structs.replace(modular.facts, instance=HOSTILE[0], platform_version="\ud800")
    metrics = modular.exposition().collect(facts_timeout_s=1, collector_timeout_s=20, fresh_for_s=30)
    encode, _ = choose_encoder(accept)
    text = encode(type("R", (), {"collect": lambda self: metrics})()).decode()
    assert modular.scrape()["volttron_platform_up"] == 1
    assert "\nvolttron_platform_up 0" not in text
    if not accept:
        families = list(text_string_to_metric_families(text))
        states = next(family for family in families if family.name == "volttron_agent_state")
        assert len({sample.labels["agent"] for sample in states.samples}) == len(agents)


def test_every_exported_metric_is_declared(modular: Any) -> None:
    known = {}
    for family in (family for families in declared().values() for family in families):
        known[family.name] = set(family.labels)
        if family.kind == "histogram":
            known |= {f"{family.name}_{part}": set(family.labels) for part in ("count", "sum")}
            known[f"{family.name}_bucket"] = {*family.labels, "le"}
    modular.facts = msgspec.structs.replace(modular.facts, exported={})  # what agents name themselves
    for metric in modular.exposition().collect(facts_timeout_s=1, collector_timeout_s=20, fresh_for_s=30):
        for sample in metric.samples:
            assert set(sample.labels) == known[sample.name]


def test_names_follow_the_rules() -> None:
    families = [family for group in declared().values() for family in group]
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith(("volttron_", "voltscope_"))
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.name.endswith("_info") == (family.kind == "info")
        assert not {"uuid", "pid", "message"} & set(family.labels)


def test_the_reference_is_what_the_code_says() -> None:
    path = Path(__file__).parents[3] / "docs" / "metrics.md"
    assert path.read_text(encoding="utf-8") == reference.text(), "run: python -m voltscope.metrics.reference"


def test_the_reference_has_every_key_of_the_configuration() -> None:
    missing = [key for key in ExporterConfig.__struct_fields__ if f"`{key}`" not in reference.text()]
    assert missing == []
