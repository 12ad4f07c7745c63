"""Pyroscope's read API as a stock Grafana asks it: its recorded requests, and every answer checked for what it says."""

from __future__ import annotations

import base64
import gzip
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import BadRequest
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import DONE, Capture, iso_utc
from voltscope.profiling.engine import ProfilerEngine
from voltscope.profiling.profiles import Profiles
from voltscope.profiling.pyroscope.flame import MOST_NODES, flame_graph
from voltscope.profiling.pyroscope.messages import message
from voltscope.profiling.pyroscope.querier import Querier
from voltscope.profiling.pyroscope.selector import parse
from voltscope.profiling.windows import Series, Window, Windows
from voltscope.ulid import new_ulid

RECORDED = Path(__file__).parents[2] / "data/profiling/grafana-requests.jsonl"
CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
WALL = "wall:wall:nanoseconds:wall:nanoseconds"
MINUTE = 60_000
HISTORIAN = Series("campus", "p1", "platform.historian", Kind.CPU, "py-spy")
SECOND = 10**9


def recorded() -> list[tuple[str, dict[str, str], bytes]]:
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return [(line["method"], line["headers"], base64.b64decode(line["body_base64"])) for line in lines]


def asked(method: str) -> list[Any]:
    return [message(f"{name}Request").FromString(body) for name, _, body in recorded() if name == method]


BEGIN = asked("SelectMergeStacktraces")[0].start  # everything here happens where Grafana's requests look


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Archive, Windows]]:
    archive, windows = Archive(tmp_path / "data"), Windows(tmp_path / "data")
    yield archive, windows
    archive.close()
    windows.close()


@pytest.fixture
def querier(stores: tuple[Archive, Windows]) -> Querier:
    """Ten minutes of a historian and of a driver, and one wall capture taken by hand."""
    archive, windows = stores
    for minute in range(10):
        at = BEGIN + minute * MINUTE
        stacks = {("main (a.py:1)", "dumps (json/__init__.py:231)"): 19, ("main (a.py:9)", "write (db.py:5)"): 38}
        windows.keep(Window(HISTORIAN, at, MINUTE, 19.0, 57, 0), stacks)
        driver = HISTORIAN._replace(agent="platform.driver", site="office")
        windows.keep(Window(driver, at, MINUTE, 19.0, 19, 0), {("poll (d.py:3)",): 19})
    capture = Capture(
        id=new_ulid(BEGIN / 1000), site="campus", instance="p1", agent="platform.historian", pid=1, kind=Kind.WALL,
        backend="py-spy", backend_version="0.4.1", started=iso_utc(BEGIN / 1000 + 60), duration_s=1.0, rate_hz=100,
        requested_by="operator", samples=100, state=DONE,
    )  # fmt: skip
    archive.keep(capture, {("[hub idle]", "run (gevent/hub.py:647)"): 100})
    return Querier(Profiles(archive, windows))


def ask(querier: Querier, method: str, **fields: Any) -> Any:
    fields = {"start": BEGIN, "end": BEGIN + 10 * MINUTE, **fields}
    body = message(f"{method}Request")(**fields).SerializeToString()
    return message(f"{method}Response").FromString(querier.answer(method, body))


def merged(querier: Querier, selector: str, kind: str = CPU, **fields: Any) -> dict[str, tuple[int, int]]:
    """Function to its total and own value, summed over the graph."""
    graph = ask(querier, "SelectMergeStacktraces", profile_typeID=kind, label_selector=selector, **fields).flamegraph
    found: dict[str, tuple[int, int]] = {}
    for level in graph.levels:
        for _, total, own, name in zip(*[iter(level.values)] * 4, strict=True):
            before = found.get(graph.names[name], (0, 0))
            found[graph.names[name]] = (before[0] + total, before[1] + own)
    return found


def test_a_flame_graph_of_one_agent_says_seconds(querier: Querier) -> None:
    found = merged(querier, '{service_name="platform.historian"}')
    assert found == {
        "total": (30 * SECOND, 0),
        "main (a.py)": (30 * SECOND, 0),
        "dumps (json/__init__.py)": (10 * SECOND, 10 * SECOND),
        "write (db.py)": (20 * SECOND, 20 * SECOND),
    }


@pytest.mark.parametrize(
    ("selector", "seconds"),
    [
        ("{}", 40),
        ("", 40),
        ('{site="campus"}', 30),
        ('{site!="campus"}', 10),
        ('{site=~"camp.*|off.*"}', 40),
        ('{site=~"cam"}', 0),
        ('{service_name!~".*historian",}', 10),
        ('{ service_name =~ ".+" , reason="continuous" }', 40),
        ('{reason="on-demand"}', 0),
        ('{nosuch=""}', 40),
        ('{nosuch!=""}', 0),
        ("{site=`campus`}", 30),
    ],
)
def test_selectors_mean_what_prometheus_means(querier: Querier, selector: str, seconds: int) -> None:
    assert merged(querier, selector)["total"] == (seconds * SECOND, 0)


