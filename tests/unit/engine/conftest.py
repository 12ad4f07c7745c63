"""Links over real socket pairs, engines as real processes."""

import os
import socket
import subprocess
import sys

import pytest
from engine_processes import ECHO

from voltscope.engine.link import Link
from voltscope.engine.threads import Threads


@pytest.fixture
def pair():
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    yield ours, theirs
    for sock in (ours, theirs):
        sock.close()


@pytest.fixture
def make_link():
    """Makes links that are closed at the end."""
    made = []

    def make(sock, side="bridge", handler=lambda method, params: {"method": method, **params}, **options):
        link = Link(sock, side=side, name="echo", handler=handler, concurrency=Threads(), **options)
        made.append(link)
        return link

    yield make
    for link in made:
        link.close()


@pytest.fixture
def start_engine(tmp_path):
    """Starts echo engines as processes; ends those still there."""
    running = []

    def start(*arguments, data_dir=None, **options):
        command = [sys.executable, str(ECHO), "echo", "--data-dir", str(data_dir or tmp_path / "data")]
        command += ["--volttron-home", str(tmp_path), *map(str, arguments)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ), **options)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        if not process.stderr.closed:
            process.communicate()
