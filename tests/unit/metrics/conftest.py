"""Frozen platforms of both generations, and engines over them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from frozen_platform import DATA, NOW, Frozen, frozen_facts, iso, make_cache, make_store

from voltscope.engine.service import EngineContext
from voltscope.metrics.engine import ExporterEngine


def _frozen(tmp_path: Path, generation: str) -> Frozen:
    shutil.copytree(DATA / "proc", tmp_path / "proc", symlinks=True)
    return Frozen(tmp_path / "home", tmp_path / "engine", tmp_path / "proc", frozen_facts(generation))


@pytest.fixture
def modular(tmp_path: Path) -> Frozen:
    frozen = _frozen(tmp_path, "modular")
    folder = frozen.home / "agents" / "platform.historian"
    make_store(folder / "data" / "historian.sqlite", [iso(NOW - 20), iso(NOW - 10.5), iso(NOW - 15)])
    make_cache(folder / "backup.sqlite", range(3, 8))
    return frozen


@pytest.fixture
def monolithic(tmp_path: Path) -> Frozen:
    frozen = _frozen(tmp_path, "monolithic")
    name = "sqlhistorianagent-4.0.0"
    folder = frozen.home / "agents" / "00000000-0000-4000-8000-000000000002" / name
    make_store(folder / "data" / "platform.historian.sqlite", [iso(NOW - 4)])
    make_cache(folder / f"{name}.agent-data" / "backup.sqlite", range(0))
    return frozen


@pytest.fixture
def engine(modular: Frozen) -> Iterator[Callable[..., ExporterEngine]]:
    """Starts engines on free ports over the frozen facts and this machine's real /proc; stops them in the end."""
    started: list[ExporterEngine] = []

    def start(**config: Any) -> ExporterEngine:
        made = ExporterEngine(EngineContext("exporter", modular.data_dir, modular.home, modular.answer))
        made.configure({"port": 0} | config)
        made.start()
        started.append(made)
        return made

    yield start
    for made in started:
        made.stop()
