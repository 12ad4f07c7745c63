"""What the platform logs is found, in time and without its secrets."""

import json
import uuid
from pathlib import Path

import pytest
from live_site import LiveSite, log_stamp, wait_for


@pytest.fixture(scope="module")
def live(site):
    return LiveSite(site)


def found(live, query, *options):
    output = live.voltscope("logs", query, "--json", *options, check=False)
    return [json.loads(line) for line in output.splitlines()]


def test_a_line_the_platform_writes_is_found(live):
    """Storing a configuration makes the platform log its name."""
    token = f"t{uuid.uuid4().hex[:12]}"
    append(live, f"{log_stamp()} (PID:{live.pid('listener')}) listener.agent(94) WARNING: token {token} seen\n")
    (record,) = wait_for(lambda: found(live, token), what="the record")
    assert record["log"]["level"] == "warning" and record["service"]["name"] == "listener"
    assert record["labels"]["instance"] == live.instance and record["log"]["logger"] == "listener.agent"


def test_what_agents_log_is_found_under_their_names(live):
    records = wait_for(
        lambda: found(live, "Topic", "--agent", "listener", "--since", "5m"), what="the listener's records"
    )
    assert all(record["service"]["name"] == "listener" for record in records)


def test_an_error_word_and_an_agent_word_find_the_errors_of_the_agent(live):
    pid = live.pid("platform.historian")
    token = uuid.uuid4().hex[:12]
    append(
        live,
        f"{log_stamp()} (PID:{pid}) historian.base(1) ERROR: boom {token}\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in f\n'
        f"ValueError: {token}\n",
    )
    (record,) = wait_for(
        lambda: [r for r in found(live, "error AND historian", "--since", "1h") if token in r["message"]],
        what="the error",
    )
    assert record["error"]["type"] == "ValueError" and token in record["error"]["stack_trace"]


def test_no_secret_is_stored(live):
    secret, token = "Zt9" + "k" * 40, f"k{uuid.uuid4().hex[:12]}"
    address = f"ipc://x?publickey=abc&secretkey={secret}&serverkey=s"
    append(live, f"{log_stamp()} (PID:1) volttron.x(1) INFO: Identity: {token} connecting to address:{address}\n")
    (record,) = wait_for(lambda: found(live, token), what="the record, redacted")
    assert "secretkey=" in record["message"] and secret not in json.dumps(record)
    assert not found(live, secret)
    spool = live.home / "voltscope" / "logship" / "spool"
    assert list(spool.glob("*.seg"))
    for file in spool.iterdir():
        try:
            assert secret.encode() not in file.read_bytes(), file
        except FileNotFoundError:
            continue  # an index is given its name when it is whole


def test_the_log_survives_a_rotation(live):
    log = Path(live["log"])
    token = f"r{uuid.uuid4().hex[:12]}"
    append(live, f"{log_stamp()} (PID:1) rotation.test(1) INFO: before {token}\n")
    log.rename(log.with_suffix(".log.1"))
    live.vctl("status")  # makes the platform write, and so reopen its log
    wait_for(log.exists, timeout=60, what="the reopened log")
    append(live, f"{log_stamp()} (PID:1) rotation.test(1) INFO: after {token}\n")
    wait_for(lambda: len(found(live, token)) == 2, what="both records")


def append(live, text):
    with Path(live["log"]).open("a") as log:
        log.write(text)
