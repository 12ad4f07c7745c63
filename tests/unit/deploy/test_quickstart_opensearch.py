"""OpenSearch of the quickstart: what it takes is named, what is fetched once is taken from there, and it stays put."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from quickstart_lib import opensearch, packages, setup
from quickstart_lib.account import Account
from quickstart_lib.failure import StepFailed
from quickstart_lib.report import Report
from quickstart_lib.state import Home
from servers.missing import PeerMissing, without
from servers.opensearch.node import classpath

ME = Account("me", os.geteuid(), os.getegid(), drop=False)


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has none of the programs."""
    monkeypatch.setattr(opensearch, "find_program", lambda name: None)


@pytest.mark.usefixtures("no_java")
def test_programs_that_are_missing_are_named_with_their_packages(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failed:
        opensearch.install(tmp_path)
    assert "java, javac, mvn" in failed.value.why
    assert failed.value.remedy == "sudo apt-get install default-jdk-headless maven"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_java")
def test_java_and_maven_are_wanted_of_debian_only_with_opensearch() -> None:
    both = {"default-jdk-headless", "maven"}
    assert not both & packages.missing_packages().keys()
    assert both <= packages.missing_packages(with_opensearch=True).keys()


@pytest.mark.usefixtures("no_java")
def test_a_home_that_could_not_get_one_goes_on_without(home: Home) -> None:
    home.opensearch_asked = True
    with pytest.raises(StepFailed):
        setup.ensure_opensearch(home, ME, Report(1))
    home.save()
    again = Home(home.path)
    again.load()
    assert not again.searches_opensearch


def test_jars_that_are_on_the_machine_are_not_fetched_again_and_others_can_read_them(home: Home) -> None:
    try:
        classpath()
    except PeerMissing as error:
        without(error)
    home.opensearch.mkdir()
    home.opensearch_asked = True
    setup.ensure_opensearch(home, ME, Report(1))
    classes, _, jars = opensearch.class_path(home.opensearch_jars).partition(":")
    assert (Path(classes) / "Launcher.class").stat().st_mode & 0o777 == 0o644
    assert Path(jars).parent.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in Path(jars).parent.iterdir()) == sorted(
        path.name for path in (opensearch.cache() / Path(jars).parent.name).iterdir()
    )
    assert (home.opensearch / "tmp").is_dir()
    again = Home(home.path)
    again.load()
    assert again.searches_opensearch, "without being asked again"


def test_its_heap_is_bounded_and_everything_it_writes_lies_in_its_folder(tmp_path: Path) -> None:
    if shutil.which("java") is None:
        without("java is not on PATH")
    command = opensearch.command("classes:jars/*", tmp_path, 9201, 9202)
    assert Path(command[0]).is_absolute()
    assert "-Xmx256m" in command
    assert f"-Djava.io.tmpdir={tmp_path / 'tmp'}" in command
    assert command[-4:] == [str(tmp_path), "9201", "9202", "100mb"]