def test_a_capture_taken_by_hand_is_found_too(querier: Querier) -> None:
    assert merged(querier, "{}", WALL)["[hub idle]"] == (SECOND, 0)
    assert merged(querier, "{}", WALL, start=BEGIN + 2 * MINUTE)["total"] == (0, 0)


def test_types_labels_and_series_are_those_there_are(querier: Querier) -> None:
    assert [one.ID for one in ask(querier, "ProfileTypes").profile_types] == [CPU, WALL]
    assert list(ask(querier, "ProfileTypes", start=1, end=2).profile_types) == []
    typed = f'{{__profile_type__="{WALL}"}}'
    names = ask(querier, "LabelNames", matchers=[typed]).names
    assert list(names) == ["__profile_type__", "backend", "instance", "reason", "service_name", "site"]
    assert list(ask(querier, "LabelValues", name="site").names) == ["campus", "office"]
    assert list(ask(querier, "LabelValues", name="site", matchers=[typed]).names) == ["campus"]
    assert list(ask(querier, "LabelValues", name="nosuch").names) == []
    sets = ask(querier, "Series", label_names=["service_name", "site"]).labels_set
    assert [{pair.name: pair.value for pair in one.labels} for one in sets] == [
        {"service_name": "platform.driver", "site": "office"},
        {"service_name": "platform.historian", "site": "campus"},
    ]


def test_a_series_has_a_point_a_step_and_a_line_a_group(querier: Querier) -> None:
    series = ask(
        querier, "SelectSeries", profile_typeID=CPU, label_selector="{}", step=120.0, group_by=["service_name"]
    ).series
    assert [{pair.name: pair.value for pair in one.labels} for one in series] == [
        {"service_name": "platform.historian"},
        {"service_name": "platform.driver"},
    ]
    points = [(point.timestamp, point.value) for point in series[0].points]
    assert points == [(BEGIN + n * 2 * MINUTE, 6.0 * SECOND) for n in range(5)]
    (one,) = ask(querier, "SelectSeries", profile_typeID=CPU, step=120.0, aggregation=1, limit=1).series
    assert [point.value for point in one.points] == [2.0 * SECOND] * 5


@pytest.mark.parametrize("step", [15.0, 25.0, 60.0, 7200.0])
def test_what_a_minute_took_is_spread_over_the_steps_it_lies_in(querier: Querier, step: float) -> None:
    """As much a second whatever the step: else a graph of 15 s steps shows four times as much as it was."""
    asked = {"profile_typeID": CPU, "label_selector": '{service_name="platform.historian"}', "step": step}
    (series,) = ask(querier, "SelectSeries", **asked).series
    points = {point.timestamp - BEGIN: point.value for point in series.points}
    steps = range(0, 10 * MINUTE, round(step * 1000))
    assert list(points) == list(steps)
    for at, value in points.items():
        assert value == pytest.approx(0.05 * SECOND * (min(at + step * 1000, 10 * MINUTE) - at) / 1000, abs=1)
    (series,) = ask(querier, "SelectSeries", **asked, end=BEGIN + 90_000).series
    assert max(point.timestamp for point in series.points) <= BEGIN + 90_000, "nothing after the time asked for"


def test_a_short_capture_lies_where_it_was_taken(querier: Querier) -> None:
    (series,) = ask(querier, "SelectSeries", profile_typeID=WALL, step=15.0).series
    assert [(point.timestamp, point.value) for point in series.points] == [(BEGIN + MINUTE, float(SECOND))]


@pytest.mark.parametrize(
    ("method", "fields", "word"),
    [
        ("SelectSeries", {"profile_typeID": "memory:x:y:z:w"}, "no profile type"),
        ("SelectSeries", {"profile_typeID": CPU, "step": 0.001}, "points"),
        ("SelectSeries", {"profile_typeID": CPU, "end": 5}, "ends before"),
        ("SelectMergeStacktraces", {"profile_typeID": CPU, "label_selector": "service_name"}, "braces"),
        ("SelectMergeStacktraces", {"profile_typeID": CPU, "label_selector": '{a="b" c="d"}'}, "character 1"),
        ("SelectMergeStacktraces", {"profile_typeID": CPU, "label_selector": '{a="b",c}'}, "character 7"),
        ("SelectMergeStacktraces", {"profile_typeID": CPU, "label_selector": '{a=~"("}'}, "cannot be read"),
        ("LabelNames", {"matchers": ['{a=~"(x+)+y"}']}, "too long"),
        ("LabelNames", {"matchers": ['{a=~"' + "x?" * 30 + '"}']}, "too long"),
        ("LabelNames", {"matchers": ['{a=~"' + "(x|xx)" * 30 + '"}']}, "too long"),
        ("LabelNames", {"matchers": ["{" + ",".join('a="b"' for _ in range(40)) + "}"]}, "32"),
        ("LabelNames", {"matchers": ["{" + "x" * 5000]}, "4096"),
    ],
)
def test_what_cannot_be_read_is_refused(querier: Querier, method: str, fields: dict[str, Any], word: str) -> None:
    with pytest.raises(BadRequest, match=word):
        ask(querier, method, **fields)


