"""A store to ask: records in segments that are being written, sealed or indexed."""

from __future__ import annotations

from collections.abc import Callable

from spool_writer import SpoolWriter

from voltscope.logs.record import Hit, Record
from voltscope.logs.spool import Limits
from voltscope.search.searcher import Wish
from voltscope.search.store import Store

SMALL = Limits(segment_bytes=64 * 1024)


def a_record(number: int, text: str, agent: str = "listener", level: int = 20, logger: str = "demo.agent_x") -> Record:
    return Record(1_000_000 + number * 1000, level, agent, logger, text, number * 100, 100, pid=7)


FOUR = (
    a_record(0, "starting up"),
    a_record(1, "cannot write row", "platform.historian", 40),
    a_record(2, "wrote 5 rows to base_historian", "platform.historian", 10),
    a_record(3, "fatal: no disk", "platform.driver", 50),
)


def seal(writer: SpoolWriter) -> None:
    """End the segment: one that a crash left with a torn frame is not written on."""
    writer.close()
    newest = max(writer.folder.glob("*.seg"))
    with newest.open("ab") as file:
        file.write(b"torn")
    writer.spool = SpoolWriter(writer.folder, limits=SMALL).spool
    writer.add()


def ids(hits: list[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def search(
    store: Store, query: str = "", limit: int = 100, before_id: int | None = None, **filters: str | float
) -> list[Hit]:
    wish = Wish(query, **filters)  # type: ignore[arg-type]
    return list(store.find(wish, limit, None if before_id is None else str(before_id)).hits)


def tail(store: Store, after_id: int = 0, query: str = "", limit: int = 500, **filters: str | float) -> list[Hit]:
    return store.follow(Wish(query, **filters), str(after_id), limit)  # type: ignore[arg-type]


def fill(writer: SpoolWriter, records: int, text: Callable[[int], str], frame: int = 50) -> None:
    start = writer.spool.last
    for number in range(start, start + records, frame):
        writer.add(
            *[
                a_record(n, text(n), f"agent{n % 7}", (10, 20, 20, 20, 40)[n % 5], f"log.ger{n % 3}")
                for n in range(number, min(number + frame, start + records))
            ]
        )


def text_of(number: int) -> str:
    return f"many words of filling {number} " + ("marked " if number % 97 == 0 else "") + "x" * 60
