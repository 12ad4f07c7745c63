"""What is held for readers never grows, and who falls behind is told what was lost."""

from __future__ import annotations

import msgspec

from voltscope.live import documents
from voltscope.live.documents import Latest, Read, Steps
from voltscope.live.views import CallGraph, Flow, Place, Step


def flow(first, count):
    steps = tuple(Step(float(number), 1, "call", 0, number, 0) for number in range(first, first + count))
    places = {first: Place(f"f{first}", "/x/agent.py", 1)}
    return Flow(at=1.0, steps=steps, places=places, tracks={}, dropped=0)


def lines(found):
    return [step[4] for _, text in found for step in msgspec.json.decode(text)["steps"]]


def test_a_reader_that_fell_behind_is_told_how_much_it_lost(monkeypatch):
    monkeypatch.setattr(documents, "MOST_FLOW_BYTES", 300_000)
    held = Steps()
    held.add(1, flow(0, 1000))
    found, read = held.since(Read())
    assert lines(found) == list(range(1000))
    for number in range(2, 30):
        held.add(number, flow((number - 1) * 1000, 1000))
    assert held.size < 350_000
    found, read = held.since(read)
    ((number, text),) = found
    window = msgspec.json.decode(text)
    assert number == 29
    first = lines(found)[0]
    assert 1000 < first < 25_000
    assert lines(found) == list(range(first, 29_000))
    assert window["dropped"] == first - 1000
    assert len(window["places"]) == 29  # those of the steps it missed too: later steps may be there again
    held.add(30, flow(29_000, 5))
    found, read = held.since(read)
    assert lines(found) == list(range(29_000, 29_005))
    assert msgspec.json.decode(found[0][1])["dropped"] == window["dropped"]
    assert held.since(read) == ([], read)


def test_what_has_ended_takes_little_room():
    held = Steps()
    for number in range(1, 21):
        held.add(number, flow((number - 1) * 1000, 1000))
    before = held.size
    held.settle()
    assert held.size < before / 2
    assert lines(held.since(held.begin())[0]) == list(range(15_000, 20_000))
    latest = Latest()
    latest.add(1, CallGraph(at=1.0, seconds=1.0, samples=1, unit="x" * 10_000, nodes=(), edges=(), left_out=0))
    text = latest.since(Read())[0][0][1]
    latest.settle()
    latest.settle()
    assert latest.size < 1000
    assert latest.since(Read()) == ([(1, text)], Read(1))
    assert latest.since(Read(1)) == ([], Read(1))
