"""How often and for how long garbage collections pause a Python process: `sudo python gc_pauses.py PID [SECONDS]`.

Its interpreter must have USDT probes, as Debian's /usr/bin/python3 has. No thread of it runs Python code meanwhile.
"""

import sys
from pathlib import Path

from voltscope.live import Aggregate, Event, Tracer
from voltscope.live.usdt import probed_file

SCRIPT = """
usdt:$1:python:gc__start { @began[tid] = nsecs; @generation[tid] = arg0; }
usdt:$1:python:gc__done /@began[tid]/ {
    $took = (nsecs - @began[tid]) / 1000;
    @microseconds[@generation[tid]] = hist($took);
    if ($took > 10000) {
        printf("a collection of generation %d took %d ms, and freed %d objects\\n",
            @generation[tid], $took / 1000, arg0);
    }
    delete(@began[tid]);
}
END { clear(@began); clear(@generation); }
"""


def main() -> None:
    """Prints each long pause as it happens, and the histogram of all of them for each generation."""
    pid, seconds = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    interpreter = probed_file(pid)
    if interpreter is None:
        sys.exit(f"the interpreter of process {pid} has no USDT probes: {Path(f'/proc/{pid}/exe').readlink()}")

    def event(line: Event) -> None:
        print(line.text, flush=True)

    def walk(entry: Aggregate) -> None:
        print(f"generation {entry.key[0]}")
        for bucket in entry.value:
            print(f"{bucket.low:12,} to {bucket.high:9,} µs {bucket.count:8,}")

    with Tracer(SCRIPT, [interpreter], pid=pid) as tracer:
        tracer.run(seconds, on_event=event, on_aggregate=walk)


if __name__ == "__main__":
    main()
