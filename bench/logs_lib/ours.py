"""The logship engine as it runs on a site, until standard input ends: then what it took, as a line of JSON.

usage: ours.py DATA_DIR CONFIG, with the configuration as JSON. With `search` the indexes are complete.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.logs.engine import SPOOL, LogshipEngine
from voltscope.search.segment_index import index_sealed


def main(data_dir: Path, config: str) -> None:
    """Runs the engine until standard input ends: whoever reads what it sends knows when it is done."""
    home = data_dir / "home"
    home.mkdir(parents=True, exist_ok=True)
    engine = LogshipEngine(EngineContext("logship", data_dir, home, lambda seconds: FactsAnswer(None, None, "alone")))
    engine.configure(json.loads(config))
    engine.start()
    sys.stdin.read()
    engine.stop()
    if json.loads(config).get("search", True):  # what its housekeeping would have done within ten seconds
        index_sealed(data_dir / SPOOL)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    written = next(line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("write_bytes"))
    print(
        json.dumps(
            {
                "cpu": usage.ru_utime + usage.ru_stime,
                "rss_mb": usage.ru_maxrss / 1024,
                "written": int(written.split()[1]),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
