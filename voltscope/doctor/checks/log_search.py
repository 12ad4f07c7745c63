"""The store in which logs are searched: it answers, has this site's records, and finds them by their words."""

from __future__ import annotations

from collections.abc import Iterator

from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import TIMEOUT_S, World
from voltscope.errors import StoreError


def log_search(world: World) -> Iterator[Finding]:
    """Where the site file names one; the spool needs no looking after."""
    named = world.site.log_search
    if named is None:
        return
    from voltscope.search.opensearch import OpenSearchSearcher

    where = f"{named.index} at {named.url}"
    try:
        searcher = OpenSearchSearcher(named.keys, named.index, world.site.site, world.site.instance, TIMEOUT_S)
        try:
            remark = searcher.remark()
        finally:
            searcher.close()
    except StoreError as error:
        yield Finding("log_search", FAIL, error.message, error.remedy)
        return
    if remark is not None:
        yield Finding("log_search", WARN, remark, "docs/logs.md, “Searching in OpenSearch”, says what it takes.")
    else:
        yield Finding("log_search", OK, f"records of {world.site.site} are found in {where}.")
