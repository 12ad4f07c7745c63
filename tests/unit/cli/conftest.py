"""A site as the commands meet it: real engines on free ports, a real log store, and the real command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_site import BUSY, OPERATOR_SECRET, VIEWER_SECRET, Cli, SiteParts, context, make_facts
from servers.ports import free_port
from spool_writer import SpoolWriter

from voltscope.platform.agents import Facts


@pytest.fixture
def parts(tmp_path: Path) -> SiteParts:
    volttron_home = tmp_path / "vh"
    volttron_home.mkdir(mode=0o755)
    credentials = tmp_path / "credentials.json"
    users = [
        {"name": "operator", "role": "operator", "secret": OPERATOR_SECRET},
        {"name": "viewer", "role": "viewer", "secret": VIEWER_SECRET},
    ]
    credentials.write_text(json.dumps({"version": 1, "users": users}))
    credentials.chmod(0o600)
    nobody = f"http://127.0.0.1:{free_port()}"
    found = SiteParts(tmp_path, {})
    found.update(
        site="test", exporter=nobody, profiler=nobody, console=nobody, prometheus=nobody, credentials=str(credentials),
        volttron_home=str(volttron_home), log_store=str(tmp_path / "spool"),
        log=str(volttron_home / "volttron.log"),
    )  # fmt: skip
    return found


@pytest.fixture
def cli(parts: SiteParts, tmp_path: Path) -> Cli:
    return Cli(tmp_path, parts.file)


@pytest.fixture
def busy() -> Iterator[int]:
    """The pid of a Python process that does nothing but spin_the_wheel."""
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def facts(parts: SiteParts, busy: int) -> list[Facts]:
    """What the bridge says now: replace the one entry to let it say something else."""
    return [make_facts(parts, busy)]


@pytest.fixture
def exporter(parts: SiteParts, facts: list[Facts]) -> Iterator[str]:
    """The real exporter engine; its URL, which the site file names."""
    from voltscope.metrics.engine import ExporterEngine

    engine = ExporterEngine(context(parts, "exporter", lambda: facts[0]))
    engine.configure({"port": 0})
    engine.start()
    assert engine.url is not None
    parts.update(exporter=engine.url)
    yield engine.url
    engine.stop()


@pytest.fixture
def profiler(parts: SiteParts, facts: list[Facts]) -> Iterator[str]:
    """The real profiler engine; its URL, which the site file names."""
    from voltscope.profiling.engine import ProfilerEngine

    engine = ProfilerEngine(context(parts, "profiler", lambda: facts[0]))
    port = free_port()
    engine.configure({"port": port, "credentials": parts.content["credentials"]})
    engine.start()
    url = f"http://127.0.0.1:{port}"
    parts.update(profiler=url)
    yield url
    engine.stop()


@pytest.fixture
def store(parts: SiteParts) -> Iterator[SpoolWriter]:
    """The real log store, open for writing as the logship engine has it."""
    writer = SpoolWriter(parts.store)
    yield writer
    writer.close()
