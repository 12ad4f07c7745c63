"""The logship engine as it runs on a site, until a receiver has taken everything: what it took, as a line of JSON.

usage: ours.py DATA_DIR CONFIG RECORDS, with the configuration as JSON. With `search` the indexes are complete.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.logs.engine import SPOOL, LogshipEngine
from voltscope.logs.segment_index import index_sealed


def main(data_dir: Path, config: str, records: int) -> None:
    """Runs the engine; ends it when the first receiver has `records`, or after a quarter of an hour."""
    home = data_dir / "home"
    home.mkdir(parents=True, exist_ok=True)
    engine = LogshipEngine(EngineContext("logship", data_dir, home, lambda seconds: FactsAnswer(None, None, "alone")))
    engine.configure(json.loads(config))
    engine.start()
    until = time.monotonic() + 900
    while (status := engine.handle("status", {}))["receivers"][0]["sent"] < records and time.monotonic() < until:
        time.sleep(0.02)
    engine.stop()
    if json.loads(config)["search"]:  # what its housekeeping would have done within ten seconds
        index_sealed(data_dir / SPOOL)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    written = next(line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("write_bytes"))
    print(
        json.dumps(
            {
                "sent": status["receivers"][0]["sent"],
                "cpu": usage.ru_utime + usage.ru_stime,
                "rss_mb": usage.ru_maxrss / 1024,
                "written": int(written.split()[1]),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
