"""What the store finds and counts, beside the plainest reading of every query, a record at a time."""

from __future__ import annotations

import functools
import operator
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from spool_writer import SpoolWriter

from voltscope.errors import QueryError
from voltscope.logs.record import LEVELS, STDERR, STDOUT, Hit, Record
from voltscope.logs.spool import Limits
from voltscope.search.fields import Field
from voltscope.search.query import parse
from voltscope.search.searcher import Wish
from voltscope.search.segment_index import index_sealed
from voltscope.search.store import Store
from voltscope.search.syntax import All, Any, Compared, Everything, Node, Not, Operator, Present, Words
from voltscope.search.tokens import words_of

RECORDS, BEGAN = 300, 1_795_230_000_000
AGENTS = ("platform.driver", "platform.historian", "listener-1", "Wetter.Süd", "")
LOGGERS = ("volttron.driver", "sqlite3", "agent_x", "")
WORDS = (
    "disk",
    "full",
    "timed",
    "out",
    "row",
    "Überlauf",
    "ΟΔΟΣ",
    "日本",
    "error",
    "driver",
    "a_b",
    "x" * 50,
    "\0",
    "\ue000",
)
FAILURES = ("ValueError: bad disk", "gevent.timeout.Timeout", "no type here", "KeyError: 'timed out'")
ORDERS = {
    Operator.EQUAL: operator.eq,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.MORE: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


def _records(chance: random.Random) -> list[Record]:
    made, at = [], BEGAN
    for number in range(RECORDS):
        at += chance.choice((-500, 0, 1, 20, 1000))
        text = " ".join(chance.choices(WORDS, k=chance.randrange(8)))
        if chance.random() < 0.2:
            text += f'\nTraceback (most recent call last):\n  File "{chance.choice(WORDS[:4])}.py"\n'
            text += chance.choice(FAILURES)
        made.append(
            Record(
                at, chance.choice(list(LEVELS.values())), chance.choice(AGENTS), chance.choice(LOGGERS), text.strip(),
                number * 100, 100, chance.choice((None, 7, 7000)), chance.choice((None, 1, 20)),
                chance.choice((None, "1.2", "")), chance.choice((0, 0, STDOUT, STDERR)),
            )
        )  # fmt: skip
    return made


@pytest.fixture(scope="module", params=["being written", "indexed", "both"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    big = request.param == "being written"
    limits = Limits() if big else Limits(segment_bytes=10_000)
    writer = SpoolWriter(tmp_path_factory.mktemp("evaluation") / "spool", limits=limits)
    records = _records(random.Random(6))
    for begin in range(0, RECORDS, 20):
        writer.add(*records[begin : begin + 20])
        if request.param == "both" and begin == 120:
            index_sealed(writer.folder)
    if request.param == "indexed":
        index_sealed(writer.folder)
    indexes, segments = (len(list(writer.folder.glob(f"*.{suffix}"))) for suffix in ("idx", "seg"))
    assert (indexes, segments) == (0, 1) if big else 0 < indexes < segments
    store = Store.open(writer.folder)
    yield store
    store.close()
    writer.close()


@pytest.fixture(scope="module")
def everything(store: Store) -> list[Hit]:
    hits = list(store.find(Wish(), RECORDS + 1).hits)
    assert [hit.id for hit in hits] == list(range(RECORDS, 0, -1))
    return hits


# The plainest reading


def _values(hit: Hit) -> dict[str, str | int | None]:
    return {
        "message": hit.message, "stack": hit.stack, "agent": hit.agent, "level": LEVELS[hit.level],
        "logger": hit.logger, "error": hit.failure.type if hit.failure else None, "version": hit.version or None,
        "file": hit.path, "host": hit.host, "site": hit.labels["site"], "instance": hit.labels["instance"],
        "stream": hit.stream, "id": hit.event_id, "pid": hit.pid, "line": hit.line, "sequence": hit.id,
        "time": round(hit.timestamp * 1000),
    }  # fmt: skip


_words = functools.cache(words_of)


def _occurs(node: Words, text: str) -> bool:
    words, sought = _words(text), _words(node.text)
    for begin in range(len(words) - len(sought) + 1):
        here = words[begin : begin + len(sought)]
        if here == sought or (node.prefix and here[:-1] == sought[:-1] and here[-1].startswith(sought[-1])):
            return True
    return False


def _text(field: Field | str, values: dict[str, str | int | None], hit: Hit) -> str:
    name = field if isinstance(field, str) else field.name
    return hit.level if name == "level" else str(values[name] or "")


def holds(node: Node, hit: Hit) -> bool:
    """Whether the record is one the tree is about."""
    values = _values(hit)
    if isinstance(node, Not):
        return not holds(node.part, hit)
    if isinstance(node, (All, Any)):
        return (all if isinstance(node, All) else any)(holds(part, hit) for part in node.parts)
    if isinstance(node, Words):
        fields = ("message", "stack", "level", "agent", "logger") if node.field is None else (node.field,)
        return any(_occurs(node, _text(field, values, hit)) for field in fields)
    if isinstance(node, Compared):
        value = values[node.field.name]
        return value is not None and bool(ORDERS[node.operator](value, node.value))
    if isinstance(node, Present):
        return values[node.field.name] is not None
    assert isinstance(node, Everything)
    return True


_known: dict[str, set[int]] = {}  # the records are the same for every store


def _expected(everything: list[Hit], query: str) -> list[Hit]:
    if query not in _known:
        tree = parse(query)
        _known[query] = {hit.id for hit in everything if holds(tree, hit)}
    return [hit for hit in everything if hit.id in _known[query]]


# Queries

LEAVES = (
    *(
        "disk",
        "disk*",
        '"timed out"',
        '"timed ou"*',
        "überlauf",
        "ΟΔΟΣ",
        "οδος",
        "日本",
        "日*",
        "error",
        "driver",
        "err*",
    ),
    *("a_b", "a", "xxxx*", "nowhere", '"out timed"', '"full Traceback"', "platform", "agent_x", "python", "3"),
    *("message:disk", "stack:disk", "stack:file", 'message:"timed out"', "message:valueerror", "stack:*", "message:*"),
    *(
        "agent:platform",
        "agent:süd",
        "agent:plat*",
        "agent=platform.driver",
        "agent=driver",
        'agent:"driver"',
        "agent:*",
    ),
    *("logger:(sqlite3 or driver)", "logger=sqlite3", "logger:sql*", "level:error", "level>=warning", "level<info"),
    *(
        "error:valueerror",
        "error=ValueError",
        "error=valueerror",
        "error:*",
        "error:timeout",
        "version=1.2",
        "version:*",
    ),
    *("file:log", "host=host", "host:ho*", "site:test", "instance=volttron1", "instance:volttron2", "stream:stdout"),
    *("stream:*", "pid:7", "pid>7", "pid<=7", "pid:*", "line<20", "line>=20", "line:*", "sequence>150", "sequence<=21"),
    *("sequence=100", "sequence:*", "time:*", "time>=2026-11-21T03:00:30Z", "time<2026-11-21T03:00:10.250Z", "id:*"),
    *("id:zz", "time=2026-11-21T03:00:00Z", "sequence>9999", "time>2030-01-01Z"),
)


def _query(chance: random.Random, depth: int = 0) -> str:
    kind = chance.random()
    if depth > 3 or kind < 0.35:
        return chance.choice(LEAVES)
    if kind < 0.5:
        return f"not {_query(chance, depth + 1)}"
    joint = chance.choice((" ", " and ", " or ", " or "))
    return f"({joint.join(_query(chance, depth + 1) for _ in range(chance.randrange(2, 4)))})"


@functools.cache
def _queries() -> list[str]:
    chance = random.Random(12)
    return [*LEAVES, *(f"not {leaf}" for leaf in LEAVES), *(_query(chance) for _ in range(120))]


def test_the_store_finds_what_the_query_says(store: Store, everything: list[Hit]) -> None:
    finding = 0
    for query in _queries():
        expected = [hit.id for hit in _expected(everything, query)]
        assert [hit.id for hit in store.find(Wish(query), RECORDS + 1).hits] == expected, query
        finding += 0 < len(expected) < RECORDS
    assert finding > 150


def test_pages_and_what_follows_join(store: Store, everything: list[Hit]) -> None:
    chance = random.Random(3)
    for query in chance.sample(_queries(), 40):
        expected = [hit.cursor for hit in _expected(everything, query)]
        found: list[str] = []
        page = store.find(Wish(query), 60)
        found += [hit.cursor for hit in page.hits]
        while page.before is not None:
            page = store.find(Wish(query), 60, page.before)
            assert page.hits, query
            found += [hit.cursor for hit in page.hits]
        assert found == expected, query
        after = str(chance.randrange(RECORDS))
        follow = [hit.cursor for hit in store.follow(Wish(query), after, RECORDS)]
        assert follow == [cursor for cursor in expected[::-1] if int(cursor) > int(after)], query


def test_counts_are_of_what_is_found(store: Store, everything: list[Hit]) -> None:
    chance = random.Random(4)
    for query in chance.sample(_queries(), 60):
        since, until = chance.choice(((None, None), (BEGAN / 1000 + 20.25, BEGAN / 1000 + 60)))
        wish = Wish(query, since=since, until=until)
        found = [
            hit for hit in _expected(everything, query) if (since is None or since <= hit.timestamp <= (until or 0))
        ]
        facets = store.facets(wish, ("agent", "level", "logger", "error", "stream"), 3, 60.0)
        assert (facets.total, facets.complete) == (len(found), True), query
        for facet in facets.facets:
            values = Counter(str(v) for h in found if (v := _facet(facet.field, h)) is not None)
            expected = sorted(values.items(), key=lambda item: (-item[1], item[0]))
            assert (list(facet.values), facet.others) == (expected[:3], sum(n for _, n in expected[3:])), query
        histogram = store.histogram(wish, chance.choice((1, 7, 60)), 60.0)
        assert histogram.complete and list(histogram.counts) == list(LEVELS)
        for level, counts in histogram.counts.items():
            times = [hit.timestamp for hit in found if hit.level == level]
            spans = Counter(int((time - histogram.start) // histogram.step) for time in times)
            assert counts == [spans[span] for span in range(len(counts))], query


def _facet(name: str, hit: Hit) -> str | int | None:
    if name == "error":
        return hit.failure.type if hit.failure else None
    value: str | None = getattr(hit, name)
    return value


def test_an_id_finds_its_record(store: Store, everything: list[Hit]) -> None:
    for hit in everything[::97]:
        for query in (f"id={hit.event_id}", f"id:{hit.event_id}", f"id:{hit.event_id[:31]}*"):
            assert hit.id in [found.id for found in store.find(Wish(query)).hits]
        assert [found.id for found in store.find(Wish(f"id={hit.event_id}")).hits] == [hit.id]
    generation = everything[0].event_id[:20]
    assert len(store.find(Wish(f"id:{generation}*"), RECORDS + 1).hits) == RECORDS
    for query in (
        f"id={generation}",
        f"id:{generation}",
        f"id={everything[0].event_id}0",
        "id:0*",
        f"id:{generation}zz*",
    ):
        assert not store.find(Wish(query)).hits


def test_neighbours_of_a_record(store: Store, everything: list[Hit]) -> None:
    def ids(cursor: str, **asked: int | str) -> list[int]:
        return [hit.id for hit in store.context(cursor, **asked)]  # type: ignore[arg-type]

    assert ids("150", before=2, after=3) == [148, 149, 150, 151, 152, 153]
    assert ids("1", before=5, after=1) == [1, 2]
    assert ids(str(RECORDS), before=1) == [RECORDS - 1, RECORDS]
    agent = everything[-150].agent
    near = [hit.id for hit in reversed(everything) if hit.agent == agent or hit.id == 150]
    at = near.index(150)
    assert ids("150", before=4, after=4, agent=agent) == near[at - 4 : at + 5]
    assert ids("0", after=2) == [1, 2]


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1.5", "ULID.7", "9" * 30, "٣", "1 "])
def test_a_cursor_of_another_place_is_an_error_of_the_query(store: Store, cursor: str) -> None:
    for ask in (
        lambda: store.find(Wish(), 1, cursor),
        lambda: store.follow(Wish(), cursor),
        lambda: store.context(cursor),
    ):
        with pytest.raises(QueryError, match="no place"):
            ask()


def test_a_field_that_is_not_counted_is_an_error_of_the_query(store: Store) -> None:
    with pytest.raises(QueryError, match="'pid', but by agent"):
        store.facets(Wish(), ["agent", "pid"])


def test_counting_that_takes_too_long_begins_with_the_newest_and_says_so(store: Store) -> None:
    whole = store.histogram(Wish("disk"), 60, 60.0)
    part = store.histogram(Wish("disk"), 60, 0.0)
    facets = store.facets(Wish("disk"), ["agent"], 10, 0.0)
    segments = len(list(store.folder.glob("*.seg")))
    assert part.complete == facets.complete == (segments == 1)
    if segments > 1:
        assert part.counted_from is not None and part.counted_from > part.start
        assert 0 < sum(map(sum, part.counts.values())) == facets.total < sum(map(sum, whole.counts.values()))
    assert whole.counted_from is None


def test_the_deepest_and_the_longest_query_is_answered(store: Store) -> None:
    for query in ("(" * 50 + "disk" + ")" * 50, "disk or " * 199 + "disk", " ".join(["not (disk"] * 50) + ")" * 50):
        assert store.find(Wish(query), 5).hits
    for query in ("disk not full or " * 99 + "row", "(a or not (b " * 25 + "c" + "))" * 25):
        store.find(Wish(query), 5)
