"""Where a site file says its records are found, and what it must not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from spool_writer import SpoolWriter

from voltscope.errors import ConfigError, StoreError
from voltscope.search.open import open_searcher
from voltscope.search.opensearch import OpenSearchSearcher
from voltscope.search.store import Store
from voltscope.site import Site, find_site

NOWHERE = "http://127.0.0.1:1"


def site(folder: Path, **log_search: Any) -> Site:
    file = folder / "site.json"
    file.write_text(json.dumps({"site": "s", "log_store": str(folder / "spool"), "log_search": log_search}))
    return find_site(file)


def test_without_log_search_the_spool_is_searched(tmp_path: Path) -> None:
    SpoolWriter(tmp_path / "spool").close()
    searcher = open_searcher(Site(log_store=str(tmp_path / "spool")))
    assert isinstance(searcher, Store)
    searcher.close()


def test_with_log_search_the_cluster_is(tmp_path: Path) -> None:
    searcher = open_searcher(site(tmp_path, url=NOWHERE))
    assert isinstance(searcher, OpenSearchSearcher)
    searcher.close()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "log_search.url"),
        ({"url": "ftp://x"}, "http"),
        ({"url": "http://user:hush@x"}, "no credentials"),
        ({"url": NOWHERE, "index": "UPPER"}, "log_search.index"),
        ({"url": NOWHERE, "index": "a,b"}, "log_search.index"),
        ({"url": NOWHERE, "username": "u"}, "go together"),
        ({"url": NOWHERE, "ca_file": "/x"}, "for TLS"),
        ({"url": NOWHERE, "password": "hush"}, "log_search.password: found an unknown key"),
    ],
)
def test_what_does_not_go_together_is_refused_without_the_secret(
    tmp_path: Path, keys: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        site(tmp_path, **keys)
    assert says in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("key", ["password_file", "api_key_file"])
@pytest.mark.parametrize(
    ("mode", "content", "says"), [(0o644, "hush", "0600"), (0o600, "hush\nhush", "secret alone"), (None, "", "No such")]
)
def test_a_secret_is_in_a_file_that_is_ours_alone(
    tmp_path: Path, key: str, mode: int | None, content: str, says: str
) -> None:
    file = tmp_path / "secret"
    if mode is not None:
        file.write_text(content)
        file.chmod(mode)
    more = {"username": "reader"} if key == "password_file" else {}
    with pytest.raises(StoreError) as refused:
        open_searcher(site(tmp_path, url=NOWHERE, **{key: str(file)}, **more))
    assert f"key {key}" in str(refused.value) and says in str(refused.value) and str(file) in str(refused.value)
    assert "hush" not in str(refused.value)
