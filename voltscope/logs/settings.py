"""The configuration of logship."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from voltscope.configuration import Config

Positive = Annotated[float, msgspec.Meta(gt=0)]


Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class TlsKeys(Config, frozen=True):
    """PEM files of a TLS connection; the receiver's certificate is always verified.

    `ca_file`: who may sign it, the system's authorities when None. `certificate_file`, `key_file`: ours, for a
    receiver that wants one; `key_file` None: the key is in the same file. `server_name`: the name the receiver's
    certificate must have, `host` when None.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    def check_tls(self, used: bool) -> None:
        """Raises ValueError for keys without use or without their counterpart."""
        for key in TlsKeys.__struct_fields__:
            if getattr(self, key) is not None and not used:
                raise ValueError(f"{key} is for TLS, which this receiver is not reached by")
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file needs certificate_file")


class SyslogReceiver(TlsKeys, frozen=True, kw_only=True, tag_field="type", tag="syslog"):
    """`body` json: each record one Elastic Common Schema document on a line, without a syslog header.

    `framing` None: octet counting with TLS, as RFC 5425 demands, else newlines.
    """

    host: str
    port: Port
    protocol: Literal["tcp", "udp", "tls"] = "tcp"
    format: Literal["rfc5424", "rfc3164"] = "rfc5424"
    body: Literal["text", "json"] = "text"
    framing: Literal["newline", "octet-counting"] | None = None

    def __post_init__(self) -> None:
        self.check_tls(self.protocol == "tls")


class RelpReceiver(TlsKeys, frozen=True, kw_only=True, tag_field="type", tag="relp"):
    """`window`: how many messages may wait for their acknowledgement."""

    host: str
    port: Port
    tls: bool = False
    window: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000

    def __post_init__(self) -> None:
        self.check_tls(self.tls)


class LogstashJsonReceiver(TlsKeys, frozen=True, kw_only=True, tag_field="type", tag="logstash-json"):
    """The JSON of the python-logstash library, a document a line."""

    host: str
    port: Port
    protocol: Literal["tcp", "udp", "tls"] = "tcp"

    def __post_init__(self) -> None:
        self.check_tls(self.protocol == "tls")


class FileReceiver(Config, frozen=True, tag_field="type", tag="file"):
    """Elastic Common Schema documents, one a line, appended to a file that anybody may rotate by renaming it."""

    path: Annotated[str, msgspec.Meta(min_length=1)]


class StdoutReceiver(Config, frozen=True, tag_field="type", tag="stdout"):
    """Elastic Common Schema documents, one a line, on the engine's standard output."""


# Where records are sent besides the store: what each promises is in docs/transports.md.
Receiver = SyslogReceiver | RelpReceiver | LogstashJsonReceiver | FileReceiver | StdoutReceiver


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
