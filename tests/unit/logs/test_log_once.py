"""Exactly once in effect: log, pipeline, spool and a real OpenSearch, with retries across everything that renames."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from delivering import delivered, shipping
from logs_rig import Rig
from servers.opensearch.node import OpenSearch
from unheard import without_answers
from waiting import until

from voltscope.logs.settings import ElasticsearchReceiver
from voltscope.logs.transports.elasticsearch import ElasticsearchTransport

FOLLOW = """
import json, sys, threading
from pathlib import Path
from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.logs.engine import LogshipEngine
folder = Path(sys.argv[1])
context = EngineContext("logship", folder, folder, lambda timeout_s: FactsAnswer(None, None, "no bridge"))
engine = LogshipEngine(context)
engine.configure(json.loads(sys.argv[2]))
engine.start()
print("up", flush=True)
threading.Event().wait()
"""


def lines(first: int, count: int, midnight: int) -> str:
    """Records whose text says which they are; number `midnight` is the first of 2026-11-22."""
    made = []
    for number in range(first, first + count):
        day, second = (21, 86_400 + number - midnight) if number < midnight else (22, number - midnight)
        at = f"2026-11-{day} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d},{number % 1000:03d}"
        made.append(f"{at} (PID:77) demo.agent(12) INFO: payload {number}\n")
    return "".join(made)


def nothing(log: Path) -> None:
    """The log stays what it is."""


def by_rename(log: Path) -> None:
    log.rename(log.with_name("volttron.log.1"))


def by_copy_and_truncation(log: Path) -> None:
    shutil.copy2(log, log.with_name("volttron.log.1"))
    log.open("w").close()


def by_gzip(log: Path) -> None:
    with gzip.open(log.with_name("volttron.log.1.gz"), "wb") as packed:
        packed.write(log.read_bytes())
    log.unlink()


def by_reuse_of_the_inode(log: Path) -> None:
    """The old log is gone for good, and the new one has its inode."""
    inode = log.stat().st_ino
    with log.open("r+") as file:
        file.truncate(0)
    assert log.stat().st_ino == inode


def ship(rig: Rig, node: OpenSearch, index: str, unheard: int) -> None:
    """All that is in the spool, by a sender that starts anew; so many answers are lost on the way."""
    with without_answers(node, lambda: None, unheard) as port:
        receiver = ElasticsearchReceiver(urls=(f"http://127.0.0.1:{port}",), index=index)
        transport = ElasticsearchTransport(receiver, rig.folder)
        transport.name, transport.max_records = index, 40  # the proxy's port is another each time
        with shipping(rig.spool, transport) as shipper:
            until(delivered(rig.spool, shipper))
            assert shipper.status()["failures"] == unheard


def payloads(node: OpenSearch, index: str) -> Counter[int]:
    return Counter(int(hit["_source"]["message"].split()[1]) for hit in node.documents(f"{index}-*"))


@pytest.mark.parametrize(
    "rotate", [nothing, by_rename, by_copy_and_truncation, by_gzip, by_reuse_of_the_inode], ids=lambda one: one.__name__
)
def test_a_retry_after(rotate: Callable[[Path], None], opensearch: OpenSearch, tmp_path: Path) -> None:
    """What was sent is read and sent again, from a spool put back to an earlier day: each record is there once."""
    index = f"once-{rotate.__name__.replace('_', '-')}"
    rig, earlier = Rig(tmp_path), tmp_path / "earlier"
    rig.log.write_text(lines(1, 100, midnight=150))
    rig.drain()
    ship(rig, opensearch, index, unheard=1)
    rig.pipeline.close()
    rig.spool.close()
    shutil.copytree(tmp_path / "spool", earlier)

    rig.open()
    with rig.log.open("a") as file:
        file.write(lines(101, 100, midnight=150))
    rig.drain()
    ship(rig, opensearch, index, unheard=2)
    rotate(rig.log)
    with rig.log.open("a") as file:
        file.write(lines(201, 100, midnight=150))
    rig.drain(3)
    ship(rig, opensearch, index, unheard=1)
    assert payloads(opensearch, index) == Counter(range(1, 301))

    # As after a restored backup, or a disk that lied: all since then is read again, where rotation moved it to.
    rig.pipeline.abandon()
    rig.spool.close()
    shutil.rmtree(tmp_path / "spool")
    earlier.rename(tmp_path / "spool")
    rig.open()
    before = rig.spool.last
    rig.drain(5)
    assert rig.spool.last - before == (100 if rotate is by_reuse_of_the_inode else 200)
    ship(rig, opensearch, index, unheard=1)
    with rig.log.open("a") as file:
        file.write(lines(301, 10, midnight=150))
    rig.drain()
    ship(rig, opensearch, index, unheard=0)
    rig.spool.close()

    assert payloads(opensearch, index) == Counter(range(1, 311))
    days = {hit["_index"].removeprefix(f"{index}-") for hit in opensearch.documents(f"{index}-*")}
    assert days == {"2026.11.21", "2026.11.22"}


def _count(node: OpenSearch) -> int:
    node.ask("POST", "/kills-*/_refresh")
    return int(node.ask("GET", "/kills-*/_count").get("count", 0))


def test_engine_and_store_killed_again_and_again_have_each_record_once(tmp_path: Path) -> None:
    chance = random.Random(5)
    node = OpenSearch(tmp_path / "node").start()
    log = tmp_path / "volttron.log"
    receiver = {"type": "elasticsearch", "urls": [node.url], "index": "kills"}
    config = json.dumps({"log_files": [str(log)], "receivers": [receiver], "policing": {"collapse_after": 0}})
    written = 0
    try:
        for number in range(10):
            engine = subprocess.Popen([sys.executable, "-c", FOLLOW, str(tmp_path), config], stdout=subprocess.PIPE)
            try:
                assert engine.stdout is not None
                engine.stdout.readline()
                ends = time.monotonic() + chance.uniform(0.2, 1.0)
                while time.monotonic() < ends:
                    with log.open("a") as file:
                        file.write(lines(written + 1, 60, midnight=3000))
                    written += 60
                    time.sleep(0.02)  # the pace of a log
                if number == 4:
                    node.kill()
                    time.sleep(0.3)  # for a request that nobody answers
                    node.start()
                while number == 9 and _count(node) < written:
                    time.sleep(0.2)  # until the test's time is up
            finally:
                engine.kill()
                engine.communicate()
            if number in (3, 6):
                by_gzip(log) if number == 3 else by_rename(log)
        assert payloads(node, "kills") == Counter(range(1, written + 1))
    finally:
        node.stop()
