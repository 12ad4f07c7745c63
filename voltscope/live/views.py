"""What the live views show: the documents that stream from a source to the page, one type a view.

Times are seconds, moments seconds since the epoch, shares 0 to 1.
"""

from __future__ import annotations

import enum

import msgspec


class View(str, enum.Enum):
    """What can be watched."""

    GREENLETS = "greenlets"
    CALL_GRAPH = "call-graph"
    FLOW = "flow"
    SYSCALLS = "syscalls"


class Place(msgspec.Struct, frozen=True):
    """A line of code. `file` is the full path as the interpreter knows it, or `<string>` and its like."""

    function: str
    file: str
    line: int


class Greenlet(msgspec.Struct, frozen=True, kw_only=True):
    """One greenlet. `number`: the probe's own, never used again. `state`: `running` (its
    stack is the thread's now), `waiting` (parked), `ready` (to be switched to) or `new` (not begun yet).

    `waits_s`: since when it is parked, None when it is not; `at_least`: the probe did not see it being parked, and
    knows only that it has waited so long. `age_s`: since the probe first saw it. `spawned`: where it was spawned,
    innermost first (a `None`-less tuple, empty where gevent kept none). `stack`: innermost first.
    """

    number: int
    name: str
    state: str
    waits_s: float | None
    at_least: bool
    age_s: float
    spawned: tuple[Place, ...]
    stack: tuple[Place, ...]


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One greenlet that kept the hub from running. `stack`: seen during it, innermost first; empty when too short."""

    at: float
    seconds: float
    greenlet: str
    stack: tuple[Place, ...]


class Switches(msgspec.Struct, frozen=True, kw_only=True):
    """Time between switches, the hub's own waiting left out. `buckets`: upper bounds in seconds, not cumulative, with
    the last one infinite (None). `blocks`: the longest, longest first.
    """

    buckets: tuple[tuple[float | None, int], ...]
    blocks: tuple[Block, ...]


class Greenlets(msgspec.Struct, frozen=True, kw_only=True, tag_field="view", tag="greenlets"):
    """All greenlets at a moment. `count`: all there are, `left_out`: those not told for want of room, the shortest
    waiters. `folded`: the wall-clock stacks since the session began, root first, `frame;frame` to samples; each is
    rooted at the spawn site. `switches`: None while they are not timed.
    """

    at: float
    count: int
    left_out: int
    greenlets: tuple[Greenlet, ...]
    folded: dict[str, int]
    samples: int
    switches: Switches | None


class Node(msgspec.Struct, frozen=True):
    """A function in a call graph. `own`, `total`: its share of all time, in it alone and with what it called."""

    id: int
    place: Place
    own: float
    total: float


class Edge(msgspec.Struct, frozen=True):
    """`caller` and `callee` are ids of nodes. `count`: samples that showed the call, or calls where they are exact."""

    caller: int
    callee: int
    count: int


class CallGraph(msgspec.Struct, frozen=True, kw_only=True, tag_field="view", tag="call-graph"):
    """The graph since the session began; ids stay the same through it. `samples`: what the shares are of.

    `unit` of the edges' counts: `samples` or `calls`. `left_out`: functions not told, the ones with the least time.
    """

    at: float
    seconds: float
    samples: int
    unit: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One event of a flow: `kind` is `call`, `return`, `c-call`, `c-return`, `line` or `seen` (in a sample).

    `at`: seconds since the session began. `track`: the greenlet's or thread's number. `place`: index into the flow's
    places. `depth`: 0 for the outermost seen.
    """

    at: float
    track: int
    kind: str
    place: int
    line: int
    depth: int


class Flow(msgspec.Struct, frozen=True, kw_only=True, tag_field="view", tag="flow"):
    """The steps since the last update, in order. `places`: those that are new, by index. `tracks`: names of new ones.

    `dropped`: steps so far that there was no room for: what follows a gap is marked by it.
    """

    at: float
    steps: tuple[Step, ...]
    places: dict[int, Place]
    tracks: dict[int, str]
    dropped: int


class Syscall(msgspec.Struct, frozen=True, kw_only=True):
    """One system call since the session began. `recent`: calls a second over the last update. `errors` and `seconds`
    (in it, all calls together) are None where the source does not count them; `slowest_s` likewise.
    """

    name: str
    count: int
    recent: float
    errors: int | None
    seconds: float | None
    slowest_s: float | None


class Syscalls(msgspec.Struct, frozen=True, kw_only=True, tag_field="view", tag="syscalls"):
    """All system calls of the process, most first."""

    at: float
    seconds: float
    calls: tuple[Syscall, ...]


Update = Greenlets | CallGraph | Flow | Syscalls
