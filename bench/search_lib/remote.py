"""The same records in a real OpenSearch: their size there and here, and how soon Kibana's panels are answered."""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kibana.requests import queries
from logs_rig import SAMPLES, Rig
from metrics_lib.figures import figure
from servers.missing import PeerMissing
from servers.opensearch.node import OpenSearch

from search_lib import filling
from voltscope.logs.record import Batch, Record
from voltscope.logs.settings import ElasticsearchReceiver
from voltscope.logs.spool import SpoolReader
from voltscope.logs.transports.elasticsearch import ElasticsearchTransport
from voltscope.search.segment_index import index_sealed

RECORDS, QUICK = 1_000_000, 20_000
DAYS = 0.96  # panels look at the last day
_REAL = 10  # each tenth record is of a real log, or the panels had nothing to show
_REPEATS, _QUICK_REPEATS = 5, 1
_AT_ONCE = 4  # batches a request
_MERGE_S = 900
_OURS, _THEIRS, _PANELS = "bytes_per_record_beside_opensearch", "bytes_per_record_of_opensearch", "kibana_panel_ms"


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Sizes of the same records, then the panels' requests."""
    count = QUICK if quick else RECORDS
    try:
        node = OpenSearch(folder / "opensearch")
    except PeerMissing as error:
        for name in (_OURS, _THEIRS, _PANELS):
            yield figure(name, None, "bytes" if "bytes" in name else "ms", "(none)", "a real OpenSearch", str(error))
        return
    spool = folder / "spool"
    filling.fill(spool, count, DAYS, _real(folder), _REAL)
    index_sealed(spool)
    ours = sum(path.stat().st_size for path in spool.iterdir())
    node.start()
    try:
        began = time.monotonic()
        _send(node, spool, folder)
        sent = time.monotonic() - began
        theirs = _merged(node, count)
        of = f"{count:,} records of the corpus, each tenth of a real log"
        yield figure(_OURS, ours / count, "bytes", "(none)", f"{of}: spool and indexes")
        yield figure(
            _THEIRS, theirs / count, "bytes", "(none)",
            f"the same in OpenSearch with our template, merged to one segment an index; sent in {sent:.0f} s",
        )  # fmt: skip
        yield from _panels(node, count, _QUICK_REPEATS if quick else _REPEATS)
    finally:
        node.stop()


def _real(folder: Path) -> list[Record]:
    """Records of both generations' real logs, as logship reads them."""
    found = []
    for name in ("modular.log", "monolithic.log"):
        (folder / name).mkdir()
        rig = Rig(folder / name)
        shutil.copy(SAMPLES / name, rig.log)
        rig.drain()
        found += rig.records()
        rig.pipeline.close()
        rig.spool.close()
    return found


def _send(node: OpenSearch, spool: Path, folder: Path) -> None:
    transport = ElasticsearchTransport(ElasticsearchReceiver(urls=[node.url]), folder)
    reader = SpoolReader(spool)
    waiting: list[Batch] = []
    for segment in reader.segments():
        for _, batch in reader.batches(segment):
            if batch.records:
                waiting.append(batch)
            if len(waiting) == _AT_ONCE:
                transport.send_all(waiting)
                waiting = []
    if waiting:
        transport.send_all(waiting)
    transport.close()


def _merged(node: OpenSearch, count: int) -> int:
    """Merge each index to one segment; how many bytes they take then."""
    node.ask("POST", "/voltscope-logs-*/_refresh")
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=_MERGE_S)
    connection.request("POST", "/voltscope-logs-*/_forcemerge?max_num_segments=1&flush=true")
    assert connection.getresponse().status == 200
    connection.close()
    # what was merged is deleted a little later
    until, size = time.monotonic() + 60, -1
    while time.monotonic() < until:
        primaries = node.ask("GET", "/voltscope-logs-*/_stats/store,docs,segments")["_all"]["primaries"]
        if primaries["store"]["size_in_bytes"] == size:
            break
        size = primaries["store"]["size_in_bytes"]
        time.sleep(2)
    assert primaries["docs"]["count"] == count, primaries
    return int(size)


def _panels(node: OpenSearch, count: int, repeats: int) -> Iterator[dict[str, Any]]:
    """The first request a panel makes is the one people wait for: caches are emptied before each."""
    until = time.time()
    took: dict[str, list[float]] = {}
    empty = []
    asked: set[str] = set()
    for where, title, index, body in queries(until - 86_400, until):
        if not index.startswith("voltscope-logs") or (written := json.dumps(body)) in asked:
            continue
        asked.add(written)
        name = title if where == title else f"{where}: {title}"
        for _ in range(repeats):
            node.ask("POST", "/voltscope-logs-*/_cache/clear")
            began = time.perf_counter()
            answer = node.ask("POST", f"/{index}/_search", body)
            took.setdefault(name, []).append((time.perf_counter() - began) * 1000)
            if "hits" not in answer:
                raise SystemExit(f"OpenSearch refuses {name}: {json.dumps(answer)[:1000]}")
        if not answer["hits"]["hits"] and not answer["hits"].get("total", {}).get("value"):
            empty.append(name)
    slowest = max(took, key=lambda name: max(took[name]))
    times = sorted(time for each in took.values() for time in each)
    yield figure(
        _PANELS, times[-1], "ms", "< 1000",
        f"the longest of {len(took)} requests, {repeats} times each with caches emptied, of all panels and searches, "
        f"over the last day of {count:,} records: {slowest}; median {statistics.median(times):.0f}; "
        f"{len(empty)} found nothing",
    )  # fmt: skip
