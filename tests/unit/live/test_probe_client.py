"""The probe's client against peers that behave, misbehave, or are somebody else."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from scripted_probe import Peer, answering, scripted

from voltscope.errors import ProbeAbsent, ProbeFailed, TargetGone
from voltscope.live.probes import MAX_ANSWER_BYTES, Probe, counts, volttron_home_of
from voltscope.live.readings import greenlets

US = os.getpid()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_questions_are_answered_with_their_parameters(home: Path) -> None:
    heard = []

    def script(peer: Peer) -> None:
        while True:
            heard.append(peer.hear())
            peer.say({"answer": {"pid": US}})

    with scripted(home, script):
        assert Probe.of(home, US).ask("dump", most=7) == {"pid": US}
    assert heard == [{"ask": "dump", "most": 7}]


def test_a_home_of_any_length_will_do(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100) / ("y" * 100)
    with scripted(home, answering({"hello": {}})):
        assert Probe.of(home, US).ask("hello") == {}


def test_without_a_probe_the_remedy_is_told(home: Path) -> None:
    with pytest.raises(ProbeAbsent, match=r"voltscope probe enable.*restart the agent"):
        Probe.of(home, US)
    with scripted(home, answering({})) as path:
        left_behind = path.with_name("behind.sock")
        left_behind.hardlink_to(path)
    left_behind.rename(path)  # as after SIGKILL: a socket that nobody listens on
    with pytest.raises(ProbeAbsent):
        Probe.of(home, US)


def test_who_listens_must_be_the_process_itself(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with (
            scripted(home, answering({"hello": {}}), pid=other.pid),
            pytest.raises(ProbeFailed, match=f"is process {US} of user"),
        ):
            Probe.of(home, other.pid)
        assert other.stdin is not None
        other.stdin.write(b"\n")


def test_what_the_probe_refuses_is_an_error_in_its_words(home: Path) -> None:
    with scripted(home, answering({})), pytest.raises(ProbeFailed, match="refuses calls: there is no ask calls"):
        Probe.of(home, US).ask("calls")


@pytest.mark.parametrize("raw", [b"rubbish", b"[1]", b"{}", b'{"answer": 3}', b"\xff\xfe"])
def test_rubbish_is_an_error(home: Path, raw: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.hear()
        peer.send(raw)

    with scripted(home, script), pytest.raises(ProbeFailed):
        Probe.of(home, US).ask("hello")


def test_an_answer_over_the_limit_is_not_read(home: Path) -> None:
    def script(peer: Peer) -> None:
        peer.hear()
        peer.connection.sendall((MAX_ANSWER_BYTES + 1).to_bytes(4, "big"))
        peer.hear()

    with scripted(home, script), pytest.raises(ProbeFailed, match="are allowed"):
        Probe.of(home, US).ask("dump")


def test_a_question_over_the_limit_is_not_sent(home: Path) -> None:
    with scripted(home, answering({})), pytest.raises(ProbeFailed, match="too long"):
        Probe.of(home, US).ask("hello", note="x" * 70_000)


def test_silence_ends_in_time_and_a_hang_up_at_once(home: Path) -> None:
    def silent(peer: Peer) -> None:
        peer.hear()
        peer.hear()

    def leaving(peer: Peer) -> None:
        peer.hear()

    with scripted(home, silent), pytest.raises(ProbeFailed, match="in time"):
        Probe.of(home, US).ask("hello", timeout_s=0.2)
    with scripted(home, leaving), pytest.raises(ProbeFailed, match="hung up"):
        Probe.of(home, US).ask("hello")


def test_a_stream_gives_its_updates_and_says_why_it_ended(home: Path) -> None:
    def script(peer: Peer) -> None:
        assert peer.hear() == {"ask": "watch", "seconds": 1}
        for number in range(3):
            peer.say({"update": {"at": number}})
        peer.say({"end": "time"})

    with scripted(home, script):
        stream = Probe.of(home, US).stream("watch", seconds=1)
        assert [update["at"] for update in stream] == [0, 1, 2]
        assert stream.ending == "time"


def test_a_stream_is_stopped_from_another_thread_however_silent_it_is(home: Path) -> None:
    hung_up = threading.Event()

    def script(peer: Peer) -> None:
        if peer.hear()["ask"] == "watch":
            peer.say({"update": {}})
            try:
                peer.hear()
            except EOFError:
                hung_up.set()

    with scripted(home, script):
        stream = Probe.of(home, US).stream("watch", silence_s=60, seconds=60)
        began = threading.Event()
        updates = []

        def read() -> None:
            for update in stream:
                updates.append(update)
                began.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert began.wait(60)
        stream.stop()
        reader.join(60)
        stream.stop()
        assert not reader.is_alive() and (updates, stream.ending) == ([{}], "stopped")
        assert hung_up.wait(60)


def test_a_stream_that_fails_or_falls_silent_raises(home: Path) -> None:
    def failing(peer: Peer) -> None:
        peer.hear()
        peer.say({"end": "failed: no hub here"})

    def silent(peer: Peer) -> None:
        peer.hear()
        peer.hear()

    with scripted(home, failing), pytest.raises(ProbeFailed, match="failed at watch: no hub here"):
        list(Probe.of(home, US).stream("watch"))
    with scripted(home, silent), pytest.raises(ProbeFailed, match="in time"):
        list(Probe.of(home, US).stream("watch", silence_s=0.2))
    with scripted(home, answering({})), pytest.raises(ProbeFailed, match="refuses watch"):
        list(Probe.of(home, US).stream("watch"))


def test_a_process_that_ends_meanwhile_is_gone(home: Path) -> None:
    source = f"""