def test_the_expressions_that_are_allowed_are_quick() -> None:
    names = {"a": "x" * 128 + "!"}
    began = time.process_time()
    for pattern in ("(x*)(x*)(x*)y".replace("(x*)", "x*"), "(x|xx|xxx)(x|xx)(x|xxxx).*", ".*.*.*y", "x{1,99}x{1,99}y"):
        parse('{a=~"' + pattern + '"}')(names)
    assert time.process_time() - began < 30


def test_small_bars_are_drawn_together() -> None:
    stacks = {("main", f"f{n}"): n for n in range(1, 101)}
    graph = flame_graph(stacks, 12)
    assert sum(len(level) // 4 for level in graph.levels) <= 14
    last = dict(zip([graph.names[index] for index in graph.levels[-1][3::4]], graph.levels[-1][1::4], strict=True))
    assert last["f100"] == 100
    assert sum(last.values()) == graph.total == 5050
    deep = flame_graph({tuple(f"f{n}" for n in range(5000)): 1})
    assert len(deep.levels) == 5001
    assert len(flame_graph({("a", f"f{n}"): n + 1 for n in range(20_000)}).levels[-1]) // 4 <= MOST_NODES


def test_bars_stand_below_their_callers() -> None:
    graph = flame_graph({("a", "b"): 2, ("a", "c"): 3, ("d", "e"): 5, ("d",): 1})
    for upper, lower in zip(graph.levels, graph.levels[1:], strict=False):
        spans = list(_spans(upper))
        assert all(any(left <= start and end <= right for left, right in spans) for start, end in _spans(lower))
    assert (graph.total, graph.max_self) == (11, 5)


def _spans(level: list[int]) -> Iterator[tuple[int, int]]:
    end = 0
    for offset, total, _, _ in zip(*[iter(level)] * 4, strict=True):
        start = end + offset
        end = start + total
        yield start, end


@pytest.fixture
def engine(tmp_path: Path, querier: Querier) -> Iterator[ProfilerEngine]:
    """On what the querier's stores hold."""
    home = tmp_path / "home"
    home.mkdir()
    context = EngineContext("profiler", tmp_path / "data", home, lambda timeout: FactsAnswer(None, None, "alone"))
    engine = ProfilerEngine(context)
    engine.configure({"port": 0, "site": "test"})
    engine.start()
    yield engine
    engine.stop()


def post(engine: ProfilerEngine, method: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    request = urllib.request.Request(f"{engine.url}/querier.v1.QuerierService/{method}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = answer.read()
            if answer.headers["Content-Encoding"] == "gzip":
                content = gzip.decompress(content)
            return answer.status, answer.headers["Content-Type"], content
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_every_request_grafana_sent_is_answered(engine: ProfilerEngine) -> None:
    answered = 0
    for method, headers, body in recorded():
        status, kind, content = post(engine, method, body, headers)
        assert (status, kind) == (200, "application/proto")
        answer = message(f"{method}Response").FromString(content)
        request = message(f"{method}Request").FromString(body)
        if request.start <= BEGIN <= request.end:
            assert content, method
            answered += 1
        if method == "SelectMergeStacktraces" and request.start <= BEGIN <= request.end:
            minutes = min(10, (request.end - BEGIN) // MINUTE + 1)
            assert answer.flamegraph.total == minutes * 3 * SECOND
    assert answered >= 5


def test_asking_needs_what_reading_needs(engine: ProfilerEngine) -> None:
    headers = {"Content-Type": "application/proto"}
    assert post(engine, "ProfileTypes", b"", headers)[0] == 200
    assert post(engine, "ProfileTypes", b"", {**headers, "Host": "evil.example"})[0] == 421
    assert post(engine, "ProfileTypes", b"", {"Content-Type": "application/json"})[0] == 415
    assert post(engine, "ProfileTypes", b"", {**headers, "Content-Encoding": "gzip"})[0] == 501
    assert post(engine, "Ingest", b"", headers)[0] == 501
    status, _, content = post(engine, "LabelNames", b"\xff\xff", headers)
    assert (status, json.loads(content)["code"]) == (400, "invalid_argument")
