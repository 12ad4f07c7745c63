"""Keys that a listener cannot use, whichever configuration names them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import Authority
from starlette.responses import PlainTextResponse

from voltscope.errors import ConfigError, VoltscopeError
from voltscope.metrics.engine import ExporterEngine
from voltscope.web import Server


@pytest.fixture
def locked(authority: Authority, tmp_path: Path) -> Path:
    """The server's key, encrypted."""
    key = tmp_path / "locked.key"
    plain = str(authority.folder / "server.key")
    openssl = shutil.which("openssl") or ""
    command = [openssl, "ec", "-in", plain, "-out", str(key), "-aes256", "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    return key


def test_an_encrypted_key_is_refused_and_nobody_asked_for_its_password(
    engine: Callable[..., ExporterEngine], authority: Authority, locked: Path
) -> None:
    certificate = authority.folder / "server.pem"
    with pytest.raises(ConfigError, match="the key is encrypted"):
        engine("").configure({"port": 0, "certificate": str(certificate), "key": str(locked)})
    with pytest.raises(VoltscopeError, match="the key is encrypted"):
        Server(PlainTextResponse("page"), certificate=certificate, key=locked).start()


def test_a_key_may_stand_behind_its_certificate(authority: Authority, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join((authority.folder / f"server.{kind}").read_bytes() for kind in ("pem", "key")))
    server = Server(PlainTextResponse("page"), certificate=both)
    server.start()
    server.stop()
