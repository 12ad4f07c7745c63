"""Versions: ours, the platform's, Python, py-spy and Prometheus, and whether ours agree with each other."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterator

from voltscope.cli.exposition import Snapshot
from voltscope.cli.peers import ask_json
from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import TIMEOUT_S, World
from voltscope.errors import VoltscopeError
from voltscope.version import __version__

OLDEST_PYTHON = (3, 10)


def versions(world: World) -> Iterator[Finding]:
    """What runs here, and what does not fit."""
    found = gathered(world)
    shown = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    yield Finding("versions", OK, f"{shown}.")
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("versions", FAIL, f"Python {found['python']} is too old.", "Use Python 3.10 or newer.")
    exporter = found.get("exporter")
    if exporter and exporter != __version__:
        yield Finding(
            "versions", WARN, f"the exporter is of version {exporter}, this command of {__version__}.",
            "Install one version everywhere, then restart our agents.",
        )  # fmt: skip
    if not found["volttron"]:
        yield Finding("versions", OK, "VOLTTRON is not in this environment; the agents run in its own.")


def gathered(world: World) -> dict[str, str | None]:
    """Every version there is to know, None where a part is not there."""
    metrics = world.scraped if isinstance(world.scraped, Snapshot) else Snapshot()
    info = metrics.labels("volttron_platform_info")
    return {
        "voltscope": __version__,
        "exporter": metrics.labels("voltscope_build_info").get("version"),
        "volttron": _volttron(world),
        "platform": f"{info.get('generation', '')} {info.get('version', '')}".strip() or None,
        "python": platform.python_version(),
        "py-spy": _distribution(world, "py-spy"),
        "prometheus": _prometheus(world),
        "kernel": platform.release(),
    }


def _volttron(world: World) -> str | None:
    """`modular 11.0.0rc3` or `monolithic 9.0.4`: only the modular generation has a distribution volttron-core."""
    version = _distribution(world, "volttron")
    core = _distribution(world, "volttron-core")
    if version is None and core is None:
        return None
    return f"{'modular' if core else 'monolithic'} {version or core}"


def _distribution(world: World, name: str) -> str | None:
    if world.site_packages is None:
        found = importlib.metadata.distributions(name=name)
    else:
        found = importlib.metadata.distributions(name=name, path=world.site_packages)
    return next((distribution.version for distribution in found), None)


def _prometheus(world: World) -> str | None:
    if not world.site.prometheus:
        return None
    try:
        url = f"{world.site.prometheus.rstrip('/')}/api/v1/status/buildinfo"
        version = ask_json("prometheus", url, timeout_s=TIMEOUT_S)["data"]["version"]
    except (VoltscopeError, KeyError, TypeError):
        return None  # that it does not answer is the finding of the check `ports`
    return str(version)
