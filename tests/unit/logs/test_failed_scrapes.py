"""Failed scrapes, counted from the lines that drivers of both generations write."""

from __future__ import annotations

from collections import Counter

import pytest

from voltscope.logs import scrapes
from voltscope.logs.record import Record


def _record(text: str, logger: str = "platform_driver.driver") -> Record:
    return Record(at=0, level=40, agent="platform.driver", logger=logger, text=text, offset=0, size=1)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("Failed to scrape campus/building/fake:\nTraceback (most recent call last):\n  …", "campus/building/fake"),
        ("Failed to scrape point: devices/campus/building/fake/Heartbeat", "campus/building/fake"),
        ("Failed to poll devices/campus/building/fake/Heartbeat: timed out", "campus/building/fake"),
        ("Exception while polling ('fake1',): no route to host", "('fake1',)"),
        ("Failed to load module: No module named 'volttron.driver.plugins'", None),
        ("Failed to set heart_beat point on remote: ('fake1',) -- Point not configured", None),
        ("Failed to scrape ", None),
        ("", None),
    ],
)
def test_the_device_is_the_one_the_exporter_knows(text: str, device: str | None) -> None:
    assert scrapes.failed_device(_record(text)) == device


def test_what_other_agents_write_does_not_count() -> None:
    assert scrapes.failed_device(_record("Failed to scrape campus/building/fake", "weather.agent")) is None


def test_the_number_of_devices_is_bounded() -> None:
    errors: Counter[str] = Counter()
    for number in range(scrapes.MAX_DEVICES + 10):
        scrapes.count(errors, _record(f"Failed to scrape d/{number}:\n"))
    scrapes.count(errors, _record("Failed to scrape d/0:\n"))
    assert len(errors) == scrapes.MAX_DEVICES and errors["d/0"] == 2
