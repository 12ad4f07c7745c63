"""Ports: every part of the site answers, is ours, and listens on loopback alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from voltscope.cli.peers import Answer, ask, public
from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import TIMEOUT_S, World
from voltscope.errors import VoltscopeError

_LISTEN = "0A"  # the state TCP_LISTEN in /proc/net/tcp
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


def ports(world: World) -> Iterator[Finding]:
    """The exporter, the profiler, the console and Prometheus."""
    site = world.site
    parts = {"exporter": site.exporter, "profiler": site.profiler, "console": site.console}
    if site.prometheus:
        parts["prometheus"] = site.prometheus
    for part, url in parts.items():
        yield _answers(world, part, url.rstrip("/"))
        wide = _listens_widely(world, url)
        if wide:
            yield Finding(
                "ports",
                WARN,
                f"the {part} listens on {wide}, where other machines reach it.",
                "Bind it to 127.0.0.1, or put TLS and a login before it and allow only who must.",
            )


def _answers(world: World, part: str, url: str) -> Finding:
    if part == "exporter":
        if isinstance(world.scraped, VoltscopeError):
            return Finding("ports", FAIL, world.scraped.message, _start(part))
        return Finding("ports", OK, f"the exporter answers at {public(url)}.")
    try:
        answer = ask(_NAMES.get(part, part), url + _PROBES[part], timeout_s=TIMEOUT_S)
    except VoltscopeError as error:
        return Finding("ports", FAIL, error.message, _start(part))
    if not _is_ours(part, answer):
        return Finding(
            "ports", FAIL, f"what answers at {public(url)} is no {part}.",
            "Another program holds the port: choose another for ours, and name it in the site file.",
        )  # fmt: skip
    return Finding("ports", OK, f"the {_NAMES.get(part, part)} answers at {public(url)}.")


_NAMES = {"prometheus": "Prometheus server"}
_PROBES = {"profiler": "/api/captures", "console": "/login", "prometheus": "/api/v1/status/buildinfo"}


def _is_ours(part: str, answer: Answer) -> bool:
    try:
        document = answer.json()
    except ValueError:
        return part == "console" and b"voltscope" in answer.body.lower()
    if not isinstance(document, dict):
        return False
    if part == "prometheus":
        return document.get("status") == "success"
    # a profiler that wants to know who asks says so in our own form
    return "captures" in document or (answer.status in (401, 403) and "error" in document)


def _start(part: str) -> str:
    if part == "console":
        return "Start it: voltscope console"
    if part == "prometheus":
        return "Start Prometheus, or put its address into the site file."
    return f"Start the agent voltscope.{part} (vctl status, vctl start UUID); the platform's log has its words."


def _listens_widely(world: World, url: str) -> str | None:
    """The address beyond loopback on which this machine listens on the port of `url`, None when there is none."""
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError:
        return None
    if port is None or parsed.hostname not in _LOOPBACK_NAMES:
        return None
    for table in ("tcp", "tcp6"):
        try:
            rows = (world.proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            host, _, number = fields[1].partition(":")
            if fields[3] == _LISTEN and int(number, 16) == port and not _is_loopback(_address(host)):
                return f"{_address(host)}:{port}"
    return None


def _address(text: str) -> str:
    """An address of /proc/net/tcp: words of 32 bits, each in the machine's (little-endian) byte order."""
    raw = b"".join(bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1" or address.startswith("::ffff:127.")