import os, socket
os.makedirs({str(home)!r} + "/voltscope/probe")
os.chdir({str(home)!r} + "/voltscope/probe")
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"{{os.getpid()}}.sock")
listener.listen()
print("ready", flush=True)
connection, _ = listener.accept()
connection.recv(100)
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        probe = Probe(home, process.pid)
        with pytest.raises((TargetGone, ProbeFailed)) as raised:
            probe.ask("hello")
        assert raised.type is TargetGone or "hung up" in str(raised.value)  # on a machine where it takes longer to end
        assert probe.gone(patience_s=60)  # a zombie: nobody has asked how it ended


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_users_probe_is_not_ours_to_ask(home: Path) -> None:
    # made nobody's once it is loaded: nobody may not even reach this interpreter where the checkout is private
    source = f"""
import os
from pathlib import Path
from voltscope.errors import ProbeFailed
from voltscope.live.probes import Probe
os.setgroups([])
os.setgid({{group}})
os.setuid({{user}})
try:
    Probe.of(Path({str(home)!r}), {US})
except ProbeFailed as error:
    print(error)
"""
    with scripted(home, answering({"hello": {}})) as path:
        path.parent.chmod(0o700)
        for folder in (home, *home.parents):
            if folder.stat().st_uid == 0 and not folder.stat().st_mode & 1:
                folder.chmod(0o711)
        nobody = pwd.getpwnam("nobody")
        source = source.format(user=nobody.pw_uid, group=nobody.pw_gid)
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert "another user's" in done.stdout


def test_counts_of_many_wait_for_nobody(home: Path) -> None:
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.hear()
        release.wait(60)

    with scripted(home, script):
        began = time.monotonic()
        assert counts(home, {"hung": US, "absent": 2**22 - 1}, 0.2) == {}
        assert time.monotonic() - began < 30
        release.set()
    with scripted(home, answering({"count": {"greenlets": 3}})):
        assert counts(home, {"here": US, "absent": 2**22 - 1}, 60) == {"here": {"greenlets": 3}}
    with scripted(home, answering({})):
        assert counts(home, {"busy": US}, 60) == {"busy": {}}


def test_the_home_of_a_process_is_read_from_its_environment(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    assert volttron_home_of(7, tmp_path) is None
    (tmp_path / "7/environ").write_bytes(b"A=1\0VOLTTRON_HOME=/var/lib/v\0AGENT_CREDENTIALS={}\0")
    assert volttron_home_of(7, tmp_path) == Path("/var/lib/v")
    with pytest.raises(ProbeAbsent):
        Probe.inside(8, tmp_path)


def test_greenlets_are_read_and_anything_else_is_refused() -> None:
    told = {
        "number": 3, "name": "Greenlet-3", "state": "waiting", "waits_s": 1.5, "at_least": True, "age_s": 2.0,
        "spawned": [["start", "/a.py", 4]], "stack": [["wait", "/b.py", 5], ["run", "/a.py", 6]],
    }  # fmt: skip
    (found,) = greenlets([told])
    assert (found.name, found.stack[0].function, found.spawned[0].line) == ("Greenlet-3", "wait", 4)
    for wrong in (None, [3], [{**told, "stack": [["x"]]}], [{**told, "waits_s": "long"}]):
        with pytest.raises(ProbeFailed, match="another form"):
            greenlets(wrong)
