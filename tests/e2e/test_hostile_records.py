"""What anybody can make a platform log is found, and commands neither terminal nor browser."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from live_site import LiveSite, log_stamp, wait_for

HOSTILE = (
    b"<script>alert(1)</script> &amp; \"'> ${7*7} {{7*7}} "  # pages and templates
    b"\x1b[31m \x1b]0;title\x07 \x9b2J \x08\x00 \r back "  # terminals
    b"\xe2\x80\xae txt.exe \xed\xa0\x80 \xff\xfe \xc3"  # text that reads backwards, half a pair, no UTF-8 at all
)
FUTURE = "2989-01-02 03:04:05,678"
DEEP = 25_000  # frames: a megabyte


@pytest.fixture(scope="module")
def live(site):
    return LiveSite(site)


@pytest.fixture(scope="module")
def token(live):
    """A word that each of the hostile records has."""
    made = f"h{uuid.uuid4().hex[:12]}"
    stack = b"Traceback (most recent call last):\n" + b'  File "deep.py", line 1, in f\n    f()\n' * DEEP
    pid = live.pid("listener")
    with Path(live["log"]).open("ab") as log:  # in one write: the platform writes into it, too
        log.write(
            f"{log_stamp()} (PID:{pid}) hostile.text(1) ERROR: {made} ".encode()
            + HOSTILE
            + f"\n{log_stamp()} (PID:{pid}) hostile.deep(2) ERROR: {made}\n".encode()
            + stack
            + f"RecursionError: {made}<script>alert(2)</script>\n".encode()
            + f"{FUTURE} (PID:{pid}) hostile.future(3) WARNING: {made}\n".encode()
            # whatever comes next ends a record
            + f"{log_stamp()} (PID:{pid}) hostile.end(4) INFO: end\n".encode()
        )
    return made


@pytest.fixture(scope="module")
def records(live, token):
    """The three, by their logger, as the command line tells them in JSON."""

    def found():
        said = live.voltscope("logs", token, "--json", check=False)
        assert said.isascii(), "no byte of it can mean anything to a terminal"
        made = {record["log"]["logger"]: record for record in map(json.loads, said.splitlines())}
        return made if len(made) == 3 else None

    return wait_for(found, timeout=60, what="the hostile records")


def test_hostile_text_is_kept_as_it_is(records, token):
    record = records["hostile.text"]
    assert record["service"]["name"] == "listener" and record["log"]["level"] == "error"
    kept = record["message"]
    assert kept.startswith(token) and "<script>alert(1)</script> &amp;" in kept
    assert "\x1b[31m" in kept and "\x07" in kept and "\u202e" in kept


def test_a_stack_of_a_megabyte_is_there_to_its_last_frame(records, token):
    error = records["hostile.deep"]["error"]
    assert error["type"] == "RecursionError" and token in error["message"]
    assert error["stack_trace"].count("deep.py") == DEEP


def test_a_date_of_the_far_future_is_as_it_was_written_and_is_not_now(live, records, token):
    assert records["hostile.future"]["@timestamp"].startswith("2989-01-0")

    def loggers(*options):
        said = live.voltscope("logs", token, "--json", *options)
        return {json.loads(line)["log"]["logger"] for line in said.splitlines()}

    assert loggers("--since", "2900-01-01T00:00") == {"hostile.future"}
    assert loggers("--until", "2900-01-01T00:00") == {"hostile.text", "hostile.deep"}


@pytest.mark.usefixtures("records")
def test_in_a_terminal_every_control_character_is_spelled_out(live, token):
    said = live.voltscope("logs", token)
    assert not set(said) & {"\x1b", "\x07", "\x08", "\x00", "\x9b", "\r", "\u202e"}
    assert r"\x1b[31m" in said and r"\x07" in said and r"\u202e" in said
    assert said.count("deep.py") == DEEP


def test_the_console_answers_them_as_data_alone(live, records, token):
    with live.console() as client:

        def answered():
            answer = client.get("/api/logs", params={"q": token})
            return answer if answer.status_code == 200 and len(answer.json()["records"]) == 3 else None

        answer = wait_for(answered, timeout=60, what="the hostile records in the console")
        assert answer.headers["content-type"].partition(";")[0] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.content.isascii() and not set(answer.content) & {0x1B, 0x07, 0x00}
        shown = {record["logger"]: record for record in answer.json()["records"]}
        assert shown["hostile.text"]["message"] == records["hostile.text"]["message"]
        assert len(answer.content) < 100_000, "a page stays small enough to be drawn"
        deep = shown["hostile.deep"]
        assert deep["cut"]["stack"] == len(records["hostile.deep"]["error"]["stack_trace"])
        whole = client.get("/api/logs/text", params={"id": deep["id"], "part": "stack"})
        assert whole.headers["content-type"].partition(";")[0] == "text/plain"
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert whole.text.count("deep.py") == DEEP
