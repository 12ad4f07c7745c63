"""The drawing: valid, self-contained, safe against hostile names, the same every time."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from servers.missing import without

from voltscope.profiling.backends.base import Ending, Kind, Recording
from voltscope.profiling.capture import Capture, finished
from voltscope.profiling.flamegraph import flamegraph
from voltscope.profiling.heading import of_capture
from voltscope.profiling.picture import captured
from voltscope.profiling.speedscope import speedscope
from voltscope.profiling.stacks import samples_in

SVG = "{http://www.w3.org/2000/svg}"
PLAIN = {
    ("main (app/a.py:1)", "seventy (app/a.py:5)"): 60,
    ("main (app/a.py:1)", "seventy (app/a.py:6)"): 10,
    ("main (app/a.py:2)", "thirty (app/b.py:9)"): 30,
}


def capture_of(stacks, **changes):
    asked = {
        "id": "01JD5W3XQ8Z5V6N7M8K9H0G1F2",
        "site": "s",
        "instance": "i",
        "agent": "platform.historian",
        "pid": 42,
        "kind": Kind.CPU,
        "backend": "py-spy",
        "backend_version": "0.4.3",
        "started": "2026-11-21T06:10:12.123Z",
        "duration_s": 5.0,
        "rate_hz": 100,
        "requested_by": "operator",
    }
    recording = Recording(stacks, samples_in(stacks), 0, 5.0, Ending.COMPLETE)
    return finished(Capture(**{**asked, **changes}), recording)


def frames(svg):
    return [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "f"]  # noqa: S314 - our own document


def test_widths_are_samples_and_lines_of_a_function_are_one_frame():
    found = {g.find(f"{SVG}title").text.split("\n")[0]: int(g.get("data-w")) for g in frames(draw(PLAIN))}
    assert found == {"all": 100, "main (app/a.py)": 100, "seventy (app/a.py)": 70, "thirty (app/b.py)": 30}


def draw(stacks, **changes):
    return flamegraph(of_capture(capture_of(stacks, **changes), stacks), stacks)


def test_details_give_share_interval_and_lines():
    titles = [g.find(f"{SVG}title").text for g in frames(draw(PLAIN))]
    assert "seventy (app/a.py)\n70 samples, 70.0% (95 %: 59.2% to 78.9%)\nlines 5 (86%), 6 (14%)" in titles


def test_the_head_names_agent_time_samples_missed_and_interval():
    text = "".join(ET.fromstring(draw(PLAIN)).itertext())  # noqa: S314 - our own document
    for part in ("platform.historian", "5.0 s at 100 Hz", "100 samples, 0 missed", "2026-11-21", "95 % interval"):
        assert part in text


@pytest.mark.parametrize(
    "name",
    [
        "</text><script>alert(1)</script> (a.py:1)",
        '"><image href=x onerror=alert(1)> (a.py:1)',
        "]]><script>alert(1)</script> (a.py:1)",
        "nul\x00 esc\x1b \ud800 \uffff (a.py:1)",
        "&lt;&#0;&amp; (a.py:1)",
    ],
)
def test_hostile_names_are_text(name):
    svg = draw({(name,): 5}, agent=name)
    svg.encode()  # no lone surrogates
    document = ET.fromstring(svg)  # noqa: S314 - our own document
    assert len(list(document.iter(f"{SVG}script"))) == 1
    assert not list(document.iter(f"{SVG}image"))
    assert len(frames(svg)) == 2


def test_nothing_outside_is_loaded():
    svg = draw(PLAIN)
    assert not re.search(r"(?:href|src)\s*=|url\(|@import", svg)
    assert set(re.findall(r"https?://[^\"' ]+", svg)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}


def test_equal_stacks_give_an_equal_drawing():
    assert draw(PLAIN) == draw(dict(reversed(PLAIN.items())))


def test_no_samples_is_a_drawing_that_says_so():
    svg = draw({})
    text = "".join(ET.fromstring(svg).itertext())  # noqa: S314 - our own document
    assert "0 samples" in text
    assert "Idle: nothing ran in 500 samples" in text


def test_a_deep_recursion_is_drawn():
    assert len(frames(draw({tuple(f"f{i} (a.py:{i})" for i in range(1200)): 1}))) == 1201


def test_too_many_frames_are_thinned_out_and_it_says_so():
    many = {("main (a.py:1)", f"f{i} (a.py:{i})"): 1 + i % 2 for i in range(9000)}
    svg = draw(many)
    assert len(frames(svg)) <= 6000
    assert "left out" in svg


def test_the_script_runs_in_a_real_browser(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        without("chromium is missing")
    file = tmp_path / "flame.svg"
    file.write_text(draw(PLAIN))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=600,400", "--dump-dom"]
    done = subprocess.run([chromium, *flags, file.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    assert 'width="100%"' in done.stdout  # the script made the drawing take the window's width
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([0-9.]+)"', done.stdout)]
    assert 500 < max(widths) <= 600


def test_speedscope_holds_every_stack_with_its_time():
    document = speedscope(captured(capture_of(PLAIN), PLAIN))
    [profile] = document["profiles"]
    assert (profile["type"], profile["unit"], profile["endValue"]) == ("sampled", "seconds", pytest.approx(1.0))
    assert len(profile["samples"]) == len(profile["weights"]) == 3
    shown = {
        tuple(document["shared"]["frames"][index]["name"] for index in sample): weight
        for sample, weight in zip(profile["samples"], profile["weights"], strict=True)
        if document["shared"]["frames"][sample[-1]].get("line") != 6
    }
    assert shown == {("main", "seventy"): 0.6, ("main", "thirty"): 0.3}
    assert document["shared"]["frames"][0] == {"name": "main", "file": "app/a.py", "line": 1}


@pytest.mark.parametrize(
    ("stacks", "kind", "words"),
    [
        ({}, Kind.GIL, "Idle: nobody held the GIL in 500 samples."),
        ({("f (a.py:1)",): 4}, Kind.CPU, "Almost idle: 4 of 500 samples were busy. Hottest: f (a.py), 100.0%"),
        ({("f (a.py:1)",): 250}, Kind.CPU, "Busy in 250 of 500 samples (50%)."),
        (
            {("[hub idle]", "Hub.run (gevent/hub.py:6)"): 490, ("f (a.py:1)",): 10},
            Kind.WALL,
            "500 samples, idle threads included: gevent's loop was on top in 490 of them. Else",
        ),
    ],
)
def test_a_capture_says_in_words_what_it_found(stacks, kind, words):
    assert words in capture_of(stacks, kind=kind).words
