"""Which files a process reads, how often and how much: `sudo python reads_by_file.py PID [SECONDS]`."""

import sys
from pathlib import Path

from voltscope.live import Aggregate, Tracer

SCRIPT = """
/* A descriptor's file is known here only when it was opened meanwhile; the others are looked up in /proc. */
tracepoint:syscalls:sys_enter_openat /pid == $1/ { @opening[tid] = str(args->filename); }
tracepoint:syscalls:sys_exit_openat /pid == $1 && args->ret >= 0/ { @name[args->ret] = @opening[tid]; }
tracepoint:syscalls:sys_enter_close /pid == $1/ { delete(@name[args->fd]); }

tracepoint:syscalls:sys_enter_read /pid == $1/ { @descriptor[tid] = args->fd + 1; }
tracepoint:syscalls:sys_exit_read /pid == $1 && @descriptor[tid] && args->ret >= 0/ {
    $fd = @descriptor[tid] - 1;
    @reads[$fd, @name[$fd]] = count();
    @bytes[$fd, @name[$fd]] = sum(args->ret);
    delete(@descriptor[tid]);
}
END { clear(@opening); clear(@name); clear(@descriptor); }
"""


def main() -> None:
    """Traces, then prints a line for each file, the most read first."""
    pid, seconds = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    found: dict[str, dict[str, int]] = {}

    def walk(entry: Aggregate) -> None:
        descriptor, name = entry.key
        totals = found.setdefault(str(name) or opened_before(pid, descriptor), {"@reads": 0, "@bytes": 0})
        totals[entry.name] += entry.value

    with Tracer(SCRIPT, [pid], pid=pid, environment={"BPFTRACE_STRLEN": "80"}) as tracer:
        outcome = tracer.run(seconds, on_aggregate=walk)
    for name, totals in sorted(found.items(), key=lambda item: -item[1]["@bytes"]):
        print(f"{totals['@bytes']:12,} bytes {totals['@reads']:8,} reads  {name}")
    if outcome.lost:
        print(f"{outcome.lost} events were lost")


def opened_before(pid: int, descriptor: object) -> str:
    """The file, or socket, behind a descriptor that was there already."""
    try:
        return str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
    except OSError:
        return f"descriptor {descriptor}, closed since"


if __name__ == "__main__":
    main()
