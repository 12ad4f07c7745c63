"""Pictures of more than one capture: differences both ways, spans of time, and pprof as Go's own tool reads it."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.missing import without
from test_flamegraph import PLAIN, SVG, capture_of, frames

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import iso_utc
from voltscope.profiling.changes import change, changes
from voltscope.profiling.difference import fold
from voltscope.profiling.engine import ProfilerEngine
from voltscope.profiling.picture import captured, spanned
from voltscope.profiling.pprof import pprof
from voltscope.profiling.stacks import Stacks, share, wilson
from voltscope.profiling.windows import Series, Window, Windows
from voltscope.ulid import new_ulid

SLOWER = {
    ("main (app/a.py:1)", "seventy (app/a.py:5)"): 140,
    ("main (app/a.py:2)", "thirty (app/b.py:9)"): 60,
    ("main (app/a.py:3)", "commit (db.py:1)"): 200,
}
GONE = {("main (app/a.py:1)", "vanished (old.py:1)"): 100}
NOW = 1_763_700_000.0
HISTORIAN = Series("campus", "p1", "platform.historian", Kind.CPU, "py-spy")


def test_a_change_has_newcombes_interval() -> None:
    """The example of Newcombe 1998, table II (a), method 10: 56/70 and 48/80."""
    found = change("f", wilson(48, 80), wilson(56, 70))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert found.sure
    assert not change("f", share(9, 100), share(10, 100)).sure


def test_changes_are_of_shares_and_the_surest_come_first() -> None:
    found = {one.function: one for one in changes(PLAIN, SLOWER)}
    assert found["commit (db.py)"].points == 0.5
    assert round(found["seventy (app/a.py)"].points, 3) == -0.35
    assert found["main (app/a.py)"].points == 0
    ordered = changes(PLAIN, SLOWER)
    assert ordered[0].function == "commit (db.py)"
    assert not ordered[-1].sure


def test_chance_alone_is_seldom_called_a_change() -> None:
    """Two profiles of the same program, 400 times: about one in twenty intervals may leave out zero, not more."""
    chance, sure = random.Random(7), 0
    for _ in range(400):
        halves: list[Stacks] = []
        for _ in range(2):
            hot = sum(chance.random() < 0.3 for _ in range(300))
            halves.append({("hot",): hot, ("cold",): 300 - hot})
        sure += {one.function: one for one in changes(*halves)}["hot"].sure
    assert sure <= 36  # binomial(400, 0.05): more than 36 in one run of a thousand


def test_differences_are_folded_as_flamegraphs_own_tool_does() -> None:
    lines = fold(PLAIN, SLOWER).splitlines()
    assert "main (app/a.py:3);commit (db.py:1) 0 200" in lines
    assert "main (app/a.py:1);seventy (app/a.py:6) 40 0" in lines


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ProfilerEngine]:
    """A day of a historian's minutes, half of it slower, and two captures."""
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    archive, windows = Archive(data), Windows(data)
    for minute in range(20):
        stacks = PLAIN if minute < 10 else SLOWER
        at = round(NOW * 1000) + minute * 60_000
        windows.keep(Window(HISTORIAN, at, 60_000, 19.0, sum(stacks.values()), 0), stacks)
        windows.keep(Window(HISTORIAN._replace(agent="platform.driver"), at, 60_000, 19.0, 10, 0), {("poll",): 10})
    for number, stacks in enumerate((PLAIN, {**SLOWER, ("<script>alert(1)</script>",): 100}, GONE)):
        at = NOW + 60 * number
        archive.keep(capture_of(stacks, id=new_ulid(at), started=iso_utc(at)), stacks)
    archive.close()
    windows.close()
    context = EngineContext("profiler", data, home, lambda timeout: FactsAnswer(None, None, "alone"))
    engine = ProfilerEngine(context)
    engine.configure({"port": 0, "site": "test"})
    engine.start()
    yield engine
    engine.stop()


