"""Ports of loopback for servers that are told theirs beforehand, or come back to the one they had."""

from __future__ import annotations

import itertools
import os
import socket

# Below those from 32768 on, which the kernel gives to whoever connects or wants any: another test could have got one
# before its server listens there. Each process of a parallel run has some of its own.
_FIRST, _EACH, _PROCESSES = 11_000, 2_000, 5


def _own() -> range:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    number = int(worker) % (_PROCESSES - 1) if worker.isdigit() else _PROCESSES - 1
    return range(_FIRST + number * _EACH, _FIRST + (number + 1) * _EACH)


_PORTS = itertools.islice(itertools.cycle(_own()), os.getpid() % _EACH, None)


def free_port() -> int:
    """One where nobody listens; none comes twice before all others came."""
    for port in itertools.islice(_PORTS, _EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
