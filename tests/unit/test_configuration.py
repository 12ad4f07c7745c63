"""Configuration errors name the key, what was found and what is allowed."""

import json
from pathlib import Path

import msgspec
import pytest

from voltscope.configuration import Config, load
from voltscope.errors import ConfigError, VoltscopeError
from voltscope.site import Site, find_site


class Inner(Config, frozen=True, kw_only=True):
    port: int = 1
    names: list[str] = msgspec.field(default_factory=list)


class Outer(Config, frozen=True, kw_only=True):
    http: Inner = msgspec.field(default_factory=Inner)
    seconds: float


@pytest.mark.parametrize(
    ("given", "key", "found", "allowed"),
    [
        ({"seconds": 1, "colour": 2}, "colour", "unknown key", "http, seconds"),
        ({"seconds": 1, "http": {"prot": 2}}, "http.prot", "unknown key", "port, names"),
        ({}, "seconds", "nothing", "required"),
        ({"seconds": "soon"}, "seconds", "'soon'", "float"),
        ({"seconds": 1, "http": {"port": "x" * 200}}, "http.port", "xxx...", "int"),
        ({"seconds": 1, "http": {"names": ["a", 5]}}, "http.names[1]", "5", "str"),
    ],
)
def test_an_error_names_key_found_and_allowed(given, key, found, allowed):
    with pytest.raises(ConfigError) as caught:
        load(Outer, given)
    assert caught.value.key == key
    assert found in caught.value.found and allowed in caught.value.allowed
    assert key in str(caught.value)


def test_what_is_allowed_is_loaded():
    assert load(Outer, {"seconds": 2, "http": {"port": 3}}) == Outer(seconds=2.0, http=Inner(port=3))


def test_a_site_file_is_found_by_argument_and_by_environment(tmp_path, monkeypatch):
    file = tmp_path / "site.json"
    file.write_text(json.dumps({"site": "campus", "volttron_home": "/vh"}))
    assert find_site(file).site == "campus"
    monkeypatch.setenv("VOLTSCOPE_SITE", str(file))
    assert str(find_site().log_store_path) == "/vh/voltscope/logship/spool"


def test_no_site_file_means_defaults_below_volttron_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VOLTSCOPE_SITE", raising=False)
    monkeypatch.setenv("VOLTTRON_HOME", str(tmp_path / "vh"))
    assert find_site() == Site(volttron_home=str(tmp_path / "vh"))


def test_every_key_of_the_site_file_is_documented():
    document = (Path(__file__).parents[2] / "docs/console.md").read_text()
    assert [key for key in Site.__struct_fields__ if f"`{key}`" not in document] == []


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_named_site_file_that_cannot_be_used_is_an_error(tmp_path, content):
    file = tmp_path / "site.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(VoltscopeError, match="site"):
        find_site(file)
