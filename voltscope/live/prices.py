"""What every live source costs its target: the one table of measured figures, as told before a session begins."""

from __future__ import annotations

from voltscope.live.source import Price
from voltscope.live.views import View

_COUNTED = (
    "Little: the kernel counts, which takes half a microsecond a call. An agent makes some thousand calls a "
    "second. How long they take is told when asked for."
)
_LATENCY = (
    "Little: the kernel counts and looks at the clock twice, which takes a microsecond a call. An agent makes some "
    "thousand calls a second."
)

_STOPPED = (
    "A busy agent runs some thirteen times slower while it is watched, code that does nothing but call hundreds of "
    "times: "
    "the kernel stops it at every call, line and return. Keep it short, and do not use it where that would do harm."
)

# `slowdown` as in Price: how many times longer the target takes for the same work.
_TABLE: dict[tuple[View, str], Price] = {
    # 1,015 greenlets walked in 2.2 ms, 5 times a second (tried on CPython 3.11 with gevent 24.2)
    (View.GREENLETS, "probe"): Price(
        1.01, "Within the noise up to some hundred greenlets; a thousand cost about 1 % of a processor."
    ),
    # py-spy reads for 50 to 200 ms of its own time, and pauses the agent for some milliseconds of it
    (View.GREENLETS, "py-spy"): Price(
        1.01,
        "Little. Only threads are seen from outside, and of each the one greenlet that runs: those that wait are "
        "not shown. Enable the probe to see them all.",
    ),
    # bench/live: 1.02 (0.99 to 1.05)
    (View.CALL_GRAPH, "probe"): Price(1.02, "Little: the agent's own probe notes its stacks 100 times a second."),
    # austin reads memory and never pauses its target
    (View.CALL_GRAPH, "austin"): Price(1.0, "Nothing that could be measured: the agent is read without being paused."),
    # bench/live: 1.06 (1.01 to 1.11), attaching again and again
    (View.CALL_GRAPH, "py-spy"): Price(
        1.06,
        "Little, and it lags: the picture comes in short recordings back to back, seconds late, and what happens "
        "between two of them is not seen.",
    ),
    # bench/live: a historian-like agent 3.3 times, a program that does nothing but call 53 times
    (View.FLOW, "probe"): Price(
        3.5,
        "A busy agent runs three to four times slower while it is watched, code that does nothing but call fifty "
        "times: every call and return is noted. Keep it short, and do not use it where that would do harm.",
    ),
    # bench/live: 13.6 times; a program that does nothing but call 490 times
    (View.FLOW, "usdt"): Price(13.0, _STOPPED),
    (View.FLOW, "probed"): Price(13.0, _STOPPED),
    (View.FLOW, "sampled"): Price(
        1.0,
        "Little. Sampled: only what ran at the moment of a sample is seen, and short calls are missed.",
    ),
    # 0.3 microseconds a call where nothing but calls is made, 0.5 elsewhere, of which 0.15 are every process's; in
    # bench/live's program, which makes 40,000 a second
    (View.SYSCALLS, "bpftrace"): Price(1.03, _COUNTED),
    (View.SYSCALLS, "probed"): Price(1.03, _COUNTED),
    # bench/live: 1.45 of a program that makes 44,000 system calls a second, which bpftrace slows by 1.02
    (View.SYSCALLS, "perf-stat"): Price(
        1.45,
        "A program that does little but system calls takes half as long again, an agent hardly longer. It tells "
        "neither errors nor times, names the usual calls, and counts what its children call.",
    ),
    # 8 times at 60,000 calls a second, 13 times where there is nothing but calls
    (View.SYSCALLS, "strace"): Price(
        8.0,
        "An agent that makes many system calls runs about eight times slower, and is paused at each of them. Calls "
        "between two pieces of 0.4 s are missed. Keep it short.",
    ),
}

# Of sources that time system calls only where that is asked for: what they cost then. 0.8 to 1.2 microseconds a call.
_TIMED: dict[tuple[View, str], Price] = {
    (View.SYSCALLS, "bpftrace"): Price(1.07, _LATENCY),
    (View.SYSCALLS, "probed"): Price(1.07, _LATENCY),
}


def price(view: View, source: str) -> Price:
    """What `source` costs for `view`. Raises KeyError for a source that is not in the table."""
    return _TABLE[view, source]


def timed_price(view: View, source: str) -> Price | None:
    """What it costs when it is asked for latency; None where that changes nothing."""
    return _TIMED.get((view, source))
