"""Whether the platform's poetry needs to be told of the package index, and what it is told."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from quickstart_lib import index
from quickstart_lib.failure import StepFailed
from quickstart_lib.index import needs_remedy, poetry_project, speaks_json
from quickstart_lib.pip_settings import DEFAULT_INDEX, index_urls, pip_environment


def test_an_index_that_answers_json_is_told_from_a_plain_one(package_index: Callable[[bool], str]) -> None:
    assert speaks_json(package_index(True), {}) is True
    assert speaks_json(package_index(False), {}) is False


def test_another_index_than_the_default_needs_the_remedy_whatever_it_answers(
    package_index: Callable[[bool], str],
) -> None:
    assert needs_remedy({"PIP_INDEX_URL": package_index(True)}) is True


def test_a_network_without_pypis_test_index_needs_the_remedy(
    package_index: Callable[[bool], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = package_index(True)
    monkeypatch.setattr(index, "DEFAULT_INDEX", answers)
    monkeypatch.setattr(index, "TEST_INDEX", answers)
    assert needs_remedy({"PIP_INDEX_URL": answers}) is False
    monkeypatch.setattr(index, "TEST_INDEX", "http://127.0.0.1:1/simple")
    assert needs_remedy({"PIP_INDEX_URL": answers}) is True


def test_an_extra_index_needs_the_remedy() -> None:
    assert needs_remedy({"PIP_EXTRA_INDEX_URL": "https://packages.example.org/simple"}) is True


def test_a_silent_index_is_named_with_what_to_do() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/simple"
        with pytest.raises(StepFailed) as failed:
            speaks_json(url, {}, timeout=2)
    assert url in failed.value.why
    assert "PIP_INDEX_URL" in failed.value.remedy


def test_pips_files_are_read_in_pips_order_and_the_environment_is_left_to_win(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip/pip.conf").write_text("[global]\nindex-url = https://old.example.org/simple\ntimeout = 9\n")
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://new.example.org/simple/\nextra-index-url =\n    https://a/simple\n    https://b/simple\n"
    )
    found = pip_environment({}, tmp_path)
    assert found["PIP_INDEX_URL"] == "https://new.example.org/simple/"
    assert found["PIP_TIMEOUT"] == "9"
    assert index_urls(found) == ["https://new.example.org/simple", "https://a/simple", "https://b/simple"]
    assert index_urls({}) == [DEFAULT_INDEX]


def test_no_pip_files_are_read_when_pip_itself_is_told_not_to(tmp_path: Path) -> None:
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip/pip.conf").write_text("[global]\nindex-url = https://old.example.org/simple\n")
    assert pip_environment({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path) == {}


def test_the_project_names_the_sources_the_python_and_what_is_installed() -> None:
    text = poetry_project(
        ["https://one/simple", "https://two/simple"],
        "3.11.2",
        {"volttron-listener": "2.0.0rc3"},
        {"voltscope": "/srv/vs/source"},
    )
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    poetry = tomllib.loads(text)["tool"]["poetry"]
    assert poetry["dependencies"] == {
        "python": "~3.11.2",
        "volttron-listener": "^2.0.0rc3",
        "voltscope": {"path": "/srv/vs/source", "develop": True},
    }
    assert [(source["url"], source["priority"]) for source in poetry["source"]] == [
        ("https://one/simple/", "primary"),
        ("https://two/simple/", "supplemental"),
    ]
