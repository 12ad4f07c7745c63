"""The faults that `demo-fault` seeds on the running platform, and how each is undone."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import prove, volttron_platform
from .account import Runner
from .begin_platform import agents_of
from .failure import StepFailed
from .state import Home
from .volttron_platform import DEVICE, HISTORIAN, PlatformAgent

_THIEF = "demo.thief"
_KILLED = "listener"
_DOWN = 'state="crashed"'


@dataclass(frozen=True)
class Demo:
    """One fault. `alert` with `labels` fires for it, or one of `instead` where it fires already.

    `about`: what is done; `why`: what there is to see in it.
    """

    name: str
    alert: str
    labels: dict[str, str]
    about: str
    why: str
    seed: Callable[[Home, Runner], None]
    undo: Callable[[Home, Runner], None]
    instead: tuple[str, ...] = ()


def _kill_agent(home: Home, runner: Runner) -> None:
    """The platform looks every ten seconds and may have started it again before anybody saw it down: killed right after
    such a look, it is down until the next.
    """
    _kill(home)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not _seen_down(home):
        if _find(home, _KILLED) is not None:
            _kill(home)
        time.sleep(0.25)


def _seen_down(home: Home) -> bool:
    try:
        return prove.seen(home, f'volttron_agent_state{{agent="{_KILLED}", {_DOWN}}}')
    except OSError:
        return False  # a busy machine: it is asked again


def _kill(home: Home) -> None:
    pid = _find(home, _KILLED)
    if pid is None:
        raise StepFailed(f"{_KILLED} does not run.", f"Start it: {home.bin / 'vctl'} start --tag {_KILLED}")
    os.kill(pid, signal.SIGKILL)
    while _find(home, _KILLED) == pid:  # it ends, and has no environment from then on
        time.sleep(0.05)


def _start_agent(home: Home, runner: Runner) -> None:
    volttron_platform.vctl(home, runner, ["start", "--tag", _KILLED], f"starting {_KILLED}")


def _starve_historian(home: Home, runner: Runner) -> None:
    volttron_platform.store(home, runner, HISTORIAN, "config", json.dumps(_historian(home) | {"all_platforms": True}))
    volttron_platform.restart_agent(home, runner, "historian")
    _remove_thief(home, runner)  # of a run that was interrupted
    source = str(home.source / "deploy" / "quickstart_lib" / "thief")
    volttron_platform.install_agent(home, runner, PlatformAgent(_THIEF, "thief", source))


def _feed_historian(home: Home, runner: Runner) -> None:
    _remove_thief(home, runner)
    volttron_platform.store(home, runner, HISTORIAN, "config", json.dumps(_historian(home)))
    volttron_platform.restart_agent(home, runner, "historian")


def _remove_thief(home: Home, runner: Runner) -> None:
    if (home.volttron / "agents" / _THIEF / "UUID").exists():
        arguments: list[str | Path] = ["remove", "--name", "voltscope-demo-thief-*", "--force"]
        volttron_platform.vctl(home, runner, arguments, f"removing {_THIEF}")


def _silence_device(home: Home, runner: Runner) -> None:
    _call(home, runner, "platform.driver", "stop", {"topic": DEVICE})


def _poll_device(home: Home, runner: Runner) -> None:
    _call(home, runner, "platform.driver", "start", {"topic": DEVICE})


DEMOS = (
    Demo(
        "agent-killed",
        "VolttronAgentCrashed",
        {"agent": _KILLED},
        f"the agent {_KILLED} is killed with SIGKILL, as the kernel does when memory runs out",
        "The alert waits 20 s, for others that may have died of the same. The platform starts the agent again by "
        "itself, after ten seconds or some minutes; `vctl status` shows -9 until then.",
        _kill_agent,
        _start_agent,
        # it was killed several times within half an hour
        ("VolttronAgentCrashLooping",),
    ),
    Demo(
        "historian-starved",
        "VolttronHistorianShadowed",
        {"agent": HISTORIAN},
        f"another agent subscribes to `devices`, which {HISTORIAN} listens to: the router delivers to that one alone",
        f"VOLTTRON itself shows nothing wrong: {HISTORIAN} runs, its health is GOOD, and every value that is published "
        "now is lost.",
        _starve_historian,
        _feed_historian,
    ),
    Demo(
        "device-silent",
        "VolttronDeviceSilent",
        {"device": DEVICE.removeprefix("devices/")},
        "the platform driver is told to poll the fake device no more, and says nothing of it",
        "Three intervals of the device pass, 30 s at least, and 30 s more.",
        _silence_device,
        _poll_device,
    ),
)
BY_NAME = {demo.name: demo for demo in DEMOS}


def _historian(home: Home) -> dict[str, object]:
    """What the historian is configured with."""
    agent = next(one for one in volttron_platform.agents(home) if one.identity == HISTORIAN)
    found: dict[str, object] = json.loads({name: content for name, content, _ in agent.configs}["config"])
    return found


def _call(home: Home, runner: Runner, identity: str, method: str, arguments: dict[str, str]) -> None:
    script = home.source / "deploy" / "quickstart_lib" / "vip_call.py"
    runner(
        [home.venv / "bin/python3", script, identity, method, json.dumps(arguments)],
        f"{identity} did not {method}.",
        f"See {home.platform_log}.",
        cwd=home.volttron,
        timeout=60,
    )


def _find(home: Home, identity: str) -> int | None:
    """The process of an agent; None when there is none."""
    return next((pid for pid, found in agents_of(str(home.volttron)).items() if found == identity), None)
