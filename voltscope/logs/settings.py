"""The configuration of logship."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from voltscope.configuration import Config

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Receiver(Config, frozen=True):
    """Where records are sent besides the store. `ca_file`: PEM with who may sign a tls receiver's certificate."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    type: Literal["syslog"] = "syslog"
    protocol: Literal["tcp", "udp", "tls"] = "tcp"
    framing: Literal["newline", "octet-counting"] = "newline"
    ca_file: str | None = None


class LogshipConfig(Config, frozen=True):
    """All keys have defaults. Empty `log_files`: the running platform's log, found by itself.

    `timezone`: of the log's local times, the host's when None. `first_mb`: how much of a log that is there at first
    sight is read; `from_start` false reads none of it. `site`: label, the host's name when empty.
    """

    log_files: tuple[str, ...] = ()
    timezone: str | None = None
    from_start: bool = True
    first_mb: Positive = 64
    retention_days: Positive = 14
    retention_mb: Positive = 512
    receivers: tuple[Receiver, ...] = ()
    redaction_patterns: tuple[str, ...] = ()
    site: str = ""
