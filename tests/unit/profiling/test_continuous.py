"""Continuous profiling, on real processes."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from profiling_rig import StartAgent, alone
from waiting import until

from voltscope.errors import ConfigError
from voltscope.profiling.backends.austin import Austin
from voltscope.profiling.backends.base import Recording, Sampling
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.continuous import Continuous
from voltscope.profiling.engine import ProfilerEngine
from voltscope.profiling.settings import ContinuousSettings
from voltscope.profiling.targets import Targets
from voltscope.profiling.windows import Windows

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")


class WatchedPySpy(PySpy):
    """`sampled`: for how many seconds each process was, by its number, in the recording under way."""

    def __init__(self) -> None:
        super().__init__()
        self.sampled: dict[int, float] = {}

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        def told(share: float) -> None:
            self.sampled[sampling.pid] = share * sampling.seconds

        return super().record(sampling, cancel=cancel, progress=told)


@pytest.fixture
def spy() -> WatchedPySpy:
    return WatchedPySpy()


@pytest.fixture
def continuous(home: Path, windows: Windows, spy: WatchedPySpy) -> Iterator[Continuous]:
    made = Continuous(Targets(alone, home), Backends([spy]), windows.keep, "campus", look_s=0.1)
    yield made
    made.stop()


def agents_in(windows: Windows) -> set[str]:
    return {series.agent for series in windows.series()}


def test_chosen_agents_are_sampled_window_after_window(
    agent: StartAgent, program: Any, continuous: Continuous, windows: Windows
) -> None:
    agent(program.BUSY, "platform.historian")
    agent(program.BUSY, "platform.driver")
    agent(program.IDLE, "listener")
    continuous.apply(ContinuousSettings(agents=("platform.*",), window_s=1, rate=50), "campus")
    until(
        lambda: len(windows.windows(0, 2**60)) >= 5 and agents_in(windows) >= {"platform.historian", "platform.driver"}
    )
    assert "listener" not in agents_in(windows)
    (stacks,) = windows.merged(0, 2**60).values()
    assert any("seventy" in frame for stack in stacks for frame in stack)
    first = windows.windows(0, 2**60)[0]
    assert (first.series.site, first.rate, first.samples > 10) == ("campus", 50.0, True)
    assert {one["agent"] for one in continuous.status()} == {"platform.historian", "platform.driver"}


def test_an_agent_that_comes_back_is_sampled_again(
    agent: StartAgent, program: Any, continuous: Continuous, windows: Windows, spy: WatchedPySpy
) -> None:
    continuous.apply(ContinuousSettings(agents=("a",), window_s=30, rate=50), None)
    first = agent(program.BUSY, "a")
    until(lambda: spy.sampled.get(first.pid, 0) >= 1)
    first.kill()
    first.wait()
    until(lambda: windows.windows(0, 2**60) and not continuous.status())  # what was seen until then is kept
    agent(program.BUSY, "a")
    until(continuous.status)


def test_what_changes_is_applied_at_once_and_stopping_keeps_the_window(
    agent: StartAgent, program: Any, home: Path, windows: Windows, spy: WatchedPySpy
) -> None:
    agent(program.BUSY, "a")
    other = agent(program.BUSY, "b")
    continuous = Continuous(Targets(alone, home), Backends([spy]), windows.keep, None, look_s=0.1)
    continuous.apply(ContinuousSettings(agents=("a",), window_s=300, rate=50), None)
    until(continuous.status)
    continuous.apply(ContinuousSettings(agents=("b",), window_s=300, rate=50), None)
    until(lambda: [one["agent"] for one in continuous.status()] == ["b"])
    until(lambda: spy.sampled.get(other.pid, 0) >= 1)
    began = time.monotonic()
    continuous.stop()
    assert time.monotonic() - began < 60  # not the 300 s of the window
    assert "b" in agents_in(windows)


def test_one_that_cannot_be_sampled_says_why_and_holds_up_no_other(
    agent: StartAgent, program: Any, home: Path, windows: Windows
) -> None:
    agent(program.IDLE, "fine")
    broken = subprocess.Popen(["sleep", "300"], env={"AGENT_VIP_IDENTITY": "broken", "VOLTTRON_HOME": str(home)})
    continuous = Continuous(Targets(alone, home), Backends([PySpy()]), windows.keep, None, look_s=0.1)
    try:
        continuous.apply(ContinuousSettings(agents=("*",), window_s=1, rate=50, kind="wall"), None)
        failing = until(lambda: [one for one in continuous.status() if one["failure"]])
        assert [one["agent"] for one in failing] == ["broken"]
        assert "python" in failing[0]["failure"]
        until(lambda: "fine" in agents_in(windows))
    finally:
        continuous.stop()
        broken.kill()
        broken.wait()


def test_where_no_profiler_can_the_way_to_one_is_told(
    agent: StartAgent, program: Any, home: Path, windows: Windows
) -> None:
    agent(program.IDLE, "a")
    continuous = Continuous(Targets(alone, home), Backends([Austin(Path("/nowhere"))]), windows.keep, None, look_s=0.1)
    try:
        continuous.apply(ContinuousSettings(agents=("a",), window_s=1), None)
        (failing,) = until(lambda: [one for one in continuous.status() if one["failure"]])
        assert "austin is not installed" in failing["failure"] and "pip install" in failing["failure"]
    finally:
        continuous.stop()


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"continuous": {"rate": 0}}, "continuous.rate"),
        ({"continuous": {"agents": "all"}}, "continuous.agents"),
        ({"continuous": {"agents": ["a"], "kind": "memory"}}, "continuous.kind"),
        ({"triggers": [{"when": "never"}]}, "triggers"),
        ({"grafana": {"urls": []}}, "grafana.urls"),
        ({"grafana": {"urls": ["http://g"], "token_file": "/nosuch"}}, "token_file"),
        ({"pyroscope": {"urls": ["ftp://g"]}}, "pyroscope"),
    ],
)
def test_bad_settings_name_their_key(engine: ProfilerEngine, config: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        engine.configure({"port": 0, **config})
    assert key in str(raised.value)


def test_what_is_sampled_all_the_time_goes_on_when_something_else_is_configured(
    engine: ProfilerEngine, agent: StartAgent, program: Any, tmp_path: Path
) -> None:
    agent(program.BUSY, "busy")
    config = {
        "port": 0, "site": "test", "credentials": str(tmp_path / "credentials.json"),
        "continuous": {"agents": ["busy"], "window_s": 600},
    }  # fmt: skip
    engine.configure(config)
    assert engine._companions is not None
    workers = engine._companions.continuous._workers
    worker = until(lambda: workers.get("busy"))
    for change in (
        {"max_seconds": 7},
        {"keep_days": 3},
        {"triggers": [{"when": "cpu"}]},
        {"names": ["profiler.example"]},
    ):
        engine.configure({**config, **change})
        assert workers.get("busy") is worker and not worker.leave.is_set()
    engine.configure({**config, "site": "other"})  # a label of what it samples
    assert worker.leave.is_set()
