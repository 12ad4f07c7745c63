"""Devices: from the bus and from the config store."""

import json
from pathlib import Path

import msgspec
import pytest

from voltscope.platform.devices import MAX_DEVICES, REREAD_A_ROUND, DeviceConfigReader, DeviceWatch

DATA = Path(__file__).parents[2] / "data" / "platform"


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def watch(now):
    return DeviceWatch(clock=lambda: now[0])


@pytest.mark.parametrize("leaf", ["all", "multi"])
def test_a_scrape_counts_as_one_update_of_its_points(watch, now, leaf):
    now[0] = 105.0
    watch.seen(f"devices/campus/building/fake/{leaf}", [{"a": 1, "b": 2}, {"a": {}, "b": {}}])
    device = watch.devices()["campus/building/fake"]
    assert (device.last_update, device.updates, device.points) == (105.0, 1, 2)
    assert device.watched_since == 100.0


@pytest.mark.parametrize(
    "topic", ["devices/campus/fake/temperature", "devices/all", "devices/", "devices/actuators/schedule/result"]
)
def test_other_topics_are_no_updates(watch, topic):
    watch.seen(topic, [{"a": 1}])
    assert watch.devices() == {}


@pytest.mark.parametrize("message", [None, [], "x", [5], {"a": 1}])
def test_odd_messages_do_no_harm(watch, message):
    watch.seen("devices/d/all", message)
    assert watch.devices()["d"].updates == 1


@pytest.mark.parametrize("generation", ["modular", "monolithic"])
def test_a_real_configuration_gives_interval_and_type(watch, generation):
    content = json.loads((DATA / f"{generation}.json").read_text())["get_config"]
    watch.configured({"campus/building/fake": content})
    device = watch.devices()["campus/building/fake"]
    assert device.interval == 5 and device.driver_type.startswith("fake")
    assert device.last_update is None


@pytest.mark.parametrize("content", ["not json", "[]", "{}", None, '{"interval": "soon", "driver_type": 3}'])
def test_a_configuration_without_sense_is_a_device_without_interval(watch, content):
    watch.configured({"d": content})
    assert watch.devices()["d"].interval is None and watch.devices()["d"].driver_type is None


def test_a_device_taken_out_of_the_configuration_is_gone(watch):
    watch.seen("devices/old/all", [{}])
    watch.seen("devices/kept/all", [{}])
    watch.configured({"kept": "{}"})
    assert set(watch.devices()) == {"kept"}


def test_the_number_of_devices_is_bounded(watch):
    for number in range(MAX_DEVICES + 10):
        watch.seen(f"devices/d{number}/all", [{}])
    assert len(watch.devices()) == MAX_DEVICES


def test_configurations_are_read_again_in_turn():
    store = {f"devices/d{n:03}": f'{{"interval": {n}}}' for n in range(50)} | {"fake.csv": "x"}
    reads = []

    def call(method, *args):
        if method == "list_stores":
            return ["platform.driver"]
        if method == "list_configs":
            return list(store)
        reads.append(args[1])
        return store[args[1]]

    reader = DeviceConfigReader(call, "platform.driver")
    assert len(reader.read()) == 50 and len(reads) == 50
    store["devices/d000"] = '{"interval": 77}'
    del store["devices/d001"]
    for _ in range(3):
        reads.clear()
        contents = reader.read()
        assert len(reads) == REREAD_A_ROUND
    assert contents["d000"] == '{"interval": 77}' and "d001" not in contents


def test_a_platform_without_a_driver_has_no_devices():
    calls = []
    reader = DeviceConfigReader(lambda *args: calls.append(args) or [], "platform.driver")
    assert reader.read() == {} and calls == [("list_stores",)]


@pytest.mark.parametrize(
    ("gaps", "late", "missed"),
    [
        ((60, 60, 61), 0, 0),
        ((60, 85, 60), 0, 0),
        ((60, 95, 60), 1, 1),
        ((180, 60), 1, 2),
        ((60, 0, 0.1), 0, 0),
    ],
)
def test_late_and_missed_updates_are_counted_once_the_next_is_there(watch, now, gaps, late, missed):
    watch.configured({"campus/fake": {"interval": 60}})
    watch.seen("devices/campus/fake/all", [{"a": 1}, {}])
    for gap in gaps:
        now[0] += gap
        watch.seen("devices/campus/fake/all", [{"a": 1}, {}])
    device = watch.devices()["campus/fake"]
    assert (device.late, device.missed) == (late, missed)


@pytest.mark.parametrize("interval", [None, 0, -5])
def test_without_an_interval_nothing_is_late(watch, now, interval):
    watch.configured({"campus/fake": {"interval": interval}})
    for _ in range(3):
        now[0] += 1000
        watch.seen("devices/campus/fake/all", [{"a": 1}, {}])
    assert watch.devices()["campus/fake"].missed == 0


def test_names_without_measure_or_sense_do_not_keep_the_facts(watch):
    watch.configured(
        {
            "x" * 10_000_000: {"interval": 5},
            "campus/fake": {"interval": 5, "driver_type": "\ud800" * 10_000_000},
        }
    )
    watch.seen(f"devices/{'y' * 10_000_000}/all", [{}, {}])
    assert len(msgspec.json.encode(watch.devices())) < 10_000
