"""The source behind a place: of what the session has shown, and of nothing else."""

from __future__ import annotations

import json
import logging
import os
from urllib.parse import quote

import pytest
from session_site import IDLE, Events, Told, agent, begin, call, graph, serving

from voltscope.errors import CodeUnreadable
from voltscope.live import code as code_module


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with agent(folder, IDLE):
        yield folder


@pytest.fixture
def shown(home):
    """Asks for the code of a file that the session has shown, unless told otherwise."""
    source = Told()
    with serving(home, source) as (_, url):
        session = begin(url)
        events = Events(url, session["id"])
        watch = source.last()

        def ask(file, line=1, showing=True):
            if showing:
                watch.given.put(graph(1, str(file)))
                events.until(lambda kind, data: kind == "update")
            return call(url, f"/api/live/{session['id']}/code?file={quote(str(file))}&line={line}")

        yield ask


def test_the_lines_around_a_place_are_given(shown, tmp_path):
    file = tmp_path / "agent.py"
    file.write_bytes("".join(f"line {number} ü\x0c\n" for number in range(1, 1001)).encode())
    status, told = shown(file, 500)
    assert (status, told["file"], told["first"], told["line"], len(told["lines"])) == (200, str(file), 300, 500, 400)
    assert told["lines"][200] == "line 500 ü\x0c"
    assert shown(file, 3)[1]["first"] == 1
    assert shown(file, 99_999)[1]["lines"][-2] == "line 1000 ü\x0c"
    file.write_bytes(b"# -*- coding: latin-1 -*-\r\nx = '\xfc'\r\n")
    assert shown(file)[1]["lines"] == ["# -*- coding: latin-1 -*-", "x = 'ü'", ""]
    file.write_bytes(b"# coding: rumour\n\xff\n")
    assert shown(file)[1]["lines"][0] == "# coding: rumour"


def test_a_file_that_was_never_shown_is_refused_and_told_in_the_audit(shown, home, tmp_path, caplog):
    caplog.set_level(logging.INFO, "voltscope.profiling.audit")
    file = home / "busy.py"
    assert shown(file, showing=False)[0] == 403
    assert shown(home / "x" / ".." / "busy.py", showing=False)[0] == 403
    assert shown("/etc/passwd", showing=False)[1]["error"]["code"] == "code-not-shown"
    assert shown(file)[0] == 200
    assert shown(f"{home}/./busy.py", showing=False)[0] == 403  # the name itself, not what it leads to
    lines = [json.loads(one.getMessage()) for one in caplog.records if one.name == "voltscope.profiling.audit"]
    told = [(one["action"], one["file"], one["outcome"]) for one in lines if one["action"] == "live-code"]
    assert told[0] == ("live-code", str(file), "code-not-shown")
    assert told[3] == ("live-code", str(file), "accepted")


@pytest.mark.parametrize(
    "name", ["missing.py", "notes.txt", "folder.py", "pipe.py", "secret-link.py", "large.py", "private.py", "a\0b.py"]
)
def test_what_is_no_source_of_the_agents_is_not_read(shown, tmp_path, monkeypatch, name):
    (tmp_path / "notes.txt").write_text("secret")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "secret-link.py").symlink_to("/etc/passwd")
    (tmp_path / "large.py").write_bytes(b"\n" * code_module.MOST_BYTES)
    (tmp_path / "private.py").write_text("secret")
    if name == "private.py":
        monkeypatch.setattr(code_module, "_may_read", lambda found, pid: False)
    status, refusal = shown(tmp_path / name)
    assert (status, refusal["error"]["code"]) == (404, "code-unreadable")
    assert "secret" not in refusal["error"]["message"].replace(name, "")


def test_names_that_are_no_files_are_not_read(shown, home, monkeypatch):
    monkeypatch.chdir(home)
    for name in ("<string>", "<frozen importlib._bootstrap>", "busy.py"):
        assert shown(name)[0] == 404
    assert shown("")[0] == 400
    assert shown(home / "busy.py", "1e9")[0] == 400
    assert shown(home / "busy.py", "")[0] == 400


def test_a_link_to_source_is_followed(shown, home, tmp_path):
    (tmp_path / "link.py").symlink_to(home / "busy.py")
    assert shown(tmp_path / "link.py")[0] == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_root_engine_shows_no_more_than_the_agents_user_may_read(tmp_path):
    mine, other = tmp_path / "mine.py", tmp_path / "other.py"
    for file, mode in ((mine, 0o600), (other, 0o600)):
        file.write_text("x")
        file.chmod(mode)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        os.kill(os.getpid(), 19)
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    try:
        os.chown(mine, 65534, 65534)
        assert code_module._may_read(mine.stat(), child)
        assert not code_module._may_read(other.stat(), child)
        other.chmod(0o640)
        assert not code_module._may_read(other.stat(), child)
        os.chown(other, 0, 65534)
        assert code_module._may_read(other.stat(), child)
        other.chmod(0o604)
        assert code_module._may_read(other.stat(), child)
        tmp_path.chmod(0o700)
        with pytest.raises(CodeUnreadable, match="not for the user"):  # a file for all, in a folder that is not
            code_module._text(str(other), child)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert not code_module._may_read(mine.stat(), child)
