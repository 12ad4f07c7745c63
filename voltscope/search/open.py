"""Where a site's log records are found: in OpenSearch when its site file names one, else in the spool."""

from __future__ import annotations

from voltscope.search.searcher import Searcher
from voltscope.site import Site


def open_searcher(site: Site) -> Searcher:
    """The caller closes it. Raises StoreError when there is no spool, or files named in `log_search` cannot be used."""
    if site.log_search is not None:
        from voltscope.search.opensearch import OpenSearchSearcher  # an HTTP client: only who asks for it pays for it

        return OpenSearchSearcher(site.log_search.keys, site.log_search.index, site.site, site.instance)
    from voltscope.search.store import Store

    return Store.open(site.log_store_path)