def get(engine: ProfilerEngine, path: str, **asked: object) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(f"{engine.url}{path}?{urllib.parse.urlencode(asked)}", timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def ids(engine: ProfilerEngine) -> list[str]:
    """Oldest first."""
    return [one["id"] for one in json.loads(get(engine, "/api/captures")[2])["captures"]][::-1]


def drawn(content: bytes) -> dict[str, tuple[int, str, str]]:
    """Function to its width, its fill, and what is said of it."""
    found = {}
    for one in frames(content.decode()):
        title, rect = one.find(f"{SVG}title"), one.find(f"{SVG}rect")
        assert title is not None and title.text is not None and rect is not None
        name, said = title.text.split("\n")[:2]
        found[name] = (int(one.get("data-w", "0")), rect.get("fill", ""), said)
    return found


def test_a_difference_is_drawn_both_ways(engine: ProfilerEngine) -> None:
    first, second, third = ids(engine)
    status, kind, content = get(engine, "/difference.svg", before=first, after=second)
    assert (status, kind) == (200, "image/svg+xml")
    found = drawn(content)
    assert found["commit (db.py)"][0] == 200
    assert found["commit (db.py)"][2].startswith("0.0% → 40.0% of the samples: +40.0 points (95 %: +3")
    assert found["<script>alert(1)</script>"][0] == 100
    assert b"<script>alert" not in content
    vanished = drawn(get(engine, "/difference.svg", before=third, after=first, by="before")[2])
    assert vanished["vanished (old.py)"][2].startswith("100.0% → 0.0%")
    assert "vanished (old.py)" not in drawn(get(engine, "/difference.svg", before=third, after=first)[2])
    unchanged = drawn(get(engine, "/difference.svg", before=first, after=first)[2])
    assert {fill for _, fill, _ in unchanged.values()} == {"#d6d3d1"}


def test_the_same_difference_as_numbers(engine: ProfilerEngine) -> None:
    first, second, _ = ids(engine)
    found = json.loads(get(engine, "/difference.json", before=first, after=second)[2])
    (commit,) = [one for one in found["changes"] if one["function"] == "commit (db.py)"]
    assert (commit["before"], commit["after"], commit["sure"]) == (0.0, 0.4, True)
    assert get(engine, "/difference.folded", before=first, after=second)[2].count(b"\n") == 5


def test_a_span_is_the_sum_of_what_is_in_it(engine: ProfilerEngine) -> None:
    asked = {"agent": "platform.historian", "since": NOW, "until": NOW + 599, "reason": "continuous"}
    found = json.loads(get(engine, "/merged.json", **asked)[2])
    assert found["total"] == 1000
    assert found["functions"][0]["function"] == "app.a.seventy"
    assert found["functions"][0]["self"] == 700
    both = json.loads(get(engine, "/merged.json", **{**asked, "agent": "platform.*"})[2])
    assert both["total"] == 1100
    content = get(engine, "/merged.svg", **asked)[2]
    assert ET.fromstring(content).get("aria-label", "").startswith("platform.historian: flamegraph from 2025-11-21")  # noqa: S314 - our own
    nothing = get(engine, "/merged.svg", **{**asked, "agent": "nobody"})
    assert nothing[0] == 200
    assert b"nothing ran while we looked" in nothing[2]


def test_samples_at_other_rates_weigh_by_their_time() -> None:
    picture = spanned("a", Kind.CPU, NOW, NOW + 60, {20.0: {("f",): 100}, 100.0: {("f",): 100, ("g",): 400}}, 2)
    assert (picture.rate, dict(picture.stacks), picture.seconds) == (20.0, {("f",): 120, ("g",): 80}, 10.0)


def test_spans_can_be_compared(engine: ProfilerEngine) -> None:
    before, after = f"{NOW},{NOW + 599}", f"{NOW + 600},{NOW + 1200}"
    asked = {"agent": "platform.historian", "reason": "continuous", "before": before, "after": after}
    found = json.loads(get(engine, "/difference.json", **asked)[2])
    assert found["changes"][0]["function"] == "commit (db.py)"
    assert found["after"]["total"] == 4000


@pytest.mark.parametrize(
    ("path", "asked", "word"),
    [
        ("/merged.svg", {"since": 1, "until": 2}, "agent is missing"),
        ("/merged.svg", {"agent": "a", "since": 2, "until": 1}, "ends before"),
        ("/merged.svg", {"agent": "a", "since": "nan", "until": 1}, "seconds since"),
        ("/merged.svg", {"agent": "a", "since": 1, "until": 2, "kind": "x"}, "cpu, wall"),
        ("/difference.svg", {"before": "x", "after": "y"}, "capture's id"),
        ("/difference.pb.gz", {"before": "1,2", "after": "3,4", "agent": "a"}, "no format"),
        ("/difference.svg", {"before": "1,2", "after": "3,4", "agent": "a", "by": "x"}, "before, after"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    engine: ProfilerEngine, path: str, asked: dict[str, object], word: str
) -> None:
    status, _, content = get(engine, path, **asked)
    assert status == 400
    assert word in json.loads(content)["error"]["message"] + (json.loads(content)["error"]["remedy"] or "")


@pytest.mark.timeout(600)  # go compiles its tool the first time
def test_gos_own_tool_reads_our_pprof(engine: ProfilerEngine, tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        without("go is missing")
    file = tmp_path / "profile.pb.gz"
    file.write_bytes(get(engine, f"/captures/{ids(engine)[0]}.pb.gz")[2])
    command = [str(go), "tool", "pprof", "-top", "-nodecount=10", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, cwd=tmp_path)
    assert "Type: cpu" in done.stdout, done.stderr
    rows = {line.split()[-1]: line.split() for line in done.stdout.splitlines() if line.count("%") == 3}
    assert rows["seventy"][1] == "70.00%"
    assert rows["thirty"][1] == "30.00%"
    assert rows["main"][4] == "100%"


def test_equal_pictures_have_equal_pprof() -> None:
    picture = captured(capture_of(PLAIN), PLAIN)
    assert pprof(picture) == pprof(picture)
    assert b"platform.historian" in gzip.decompress(pprof(picture))
    assert pprof(captured(capture_of({("\udcff (a.py:1)",): 1}), {("\udcff (a.py:1)",): 1}))
