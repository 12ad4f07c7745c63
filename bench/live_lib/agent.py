"""A gevent program whose greenlets are known, beside work much as a historian does it. Run as a program.

`agent.py BOARD FOLDER PARKED OBJECTS [busy]`: BOARD is the file of live_lib/board.py. PARKED greenlets wait for what
never comes, in OBJECTS more objects; FOLDER gets truth.json: where each waits, told by the program's own source. Lines
on standard input are names of greenlets to spawn beside them; each is answered by the moment it was.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent import event, fileobject, lock, monkey, queue
from profiler_lib import historian

from live_lib.board import Board
from live_lib.naming import renamed

TICK_S = 0.001


def wait_for_event() -> None:
    """As one who waits for an answer on the bus."""
    event.Event().wait()  # waits here


def wait_in_queue() -> None:
    """As one who takes work from a queue."""
    queue.Queue().get()  # waits here


def wait_asleep() -> None:
    """As a periodic one."""
    gevent.sleep(100_000)  # waits here


def wait_for_lock() -> None:
    """As one whom another does not let in."""
    lock.BoundedSemaphore(0).acquire()  # waits here


def wait_for_result() -> None:
    """As one who joins another."""
    event.AsyncResult().get()  # waits here


KINDS: tuple[Callable[[], None], ...] = (
    wait_for_event, wait_in_queue, wait_asleep, wait_for_lock, wait_for_result,
)  # fmt: skip


def line_of(kind: Callable[[], None]) -> int:
    """The line of `kind` that waits."""
    lines, first = inspect.getsourcelines(kind)
    return first + next(number for number, line in enumerate(lines) if "# waits here" in line)


def named(number: int) -> Callable[[], None]:
    """A function of its own name, so that also a tool that does not know of greenlets can tell them apart."""
    kind = KINDS[number % len(KINDS)]

    def parked() -> None:
        serve(kind)

    parked.__code__ = renamed(parked.__code__, f"parked_{number}")
    return parked


def serve(kind: Callable[[], None]) -> None:
    """A frame between, as agents have several."""
    kind()


def spawned(run: Callable[..., None], name: str, *arguments: object) -> gevent.Greenlet:
    """A greenlet of that name, begun at the hub's next turn."""
    made = gevent.spawn(run, *arguments)
    made.name = name
    return made


def make(messages: queue.Queue[str]) -> None:
    """The historian's messages. Its own maker never lets the hub look at its timers: greenlets that hand each other
    work through a queue alone starve all the others.
    """
    number = 0
    while True:
        number += 1
        points = {f"point_{index}": number * index / 7 for index in range(historian.ROWS)}
        messages.put(json.dumps([points, {name: {"units": "F"} for name in points}]))
        gevent.sleep(0)


def tick(board: Board) -> None:
    """Notes the largest excess gap between two of its turns, by the clock and of processor time."""
    before, cpu_before, resets = time.perf_counter(), time.process_time(), board.resets
    while True:
        gevent.sleep(TICK_S)
        now, cpu = time.perf_counter(), time.process_time()
        if board.resets != resets:
            resets, board.worst_s, board.worst_cpu_s = board.resets, 0.0, 0.0
        else:
            board.worst_s = max(board.worst_s, now - before - TICK_S)
            board.worst_cpu_s = max(board.worst_cpu_s, cpu - cpu_before)
        before, cpu_before = now, cpu


def take_orders() -> None:
    """Spawns a greenlet for each name on standard input, and says when."""
    for line in fileobject.FileObject(sys.stdin.buffer, "rb"):
        name = line.decode().strip()
        made = spawned(wait_in_queue, name)
        at = time.monotonic()
        KEPT.append(made)
        print(json.dumps([name, at]), flush=True)


KEPT: list[object] = []


def main() -> None:
    """Goes on until it is killed."""
    monkey.patch_all()  # as agents do
    board, folder = Board(Path(sys.argv[1])), Path(sys.argv[2])
    parked, objects = int(sys.argv[3]), int(sys.argv[4])
    KEPT.append([[number] for number in range(objects)])  # a list each: what a collector, or a scan, has to look at
    truth = {}
    for number in range(parked):
        kind = KINDS[number % len(KINDS)]
        KEPT.append(spawned(named(number), f"parked_{number}"))
        truth[f"parked_{number}"] = [kind.__name__, line_of(kind)]
    KEPT.append(spawned(tick, "tick", board))
    KEPT.append(spawned(take_orders, "take_orders"))
    others = ["tick", "take_orders"]
    if "busy" in sys.argv[5:]:
        messages: queue.Queue[str] = queue.Queue(10)
        KEPT.append(spawned(make, "make", messages))
        KEPT.append(spawned(historian.write, "write", messages, folder / "data.sqlite", board.rows))
        others += ["make", "write"]
    (folder / "truth.json").write_text(json.dumps({"parked": truth, "others": others}))
    gevent.spawn_later(0.2, print, "ready", flush=True)  # by then all of them have got to where they wait
    gevent.wait()


if __name__ == "__main__":
    main()
