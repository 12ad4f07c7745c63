"""The configuration of logship."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from voltscope.configuration import Config
from voltscope.outbound.keys import IndexName, Port, ServerKeys, TlsKeys

Positive = Annotated[float, msgspec.Meta(gt=0)]


class ElasticsearchReceiver(ServerKeys, frozen=True, kw_only=True, tag_field="type", tag="elasticsearch"):
    """Elasticsearch or OpenSearch.

    `index`: daily indices are named `<index>-YYYY.MM.DD`, by the record's own UTC day; with `data_stream` it is the
    stream's name. `template`: make an index template of that name when there is none. `compression`: of gzip, 0 for
    none. `dead_letter_mb`: how much of what the store refuses for good is kept.
    """

    index: IndexName = "voltscope-logs"
    data_stream: bool = False
    template: bool = True
    compression: Annotated[int, msgspec.Meta(ge=0, le=9)] = 1
    dead_letter_mb: Positive = 16


class SyslogReceiver(TlsKeys, frozen=True, kw_only=True, tag_field="type", tag="syslog"):
    """`body` json: each record one Elastic Common Schema document on a line, without a syslog header.

    `framing` None: octet counting with TLS, as RFC 5425 demands, else newlines. `stored_in`: where the pipeline behind
    it stores JSON records, so that they can be looked for there.
    """

    host: str
    port: Port
    protocol: Literal["tcp", "udp", "tls"] = "tcp"
    format: Literal["rfc5424", "rfc3164"] = "rfc5424"
    body: Literal["text", "json"] = "text"
    framing: Literal["newline", "octet-counting"] | None = None
    stored_in: ElasticsearchReceiver | None = None

    def __post_init__(self) -> None:
        self.check_tls(self.protocol == "tls")
        if self.stored_in is not None and self.body != "json":
            raise ValueError("stored_in needs the body json, which has the numbers that are looked for")


class RelpReceiver(TlsKeys, frozen=True, kw_only=True, tag_field="type", tag="relp"):
    """`window`: how many messages may wait for their acknowledgement."""

    host: str
    port: Port
    tls: bool = False
    window: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 1000

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


class LumberjackReceiver(TlsKeys, frozen=True, kw_only=True, tag_field="type", tag="lumberjack"):
    """A Beats input. `window`: records sent before an acknowledgement is due; `compression`: of zlib, 0 for none.

    `stored_in`: where the pipeline behind it stores records, so that they can be looked for there.
    """

    host: str
    port: Port
    tls: bool = False
    window: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 2000
    compression: Annotated[int, msgspec.Meta(ge=0, le=9)] = 3
    stored_in: ElasticsearchReceiver | None = None

    def __post_init__(self) -> None:
        self.check_tls(self.tls)


Member = (
    SyslogReceiver
    | RelpReceiver
    | LogstashJsonReceiver
    | FileReceiver
    | StdoutReceiver
    | LumberjackReceiver
    | ElasticsearchReceiver
)


class GroupReceiver(Config, frozen=True, tag_field="type", tag="group"):
    """Several receivers as one, with one cursor: every record goes to one of them.

    `mode` failover: to the first that works; round-robin: batches go to each in turn; least-outstanding: batches are
    cut up, and each receiver takes the next part when it is done with its last. `name` names the cursor.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    members: Annotated[tuple[Member, ...], msgspec.Meta(min_length=2)]
    mode: Literal["failover", "round-robin", "least-outstanding"] = "failover"


# Where records are sent besides the store: what each promises is in docs/transports.md.
Receiver = Member | GroupReceiver


class Limit(Config, frozen=True):
    """What may pass of each agent whose identity matches `agent` (*, ? and [...] as in file names).

    `level`: only of that level, of all when None. `records_per_second`: averaged over `average_s`.
    `keep_one_in`: of so many records one passes.
    """

    agent: str = "*"
    level: Literal["debug", "info", "warning", "error", "critical"] | None = None
    records_per_second: Positive | None = None
    average_s: Positive = 30
    keep_one_in: Annotated[int, msgspec.Meta(ge=2)] | None = None

    def __post_init__(self) -> None:
        if (self.records_per_second is None) == (self.keep_one_in is None):
            raise ValueError("either records_per_second or keep_one_in")


class Policing(Config, frozen=True):
    """`debug_records_per_second`: of one agent, averaged over 30 s, 0 for no limit.

    `collapse_after`: so many records of one agent, logger and level with the same text, one after the other, pass
    within `window_s`; what is more is counted in one record. 0: all pass. Whatever is left out is told of by a record
    after `window_s` at the latest.
    """

    limits: tuple[Limit, ...] = ()
    debug_records_per_second: Annotated[float, msgspec.Meta(ge=0)] = 500
    collapse_after: Annotated[int, msgspec.Meta(ge=0)] = 5
    window_s: Positive = 10


class LogshipConfig(Config, frozen=True):
    """All keys have defaults. Empty `log_files`: the running platform's log, found by itself.

    `timezone`: of the log's local times, the host's when None. `first_mb`: how much of a log that is there at first
    sight is read; `from_start` false reads none of it. `site`: label, the host's name when empty.
    `format`, `datefmt`: of a log whose format is not the platform's own, as `logging` takes them, or for `format` an
    expression with the groups time, ms, level, logger, pid, name, line. `redaction_patterns`: taken out besides what
    the built-in rules find; `redaction_off`: names of rules that are not to be applied.
    `retention_days`, `retention_mb`: what the spool holds, with the search's indexes. `when_full`: drop the oldest
    records, or block: leave the rest in the log file until receivers have taken them. `search` false: no indexes are
    made, and a search reads all there is.
    """

    log_files: tuple[str, ...] = ()
    timezone: str | None = None
    from_start: bool = True
    first_mb: Positive = 64
    retention_days: Positive = 14
    retention_mb: Annotated[float, msgspec.Meta(ge=1)] = 512
    when_full: Literal["drop-oldest", "block"] = "drop-oldest"
    search: bool = True
    receivers: tuple[Receiver, ...] = ()
    redaction_patterns: tuple[str, ...] = ()
    redaction_off: tuple[str, ...] = ()
    format: str = ""
    datefmt: str = ""
    policing: Policing = Policing()
    site: str = ""
