"""The shipped logs and profiles as the documents that Kibana's objects look at, in a real OpenSearch."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from kibana.links import LOGS, PROFILES
from logs_rig import SAMPLES, Rig
from servers.opensearch.node import OpenSearch

from voltscope.logs.settings import ElasticsearchReceiver
from voltscope.logs.transports.elasticsearch import ElasticsearchTransport
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import DONE, Capture
from voltscope.profiling.indexing import CaptureIndexer
from voltscope.profiling.settings import IndexSettings
from voltscope.profiling.stacks import Stacks, parse, samples_in
from voltscope.ulid import new_ulid

STACKS = Path(__file__).resolve().parents[1] / "data" / "profiling"
SINCE = 1795231800.0  # 2026-11-21T03:30Z
UNTIL = SINCE + 5400
PATTERNS = {LOGS.pattern: "kibanalogs-*", PROFILES.pattern: "kibanaprofiles-*"}

# What the samples have no example of, as the code of each generation logs it: sqlitefuncts.py, basedb.py, driver.py,
# poll_scheduler.py, base_historian.py, main.py.
MONOLITHIC = """\
2026-11-21 04:01:00,001 () volttron.platform.main [1201] INFO: SIGINT received; shutting down
2026-11-21 04:02:00,001 (sqlhistorianagent-4.0.0 77 [99]) volttron.platform.dbutils.sqlitefuncts DEBUG: Time taken to load results from db:0:00:00.004512
2026-11-21 04:02:00,002 (sqlhistorianagent-4.0.0 77 [99]) volttron.platform.dbutils.sqlitefuncts DEBUG: Time taken to load results from db:0:00:07.204512
2026-11-21 04:02:00,003 (sqlhistorianagent-4.0.0 77 [99]) volttron.platform.dbutils.sqlitefuncts DEBUG: Time taken to load results from db:0:02:00.204512
2026-11-21 04:02:01,001 (sqlhistorianagent-4.0.0 77 [99]) volttron.platform.dbutils.basedb ERROR: EXCEPTION: SQLITE3 Database is locked. This error could occur when there are multiple simultaneous read and write requests
2026-11-21 04:03:00,001 (platform_driveragent-4.0 78 [99]) platform_driver.driver ERROR: Failed to scrape campus/building/fake:
2026-11-21 04:03:00,002 (platform_driveragent-4.0 78 [99]) platform_driver.driver WARNING: publish delayed: devices/campus/building/fake/all pubsub is busy
2026-11-21 04:03:00,003 (platform_driveragent-4.0 78 [99]) platform_driver.interfaces.modbus_tk WARNING: Registry config csv is empty.
"""  # noqa: E501
MODULAR = """\
2026-11-21 04:11:00,001 volttron.server.run_server(539) INFO: SIGINT received; shutting down
2026-11-21 04:12:00,001 (PID:91) historian.sqlite.sqlitefuncts(263) DEBUG: Time taken to load results from db: 0.045s
2026-11-21 04:12:00,002 (PID:91) historian.sqlite.sqlitefuncts(263) DEBUG: Time taken to load results from db: 12.345s
2026-11-21 04:12:00,003 (PID:91) historian.base.base_historian(1484) WARNING: Found data with timestamp 2026-11-22T00:00:00+00:00 that is out of configured tolerance
2026-11-21 04:13:00,001 (PID:92) platform_driver.poll_scheduler(300) WARNING: Exception while polling ('fake1',)
"""  # noqa: E501


def logs(node: OpenSearch, folder: Path) -> None:
    """Both samples, and what they lack, sent as logship sends them."""
    for name, more in (("modular", MODULAR), ("monolithic", MONOLITHIC)):
        (folder / name).mkdir()
        rig = Rig(folder / name, instance=name)
        shutil.copy(SAMPLES / f"{name}.log", rig.log)
        with rig.log.open("a") as file:
            file.write(more)
        rig.drain()
        receiver = ElasticsearchReceiver(urls=(node.url,), index="kibanalogs")
        transport = ElasticsearchTransport(receiver, folder / name)
        after = 0
        while batch := rig.spool.read(after):
            transport.send(batch)
            after = batch.last
        transport.close()
        rig.pipeline.close()
        rig.spool.close()
    node.ask("POST", "/kibanalogs-*/_refresh")


def profiles(node: OpenSearch, folder: Path) -> None:
    """Captures of real stacks, sent as the profiler sends them."""
    archive = Archive(folder)
    for number, (agent, instance, file, reason) in enumerate(
        [
            ("platform.historian", "modular", "json-dumps", "on-demand"),
            ("platform.historian", "monolithic", "json-dumps", "alert:historian_not_publishing"),
            ("listener", "modular", "listener-wall", "on-demand"),
        ]
    ):
        stacks = parse((STACKS / f"{file}.folded").read_text())
        archive.keep(_capture(number, agent, instance, reason, stacks), stacks)
    settings = IndexSettings(urls=(node.url,), index="kibanaprofiles", console="https://console.example")
    indexer = CaptureIndexer(archive, settings, lambda: None)
    indexer.start()
    until = time.monotonic() + 60
    while indexer.sent < 3:
        assert time.monotonic() < until, indexer.failure
        time.sleep(0.05)
    indexer.stop()
    archive.close()
    node.ask("POST", "/kibanaprofiles-*/_refresh")


def _capture(number: int, agent: str, instance: str, reason: str, stacks: Stacks) -> Capture:
    at = SINCE + 60 * (number + 30)
    return Capture(
        id=new_ulid(at),
        site="site",
        instance=instance,
        agent=agent,
        pid=77,
        kind=Kind.CPU,
        backend="py-spy",
        backend_version="0.4.0",
        started=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at)),
        duration_s=5.0 + number,
        rate_hz=100,
        requested_by="operator",
        samples=samples_in(stacks),
        reason=reason,
        state=DONE,
        words="Busy.",
    )


def ask(node: OpenSearch, index: str, body: Any) -> Any:
    """What the store answers to a search as an object asks it."""
    answer = node.ask("POST", f"/{PATTERNS[index]}/_search", body)
    assert "error" not in answer, answer["error"]
    assert answer["_shards"]["failed"] == 0 and not answer["timed_out"]
    return answer


def everything(node: OpenSearch, index: str, query: Any) -> list[dict[str, Any]]:
    """The documents that a query finds."""
    body = {"size": 10_000, "query": query, "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}]}
    return [hit["_source"] for hit in ask(node, index, body)["hits"]["hits"]]
