"""File to durable to receiver: logship beside its peers, in alternating pairs."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import PAIRS, figure, lower_bound

from logs_lib import corpus, peers
from logs_lib.peers import Run
from logs_lib.sink import Sink

# Enough that starting up, and the half second for which a last record may still grow, are little of it; the peers get
# as many as take them some seconds.
BY_CLOCK, BY_CPU, OF_RSYSLOG, OF_ASYNC = 2_000_000, 500_000, 20_000, 2_000
QUICK = 100_000
_SAME = 20_000


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """The figures of speed and of the disk."""
    pairs, count, many = (1, QUICK, QUICK) if quick else (PAIRS, BY_CPU, BY_CLOCK)
    log, long = folder / "volttron.log", folder / "long.log"
    size = corpus.write(log, count)
    corpus.write(long, many)
    log_of = {number: _log(folder, number) for number in (OF_RSYSLOG, OF_ASYNC)}

    def run() -> Run:
        return logship(log, count, folder)[0]

    missing = _missing(folder)
    yield figure("records_missing", missing, "records", "0", f"of {_SAME}, ours to the yardstick's, message by message")
    yield _ratio(
        "records_per_second_vs_prototype", ">= 0.5", lambda: logship(long, many, folder)[0],
        lambda: peers.yardstick(long, many), pairs, lambda r: r.per_second,
        f"{many} records by the clock, start included; a program that promises nothing",
    )  # fmt: skip
    yield _ratio(
        "records_per_cpu_second_vs_rsyslog", ">= 2", run,
        lambda: peers.rsyslog(log_of[OF_RSYSLOG], OF_RSYSLOG, folder, peers.DISK_QUEUE), pairs,
        lambda r: r.per_cpu_second,
        "Debian's rsyslog, imfile with a start expression, disk queue with syncs: durable, as ours",
    )  # fmt: skip
    yield _ratio(
        "records_per_cpu_second_vs_rsyslog_in_memory", "(none: rsyslog promises nothing then)", run,
        lambda: peers.rsyslog(log, count, folder), pairs, lambda r: r.per_cpu_second,
        "the same with its queues in memory: what is read is lost when it dies",
    )  # fmt: skip
    yield _ratio(
        "records_per_cpu_second_vs_python_logstash_async", ">= 20", run,
        lambda: peers.logstash_async(log_of[OF_ASYNC], OF_ASYNC, folder), pairs, lambda r: r.per_cpu_second,
        "a program that logs the same records through its handler",
    )  # fmt: skip
    searched, written = logship(log, count, folder, search=True)
    yield figure(
        "edge_bytes_written_per_log_byte", written / size, "bytes/byte", "<= 3",
        f"write_bytes of the engine to {size} bytes of log at full speed: spool, cursors and the search's index; "
        f"{searched.per_cpu_second:,.0f} records a processor second with it",
    )  # fmt: skip


def logship(log: Path, count: int, folder: Path, search: bool = False) -> tuple[Run, int]:
    """The engine, until a receiver has all; and the bytes it wrote to the disk."""
    data = folder / "logship"
    shutil.rmtree(data, ignore_errors=True)
    with Sink() as sink:
        config = {
            "log_files": [str(log)],
            "timezone": "UTC",
            "first_mb": 1e6,
            "retention_mb": 2048,
            "search": search,
            "policing": {"debug_records_per_second": 0},
            "receivers": [{"type": "syslog", "host": "127.0.0.1", "port": sink.port}],
        }
        program = Path(__file__).with_name("ours.py")
        began = time.perf_counter()
        command = [sys.executable, program, data, json.dumps(config)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            seconds = sink.wait(count, 900, process) - began
            told = json.loads(process.communicate()[0])
    return Run(count, seconds, told["cpu"]), told["written"]


def _ratio(
    name: str, goal: str, ours: Callable[[], Run], theirs: Callable[[], Run], pairs: int, of: Callable[[Run], float],
    what: str,
) -> dict[str, Any]:  # fmt: skip
    """The lower bound of our rate to theirs; which goes first changes with every pair."""
    rates: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            their, our = of(theirs()), of(ours())
        else:
            our, their = of(ours()), of(theirs())
        rates.append((our, their))
    ratios = [our / their for our, their in rates]
    centre, bound = lower_bound(ratios) if pairs == PAIRS else (ratios[0], ratios[0])
    our, their = (statistics.median(side) for side in zip(*rates, strict=True))
    return figure(
        name, bound, "ratio", goal,
        f"{what}; {our:,.0f}/s to {their:,.0f}/s; 95 % lower bound of {pairs} pairs, centre {centre:.3f}",
    )  # fmt: skip


def _log(folder: Path, count: int) -> Path:
    path = folder / f"{count}.log"
    corpus.write(path, count)
    return path


def _missing(folder: Path) -> int:
    """Messages the yardstick sent that logship did not, or did otherwise."""
    log = _log(folder, _SAME)
    kept = folder / "kept"
    with Sink(kept) as sink:
        yard = Path(__file__).with_name("yardstick.py")
        subprocess.run([sys.executable, yard, str(sink.port), log], check=True)
        _settled(sink)
    theirs = set(_octet_counted(kept.read_bytes()))
    data = folder / "logship"
    shutil.rmtree(data, ignore_errors=True)
    with Sink(kept) as sink:
        config = {
            "log_files": [str(log)],
            "timezone": "UTC",
            "search": False,
            "policing": {"debug_records_per_second": 0},
            "receivers": [
                {"type": "syslog", "host": "127.0.0.1", "port": sink.port, "framing": "octet-counting"},
            ],
        }
        command = [sys.executable, Path(__file__).with_name("ours.py"), data, json.dumps(config)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            _settled(sink)
            process.communicate()
    ours = list(_octet_counted(kept.read_bytes()))
    assert len(ours) == len(set(ours)) == len(theirs) == _SAME, (len(ours), len(theirs))
    return len(theirs - set(ours))


def _settled(sink: Sink) -> None:
    """Until something came, and then nothing for a second."""
    size = 0
    while not size or size != sink.bytes():
        size = sink.bytes()
        time.sleep(1)


def _octet_counted(data: bytes) -> Iterator[bytes]:
    """The messages: what follows the structured data."""
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = space + 1 + int(data[at:space])
        yield data[space + 1 : end].split(b"] ", 1)[1]
        at = end
