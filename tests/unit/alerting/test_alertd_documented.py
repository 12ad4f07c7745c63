"""docs/alerting.md names every key, request and error of alertd."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from voltscope import errors
from voltscope.alerting import settings
from voltscope.alerting.http import Api

DOCUMENT = (Path(__file__).parents[3] / "docs/alerting.md").read_text()


@pytest.mark.parametrize(
    "struct",
    [
        settings.AlertdConfig,
        settings.AlertmanagerSettings,
        settings.AcknowledgeSettings,
        settings.FlapSettings,
        settings.DecommissionSettings,
        settings.EvidenceSettings,
        settings.WatchdogSettings,
        settings.DeadMansSwitch,
        settings.MailSettings,
        settings.MqttSettings,
    ],
    ids=lambda struct: struct.__name__,
)
def test_every_key_is_documented(struct: type[msgspec.Struct]) -> None:
    assert [one.name for one in msgspec.structs.fields(struct) if f"`{one.name}`" not in DOCUMENT] == []


def test_every_error_is_documented_with_its_status() -> None:
    for error in errors.AlertError.__subclasses__():
        assert f"| `{error.code}` | {error.status} |" in DOCUMENT


def test_every_request_is_documented() -> None:
    nothing = cast(Any, None)
    for route in Api(nothing, nothing, nothing, nothing, nothing, nothing, nothing).routes():
        shown = route.path.removesuffix("/{id}")
        assert shown == "/" or f"{shown}`" in DOCUMENT or f"{shown}/ID" in DOCUMENT or shown in DOCUMENT, route.path
