"""What an author of an agent has: what it takes, what it refuses, and that the exporter takes all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from voltscope.exporting import MAX_SERIES, Metrics
from voltscope.logs.metrics import families
from voltscope.metrics.exported_names import Names
from voltscope.platform.bounds import bound


def test_what_it_makes_is_taken_whole() -> None:
    metrics = Metrics()
    power = metrics.gauge("meter_power_watts", "Power.", "meter")
    polls = metrics.counter("meter_polls_total", "Polls.")
    power.set(3, meter="a")
    power.set(4.5, meter="b")
    polls.inc()
    polls.inc(2)
    power.set(5, meter="a")
    result = bound(metrics.families())
    assert not result.dropped
    assert [(family.name, family.samples) for family in result.families] == [
        ("meter_power_watts", [({"meter": "a"}, 5.0), ({"meter": "b"}, 4.5)]),
        ("meter_polls_total", [({}, 3.0)]),
    ]
    power.remove(meter="a")
    assert bound(metrics.families()).series == 2


def test_a_metric_without_labels_is_there_from_the_beginning() -> None:
    metrics = Metrics()
    metrics.counter("meter_errors_total", "Errors.")
    assert metrics.families()[0]["samples"] == [{"labels": {}, "value": 0.0}]


@pytest.mark.parametrize(
    ("kind", "name", "labels"),
    [
        ("gauge", "volttron_x", ()),
        ("gauge", "voltscope_x", ()),
        ("gauge", "a b", ()),
        ("gauge", "", ()),
        ("gauge", "polls_total", ()),
        ("counter", "polls", ()),
        ("gauge", "x", ("agent",)),
        ("gauge", "x", ("a b",)),
        ("gauge", "taken", ()),
    ],
)
def test_names_that_would_be_refused_are_refused_at_once(kind: str, name: str, labels: tuple[str, ...]) -> None:
    metrics = Metrics()
    metrics.gauge("taken", "Taken.")
    with pytest.raises(ValueError, match=r"name|label|there already|_total"):
        getattr(metrics, kind)(name, "Help.", *labels)


def test_wrong_use_is_an_error_where_it_happens() -> None:
    metrics = Metrics()
    gauge, counter = metrics.gauge("g", "G.", "x"), metrics.counter("c_total", "C.")
    wrong: list[Any] = [
        lambda: gauge.set(1),
        lambda: gauge.set(1, y="a"),
        lambda: gauge.set(float("nan"), x="a"),
        lambda: counter.inc(-1),
        lambda: counter.inc(float("inf")),
    ]
    for use in wrong:
        with pytest.raises(ValueError):
            use()


def test_series_are_limited_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    gauge = metrics.gauge("g", "G.", "x")
    for n in range(MAX_SERIES + 50):
        gauge.set(n, x=n)
    assert len(metrics.families()[0]["samples"]) == MAX_SERIES
    assert len(caplog.records) == 1
    gauge.remove(x=0)
    gauge.set(1, x="new")
    assert bound(metrics.families()).dropped == {}


def test_what_ours_export_is_documented_taken_and_named_like_nothing_declared() -> None:
    status = {
        "spool": {"bytes": 1, "limit_bytes": 2, "failures": 0, "lost": 0, "first": 1, "last": 1},
        "receivers": [
            {"name": "r", "up": True, "circuit": "closed", "sent": 1, "missed": 0, "failures": 0, "behind": 0}
            | {"oldest_waiting_s": 0.0, "dead_letters": 0, "delivery_s": 1.5, "within": [0] * 7, "members": []}
        ],
        "verified": [{"name": "r", "missing": 0, "at": 1.0}],
        "logs": [{"lag_bytes": 0}],
        "bytes": 1,
        "cut": 0,
        "missed_generations": 0,
    }
    exported = families({("a", "info"): 1}, {("a", "repeat"): 1}, {"rule": 1}, {"campus/fake": 1}, status)
    result = bound(exported)
    assert not result.dropped and result.series == len(exported) + 3 + 2 + 6  # dropped, circuit, within
    names = Names()
    assert [names.refusal(family, ours=True) for family in result.families] == [None] * len(exported)
    document = (Path(__file__).parents[3] / "docs" / "exporting.md").read_text(encoding="utf-8")
    for family in result.families:
        labels = ", ".join(f"`{label}`" for label in family.samples[0][0]) or "–"
        assert f"| `{family.name}` | {family.type} | {labels} |" in document


def test_it_is_light() -> None:
    script = "import sys; before = set(sys.modules); import voltscope.exporting; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} <= {
        "voltscope",
        "voltscope.exporting",
        "voltscope.version",
    }
