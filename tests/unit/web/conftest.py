"""Exporters behind web configuration files, and the certificates these name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.metrics.engine import ExporterEngine


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that has signed `server`, `renewed` and the clients `prometheus` and `stranger`."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.sign("server", "DNS:localhost,IP:127.0.0.1")
    made.sign("renewed", "DNS:localhost,IP:127.0.0.1")
    made.sign("prometheus", "DNS:prometheus.example,IP:::1")
    made.sign("stranger", "DNS:stranger.example")
    return made


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[..., ExporterEngine]]:
    """Starts exporters without a platform behind `web.yml`, whose text is given; stops them in the end."""
    started: list[ExporterEngine] = []

    def start(text: str, **config: Any) -> ExporterEngine:
        data_dir = tmp_path / "engine"
        data_dir.mkdir(exist_ok=True)
        (data_dir / "web.yml").write_text(text)
        made = ExporterEngine(
            EngineContext("exporter", data_dir, tmp_path, lambda timeout: FactsAnswer(None, None, "no bridge"))
        )
        made.configure({"port": 0, "web_config_file": "web.yml"} | config)
        made.start()
        started.append(made)
        return made

    yield start
    for made in started:
        made.stop()
