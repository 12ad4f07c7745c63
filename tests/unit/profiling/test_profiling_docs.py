"""docs/profiling.md names every key, field and error there is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from voltscope import errors
from voltscope.profiling.capture import Capture
from voltscope.profiling.formats import FORMATS
from voltscope.profiling.settings import (
    ContinuousSettings,
    GrafanaSettings,
    IndexSettings,
    ProfilerConfig,
    PyroscopeSettings,
    TriggerSettings,
)

DOCUMENT = (Path(__file__).parents[3] / "docs/profiling.md").read_text()


@pytest.mark.parametrize(
    "struct",
    [Capture, ProfilerConfig, ContinuousSettings, GrafanaSettings, IndexSettings, PyroscopeSettings, TriggerSettings],
)
def test_every_key_is_documented(struct):
    missing = [one.name for one in msgspec.structs.fields(struct) if f"`{one.name}`" not in DOCUMENT]
    assert missing == []


def test_every_error_is_documented_with_its_status():
    for error in errors.ProfileError.__subclasses__():
        assert f"| `{error.code}` | {error.status} |" in DOCUMENT


def test_every_format_is_documented():
    assert all(f"`.{form}`" in DOCUMENT or f".{form}`" in DOCUMENT for form in FORMATS)
