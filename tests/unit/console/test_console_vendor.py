"""Browser parts are taken only when they are what the lock file names, and written only where we say."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from voltscope.console import vendor
from voltscope.errors import VoltscopeError

FILES = {
    "package/LICENSE": b"MIT",
    "package/dist/index.html": b"<!doctype html>",
    "package/dist/../../../escaped": b"out",
    "/etc/escaped": b"out",
}


def tarball(files: dict[str, bytes]) -> bytes:
    """A package as npm packs it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("package/dist/link.js")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return packed.getvalue()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A registry, what it serves by path, and a machine without npm."""
    served: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = served.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = tmp_path / "home"
    home.mkdir()
    (home / ".npmrc").write_text(f"fund=false\nregistry = http://127.0.0.1:{server.server_port}/npm/\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(vendor, "LOCK", tmp_path / "lock.json")
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor, "FOR_TESTS", tmp_path / "for-tests")
    yield served
    server.shutdown()
    server.server_close()


def lock(content: bytes, *files: str, **marks: bool) -> None:
    """Write the lock file for a tarball."""
    entry = {
        "package": "part",
        "version": "1.0",
        "tarball": "part/-/part-1.0.tgz",
        "integrity": vendor._integrity(content),
        "root": "package/dist",
        "files": list(files),
        "licence_file": "package/LICENSE",
        **marks,
    }
    vendor.LOCK.write_text(json.dumps({"part": entry}))


def test_a_part_is_fetched_once_from_the_configured_registry(registry: dict[str, bytes]) -> None:
    content = registry["/npm/part/-/part-1.0.tgz"] = tarball(FILES)
    lock(content, "index.html")
    assert "python -m voltscope.console.vendor" in (vendor.absent("part") or "")
    assert vendor.fetch("part") is True
    assert vendor.absent("part") is None
    registry.clear()
    assert vendor.fetch("part") is False
    names = sorted(path.name for path in vendor.directory("part").iterdir())
    assert names == [".integrity", "LICENSE", "index.html"]


def test_an_altered_tarball_is_refused(registry: dict[str, bytes]) -> None:
    lock(tarball(FILES), "index.html")
    registry["/npm/part/-/part-1.0.tgz"] = tarball({**FILES, "package/dist/index.html": b"altered"})
    with pytest.raises(VoltscopeError, match="not the file the lock names"):
        vendor.fetch("part")
    assert not vendor.directory("part").exists()


@pytest.mark.parametrize("name", ["link.js", "../../../escaped", "missing.js"])
def test_only_plain_files_of_their_own_name_are_written(registry: dict[str, bytes], name: str, tmp_path: Path) -> None:
    content = registry["/npm/part/-/part-1.0.tgz"] = tarball(FILES)
    lock(content, name)
    with pytest.raises(VoltscopeError):
        vendor.fetch("part")
    assert list(tmp_path.rglob("escaped")) == []
    assert not vendor.directory("part").exists()


def test_what_tests_alone_need_is_fetched_by_them_alone_and_kept_apart(registry: dict[str, bytes]) -> None:
    content = registry["/npm/part/-/part-1.0.tgz"] = tarball(FILES)
    lock(content, "index.html", tests_only=True)
    assert vendor.main() == 0
    assert not vendor.directory("part").exists()
    assert vendor.fetch("part") is True
    assert vendor.directory("part").parent == vendor.FOR_TESTS
    assert not vendor.VENDOR.exists()


def test_another_version_is_replaced(registry: dict[str, bytes]) -> None:
    old = registry["/npm/part/-/part-1.0.tgz"] = tarball(FILES)
    lock(old, "index.html")
    vendor.fetch("part")
    new = registry["/npm/part/-/part-1.0.tgz"] = tarball({**FILES, "package/dist/index.html": b"new"})
    lock(new, "index.html")
    assert "another version" in (vendor.absent("part") or "")
    assert vendor.fetch("part") is True
    assert (vendor.directory("part") / "index.html").read_bytes() == b"new"


def test_a_registry_out_of_reach_is_named_with_the_remedy(registry: dict[str, bytes]) -> None:
    lock(b"", "index.html")
    with pytest.raises(VoltscopeError, match="npm_config_registry"):
        vendor.fetch("part")


def test_the_lock_file_names_what_the_page_links_to() -> None:
    part = json.loads(vendor.LOCK.read_bytes())["speedscope"]
    assert part["files"][0] == "index.html"
    assert part["integrity"].startswith("sha512-")
