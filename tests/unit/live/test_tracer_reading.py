"""What bpftrace says is read as it is meant, and what cannot be read is counted."""

from __future__ import annotations

import pytest

from voltscope.errors import BackendFailed, ProgramRefused
from voltscope.live import bpftrace
from voltscope.live.aggregates import Bucket, Statistics, Walk, key_parts
from voltscope.live.bpftrace import Message, Reader, complaint, read_line


def test_messages_are_whole_however_the_text_is_cut() -> None:
    text = b'{"type": "printf", "data": "one\\n"}\n\n{"type": "lost_events", "data": {"events": 7}}\n'
    reader = Reader()
    found = [message for byte in text for message in reader.hear(bytes([byte]))]
    assert found == [Message("printf", "one\n"), Message("lost_events", {"events": 7})]
    assert (reader.lost, reader.unreadable) == (7, 0)


def test_what_is_no_message_is_counted_and_the_rest_goes_on() -> None:
    reader = Reader()
    rubbish = b'No probes\n{"type": "map", "data": {"@": {"a" 1}}}\n[1]\n{"data": 1}\n{"type": "map"\n\xff\xfe\n'
    assert reader.hear(rubbish + b'{"type": "time", "data": "x"}\n') == [Message("time", "x")]
    assert reader.unreadable == 6
    assert "No probes" in reader.strange


def test_a_line_without_end_takes_no_memory_and_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpftrace, "LONGEST_LINE", 100)
    reader = Reader()
    for _ in range(50):
        assert reader.hear(b"x" * 60) == []
    assert reader.hear(b'rest\n{"type": "time", "data": "x"}\n') == [Message("time", "x")]
    assert reader.unreadable == 1


def test_what_version_0_17_writes_wrong_is_put_right() -> None:
    umlaut = rb'{"type": "printf", "data": "h\uffffffc3\uffffffa9 \\uffffffc3"}'
    assert read_line(umlaut) == Message("printf", "hé \\uffffffc3")
    assert read_line(b'{"type": "map", "data": {"@p": 0xff, "@q": "0xff"}}') == Message(
        "map", {"@p": 255, "@q": "0xff"}
    )
    raw = b'{"type": "map", "data": {"@k": "\n        one+1\n"}}'.replace(b"\n", b"\t")
    assert read_line(raw) == Message("map", {"@k": "\t        one+1\t"})
    assert read_line(b'{"type": "helper_error", "helper": "x", "line": 3}') == Message(
        "helper_error", {"helper": "x", "line": 3}
    )


def test_a_script_tells_how_many_parts_its_keys_have() -> None:
    script = (
        'BEGIN { @a = 1; @b[tid] = 2; @c[str(args->x, 3), (1, 2)] = 3; /* @d[1,2,3] */ printf("@e[1,2]"); @[1,2]=1 }'
    )
    assert key_parts(script) == {"@b": 1, "@c": 2, "@": 2}


def test_maps_histograms_and_statistics_are_walked_as_records() -> None:
    walk = Walk("BEGIN { @m[pid, comm] = count(); @one[comm] = count(); @h[comm] = hist(1); @s = stats(1); }")

    def walked(kind: str, data: object) -> list[tuple[str, tuple[int | str, ...], object]]:
        return [(one.name, one.key, one.value) for one in walk.records(Message(kind, data), 1.0)]

    assert walked("map", {"@m": {"7,python3": 3, "8,a,b": 1}}) == [
        ("@m", (7, "python3"), 3),
        ("@m", ("8,a,b",), 1),  # a comma inside: nobody can say where the parts end
    ]
    assert walked("map", {"@one": {"a,b": 1}}) == [("@one", ("a,b",), 1)]
    assert walked("map", {"@plain": 5}) == [("@plain", (), 5)]
    assert walked("stats", {"@s": {"count": 2, "average": 3, "total": 6}}) == [("@s", (), Statistics(2, 3, 6))]
    rows = [{"max": -1, "count": 1}, {"min": 0, "max": 0, "count": 2}, {"min": 1, "count": 4}]
    assert walked("hist", {"@h": {"x": rows}}) == [
        ("@h", ("x",), (Bucket(None, -1, 1), Bucket(0, 0, 2), Bucket(1, None, 4)))
    ]
    assert walked("printf", "text") == []


def test_bounds_of_buckets_go_on_where_bpftrace_computes_them_in_32_bits() -> None:
    rows = [
        {"min": 1 << 30, "max": (1 << 31) - 1, "count": 0},
        {"min": -2147483648, "max": -1, "count": 3},
        {"min": 1, "max": 1, "count": 1},
    ]
    (record,) = Walk("").records(Message("hist", {"@": rows}), 1.0)
    assert [bucket.low for bucket in record.value] == [1 << 30, 1 << 31, 1 << 32]
    assert record.value[-1].high == (1 << 33) - 1


def test_a_refusal_names_the_line_and_shows_it() -> None:
    error = complaint("BEGIN {\n  @x = nosuch();\n}\n", "stdin:2:3-16: ERROR: Unknown function: nosuch\n", 1)
    assert isinstance(error, ProgramRefused)
    assert error.line == 2
    assert "line 2" in str(error)
    assert "@x = nosuch();" in str(error)
    assert isinstance(complaint("x", "Killed", 137), BackendFailed)
