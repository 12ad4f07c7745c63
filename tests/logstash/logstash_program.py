"""The programs in logstash/, which have no ending, as modules."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

LOGSTASH = Path(__file__).resolve().parents[2] / "logstash"


def program_module(name: str) -> ModuleType:
    """The program of that name, not run."""
    loader = importlib.machinery.SourceFileLoader(f"logstash_{name}", str(LOGSTASH / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
