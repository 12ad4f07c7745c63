"""Saved searches: kept whole and private, bounded, and never lost to a bad one."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from voltscope.errors import SavedSearchError
from voltscope.search.query import parse
from voltscope.search.saved import BUILT_IN, MOST, SavedSearches
from voltscope.site import Site


@pytest.fixture
def searches(tmp_path: Path) -> SavedSearches:
    return SavedSearches.of(Site(volttron_home=str(tmp_path)))


def test_without_a_file_there_are_the_built_in_ones_and_all_can_be_read(searches: SavedSearches) -> None:
    assert [saved.name for saved in searches.all()] == ["Errors", "Driver failures", "Historian trouble", "Restarts"]
    for saved in BUILT_IN:
        parse(saved.query)
    assert not searches.file.exists()


def test_a_search_is_kept_under_its_name_for_our_eyes_only(searches: SavedSearches) -> None:
    searches.save({"name": " Night shift ", "query": "level>=error", "since": "6h"}, "operator")
    (kept,) = searches.all()[len(BUILT_IN) :]
    assert (kept.name, kept.query, kept.since, kept.by) == ("Night shift", "level>=error", "6h", "operator")
    assert stat.S_IMODE(searches.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(searches.file.parent.stat().st_mode) == 0o700
    searches.save({"name": "night SHIFT", "query": "pump"}, "other")
    assert [(saved.query, saved.by) for saved in searches.all()[len(BUILT_IN) :]] == [("pump", "other")]
    assert searches.named("NIGHT shift").query == "pump"
    assert [path.name for path in searches.file.parent.iterdir()] == ["searches.json"]
    searches.delete("Night Shift")
    assert searches.all() == list(BUILT_IN)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"name": "  "},
        {"name": "x" * 61},
        {"name": "a\x1b[2J"},
        {"name": "x", "query": 5},
        {"name": "x", "query": "y" * 2001},
        {"name": "errors", "query": "y"},
        {"name": "x", "level": "loud"},
        {"name": "x", "since": "1795000000"},
    ],
)
def test_a_search_nobody_could_use_is_refused(searches: SavedSearches, asked: dict[str, object]) -> None:
    with pytest.raises(SavedSearchError):
        searches.save(asked, "operator")
    assert not searches.file.exists()


def test_there_is_an_end_to_searches(searches: SavedSearches) -> None:
    searches.save({"name": "0", "query": "x"}, "operator")
    document = json.loads(searches.file.read_text())
    document["searches"] = [{**document["searches"][0], "name": str(number)} for number in range(MOST)]
    searches.file.write_text(json.dumps(document))
    with pytest.raises(SavedSearchError, match="100 searches"):
        searches.save({"name": "one more", "query": "x"}, "operator")
    searches.save({"name": "7", "query": "changed"}, "operator")


def test_built_in_searches_stay_and_unknown_ones_are_named(searches: SavedSearches) -> None:
    with pytest.raises(SavedSearchError, match="stays"):
        searches.delete("errors")
    with pytest.raises(SavedSearchError, match="Historian trouble"):
        searches.named("nobody's")


@pytest.mark.parametrize(
    "content", ["not json", "[]", '{"version": 2, "searches": []}', '{"version": 1, "searches": [3]}']
)
def test_a_file_that_is_no_good_is_named_and_not_replaced(searches: SavedSearches, content: str) -> None:
    searches.file.parent.mkdir(parents=True)
    searches.file.write_text(content)
    with pytest.raises(SavedSearchError, match=r"searches\.json cannot be read"):
        searches.save({"name": "x", "query": "y"}, "operator")
    assert searches.file.read_text() == content
