"""The golden pairs: bytes as a sender puts them on the wire, and the documents Logstash must make of them.

`python tests/logstash/golden_pairs.py` (with tests/ on PYTHONPATH) makes them all again: the records from the real logs
in tests/data/logs, the bytes by our own transports and by a real rsyslogd. What is expected does not come from
Logstash: it is the record as voltscope knows it, and the classic fields of syslog.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from golden_expected import Document, as_3164, as_5424, as_ecs, as_python_logstash
from golden_others import others
from golden_records import GOLDEN, SETS, batch, choose_records, unusual_records
from golden_rsyslog import FORWARDED, expected_of_forwarded, forwarded
from golden_wire import Acknowledging, over_tcp, over_udp, without_version

from voltscope.logs.settings import LogstashJsonReceiver, LumberjackReceiver, RelpReceiver, SyslogReceiver
from voltscope.logs.transports.base import Transport
from voltscope.logs.transports.logstash_json import LogstashJsonTransport
from voltscope.logs.transports.lumberjack import LumberjackTransport
from voltscope.logs.transports.relp import RelpTransport
from voltscope.logs.transports.syslog import SyslogTransport


def _syslog(**keys: Any) -> Callable[[int], Transport]:
    return lambda port: SyslogTransport(SyslogReceiver(host="127.0.0.1", port=port, **keys))


def pairs() -> Iterator[tuple[str, str, bytes, list[Document]]]:
    """(path below golden, input, bytes, expected documents) of what our own transports send."""
    with without_version():
        for name in SETS:
            one = batch(name)
            yield f"syslog/rfc5424-{name}", "tcp", over_tcp(_syslog(), one), as_5424(one, True, True)
            yield f"syslog/rfc3164-{name}", "tcp", over_tcp(_syslog(format="rfc3164"), one), as_3164(one, True)
            yield f"json/ecs-{name}", "tcp", over_tcp(_syslog(body="json"), one), as_ecs(one, True)
            raw = over_tcp(lambda port: LogstashJsonTransport(LogstashJsonReceiver(host="127.0.0.1", port=port)), one)
            yield f"python-logstash/{name}", "tcp", raw, as_python_logstash(one, True)
            raw = over_tcp(
                lambda port: LumberjackTransport(LumberjackReceiver(host="127.0.0.1", port=port, compression=0)),
                one,
                Acknowledging().lumberjack,
            )
            yield f"beats/lumberjack-{name}", "beats", raw, as_ecs(one, True)
            raw = over_tcp(
                lambda port: RelpTransport(RelpReceiver(host="127.0.0.1", port=port)), one, Acknowledging().relp
            )
            yield f"relp/{name}", "relp", raw, as_5424(one, False, False)
        one = batch("unusual")
        raw = over_tcp(
            lambda port: LumberjackTransport(LumberjackReceiver(host="127.0.0.1", port=port)),
            one,
            Acknowledging().lumberjack,
        )
        yield "beats/lumberjack-compressed", "beats", raw, as_ecs(one, True)
        yield "syslog/rfc5424-udp", "udp", over_udp(_syslog(protocol="udp"), one), as_5424(one, True, False)
        yield "json/ecs-udp", "udp", over_udp(_syslog(protocol="udp", body="json"), one), as_ecs(one, True)
        raw = over_udp(
            lambda port: LogstashJsonTransport(LogstashJsonReceiver(host="127.0.0.1", port=port, protocol="udp")), one
        )
        yield "python-logstash/udp", "udp", raw, as_python_logstash(one, False)


def write(path: str, kind: str, raw: bytes, documents: list[Document]) -> None:
    """A pair."""
    (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
    (GOLDEN / f"{path}.raw").write_bytes(raw)
    (GOLDEN / f"{path}.json").write_text(described(kind, documents), "utf-8")


def described(kind: str, documents: list[Document]) -> str:
    """The text of a pair's second file."""
    lines = ",\n".join(json.dumps(one, sort_keys=True, ensure_ascii=False) for one in documents)
    return f'{{"input": "{kind}", "documents": [\n{lines}\n]}}\n'


def main() -> None:
    """Everything anew, the records and rsyslog's part too."""
    os.environ["TZ"] = "UTC"  # RFC 3164 has local time
    time.tzset()
    (GOLDEN / "records").mkdir(parents=True, exist_ok=True)
    for name in SETS:
        records = unusual_records() if name == "unusual" else choose_records(name)
        (GOLDEN / "records" / f"{name}.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(records), indent=0).replace(b"],[", b"],\n[") + b"\n"
        )
    for path, kind, raw, documents in (*pairs(), *others()):
        write(path, kind, raw, documents)
    for name, (sample, template, multiline) in FORWARDED.items():
        raw = forwarded(sample, template, multiline)
        write(f"syslog/{name}", "tcp", raw, expected_of_forwarded(name, raw))


if __name__ == "__main__":
    main()
