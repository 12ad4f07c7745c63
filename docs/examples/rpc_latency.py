"""How long each RPC method of a VOLTTRON agent takes: `sudo python rpc_latency.py PID [SECONDS]`.

Measured in the agent, by the probes of its interpreter (one with USDT, as Debian's /usr/bin/python3): from the call of
the exported function by VOLTTRON's RPC dispatcher (`Dispatcher.method` in its subsystems/rpc.py) to its return. What
the function waits for is in it; the way of request and answer over the bus is not. A method that needs a capability is
called through VOLTTRON's `checked_method`, and shows by that name. Two calls of one function at a time cannot be told
apart: they are counted, and not timed. The agent runs far slower meanwhile: keep it short.
"""

import sys
from pathlib import Path

from voltscope.live import Aggregate, Tracer
from voltscope.live.usdt import probed_file

SCRIPT = """
usdt:$1:python:function__entry {
    if (@dispatching[tid]) {
        @dispatching[tid] = 0;
        if (@running[tid, arg1]) {
            @overlapping[str(arg1)] = count();
        }
        @running[tid, arg1]++;
        @began[tid, arg1] = nsecs;
    } else if (str(arg1) == "method" && strcontains(str(arg0), "subsystems/rpc.py")) {
        @dispatching[tid] = 1;
    }
}
usdt:$1:python:function__return /@running[tid, arg1]/ {
    @running[tid, arg1]--;
    if (@running[tid, arg1] == 0 && @began[tid, arg1]) {
        @microseconds[str(arg1)] = hist((nsecs - @began[tid, arg1]) / 1000);
        @times[str(arg1)] = stats((nsecs - @began[tid, arg1]) / 1000);
    }
    @began[tid, arg1] = 0;
}
/* CPython 3.11 looks at function__entry only while somebody listens to its lines */
usdt:$1:python:line /0/ { }
END { clear(@dispatching); clear(@running); clear(@began); }
"""


def main() -> None:
    """Traces, then prints each method with its calls, their mean and the slowest."""
    pid, seconds = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    interpreter = probed_file(pid)
    if interpreter is None:
        sys.exit(f"the interpreter of process {pid} has no USDT probes: {Path(f'/proc/{pid}/exe').readlink()}")
    words: dict[str, dict[str, str]] = {}

    def walk(entry: Aggregate) -> None:
        if entry.name == "@times":
            said = f"{entry.value.count:7,} calls, {entry.value.average:9,} µs each"
        elif entry.name == "@microseconds":
            slowest = [bucket for bucket in entry.value if bucket.count][-1]
            said = f"the slowest {slowest.low:,} to {slowest.high:,} µs"
        else:
            said = f"{entry.value:,} began while another one ran"
        words.setdefault(str(entry.key[0]), {})[entry.name] = said

    with Tracer(SCRIPT, [interpreter], pid=pid, environment={"BPFTRACE_STRLEN": "120"}) as tracer:
        tracer.run(seconds, on_aggregate=walk)
    for method, said in sorted(words.items()):
        told = (said[name] for name in ("@times", "@microseconds", "@overlapping") if name in said)
        print(f"{method:32} {', '.join(told)}")


if __name__ == "__main__":
    main()
