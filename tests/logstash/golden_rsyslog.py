"""Pairs of what a real rsyslogd forwards of VOLTTRON's logs, for platforms that have nothing else."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path

from golden_expected import Document, of_lines
from golden_records import SAMPLES
from golden_wire import capturing

_RSYSLOG = """
global(workDirectory="{folder}" localHostname="edge1" maxMessageSize="128k")
module(load="imfile")
input(type="imfile" file="{folder}/volttron.log" tag="volttron:" facility="local0" severity="info" {multiline})
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="{template}")
"""
_MULTILINE = 'startmsg.regex="^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3} "'


def forwarded(name: str, template: str, multiline: bool) -> bytes:
    """What a real rsyslogd forwards of the lines of a real log."""
    lines = (SAMPLES / f"{name}.log").read_bytes().split(b"\n")
    printed = [index for index, line in enumerate(lines) if b"<std" in line][:2]
    failed = [index for index, line in enumerate(lines) if line.startswith(b"Traceback") or b": Traceback" in line][:2]
    wanted = printed + failed
    picked = lines[:15] + [line for index in wanted for line in lines[index - 1 : index + 18]]
    picked = [line for line in picked if b"secretkey" not in line]
    with tempfile.TemporaryDirectory() as made, capturing(lambda _: b"") as (port, received):
        folder = Path(made)
        (folder / "volttron.log").write_bytes(b"\n".join(picked) + b"\n2026-11-21 05:00:00,000 x(1) INFO: end\n")
        (folder / "rsyslog.conf").write_text(
            _RSYSLOG.format(folder=folder, port=port, template=template, multiline=_MULTILINE if multiline else "")
        )
        command = ["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
        process = subprocess.Popen(command)
        until = time.monotonic() + 60
        # with several lines a message, the last one is only sent when the next begins
        while (b"INFO: end" if not multiline else picked[-1][:20]) not in received and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1)
        process.terminate()
        process.wait(30)
    return bytes(received)


FORWARDED = {
    "rsyslog-modular": ("modular", "RSYSLOG_TraditionalForwardFormat", False),
    "rsyslog-monolithic": ("monolithic", "RSYSLOG_SyslogProtocol23Format", False),
    "rsyslog-multiline": ("monolithic", "RSYSLOG_ForwardFormat", True),
}
_HEADER_23 = re.compile(r"<134>1 (?P<at>\S+) edge1 (?P<app>\S+) - - - ?(?P<text>.*)\Z", re.DOTALL)
_HEADER = re.compile(r"<134>(?P<at>\S+|\w{3} [ \d]\d \S+) edge1 (?P<app>[^:]+): ?(?P<text>.*)\Z", re.DOTALL)


def expected_of_forwarded(name: str, raw: bytes) -> list[Document]:
    """Of the frozen bytes."""
    messages = []
    version = None
    for line in raw.decode("utf-8", "replace").split("\n")[:-1]:
        found = _HEADER_23.match(line) or _HEADER.match(line)
        assert found is not None, line
        if found.re is _HEADER_23:
            version = "1"
        at = found["at"]
        if at[0].isdigit():
            at = re.sub(r"\.(\d{3})\d*\+00:00$", r".\1Z", at)
        else:
            moment = time.strptime(f"2026 {at}", "%Y %b %d %H:%M:%S")
            at = rf"~^20\d\d-{time.strftime('%m-%dT%H:%M:%S', moment)}\.000Z$"
        messages.append((at, found["app"], found["text"]))
    return of_lines(messages, 134, version)
