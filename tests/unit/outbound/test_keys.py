"""Which addresses configurations may name."""

from __future__ import annotations

import pytest

from voltscope.configuration import load
from voltscope.errors import ConfigError
from voltscope.outbound.keys import ServerKeys


@pytest.mark.parametrize("url", ["http://h:65536", "http://h:http", "http://h:0", "http://:80", "h:80", "http://h?a=b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"urls are http\(s\)://host:port"):
        load(ServerKeys, {"urls": ["http://good:80", url]})


@pytest.mark.parametrize("url", ["http://h", "http://h:/", "https://[::1]:9200/below", "HTTP://H:1"])
def test_what_is_one_is_taken(url: str) -> None:
    assert load(ServerKeys, {"urls": [url]}).urls == (url,)


def test_a_scheme_in_capitals_is_the_same() -> None:
    assert load(ServerKeys, {"urls": ["HTTPS://h"], "ca_file": "ca.pem"}).ca_file == "ca.pem"
