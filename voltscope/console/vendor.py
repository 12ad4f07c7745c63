"""Browser parts from npm: fetched when building or by hand, checked against hashes in `vendor.lock.json`.

Standard library only: it runs before anything is installed. A part marked `tests_only` is fetched by the tests that
need it, and kept where no wheel takes it from.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from voltscope.errors import VoltscopeError

LOCK = Path(__file__).parent / "vendor.lock.json"
VENDOR = Path(__file__).parent / "static" / "vendor"
FOR_TESTS = Path(__file__).parents[2] / ".cache" / "vendor"
DEFAULT_REGISTRY = "https://registry.npmjs.org"
MAX_TARBALL = 32 << 20
MAX_FILE = 16 << 20
_STAMP = ".integrity"  # written last: a directory without it is not whole


def directory(part: str) -> Path:
    """Where a part is kept once fetched."""
    return (FOR_TESTS if _lock()[part].get("tests_only") else VENDOR) / part


def absent(part: str) -> str | None:
    """Why a part cannot be used, in words for the page; None when it is there and the right one."""
    stamp = directory(part) / _STAMP
    try:
        if stamp.read_text() == _lock()[part]["integrity"]:
            return None
    except OSError:
        return f"{part} was not fetched when this was installed. Run: python -m voltscope.console.vendor"
    return f"another version of {part} is there. Run: python -m voltscope.console.vendor"


def fetch(part: str) -> bool:
    """Fetch and unpack a part; False when it was already there.

    Raises VoltscopeError when it cannot be downloaded or is not what the lock file says.
    """
    if absent(part) is None:
        return False
    lock = _lock()[part]
    tarball = _download(lock)
    if not hmac.compare_digest(_integrity(tarball), lock["integrity"]):
        raise VoltscopeError(
            f"{lock['package']} {lock['version']} as downloaded is not the file the lock names.",
            "Do not use it. Check the npm registry configured here.",
        )
    _unpack(tarball, lock, directory(part))
    return True


def _lock() -> dict[str, Any]:
    lock: dict[str, Any] = json.loads(LOCK.read_bytes())
    return lock


def _integrity(content: bytes) -> str:
    """Subresource Integrity's form of SHA-512, as npm's lock files have it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def _download(lock: dict[str, Any]) -> bytes:
    """The tarball: through npm, which knows every registry's ways, else from the registry itself."""
    npm = shutil.which("npm")
    if npm is not None:
        packed = _by_npm(npm, lock)
        if packed is not None:
            return packed
    url = f"{registry()}/{lock['tarball']}"
    if not url.startswith(("https://", "http://")):
        raise VoltscopeError(f"the npm registry {url} is no http URL.", "Check npm_config_registry and ~/.npmrc.")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 -- http checked above, content by hash
            content: bytes = answer.read(MAX_TARBALL + 1)
    except OSError as error:
        raise VoltscopeError(
            f"cannot download {lock['package']} {lock['version']}: {error}.",
            "Set npm_config_registry to a registry that can be reached.",
        ) from error
    return content


def _by_npm(npm: str, lock: dict[str, Any]) -> bytes | None:
    """What `npm pack` brings; None when it fails, for a broken npm must not be in the way."""
    with tempfile.TemporaryDirectory(prefix="voltscope-npm-") as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"{lock['package']}@{lock['version']}"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"npm pack: {error}; asking the registry directly", file=sys.stderr)
            return None
        packed = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(packed) != 1:
            print("npm pack failed; asking the registry directly", file=sys.stderr)
            return None
        return packed[0].read_bytes()


def registry() -> str:
    """npm's configured registry: the environment, else ~/.npmrc, else npm's own; no trailing slash."""
    # npm reads the name in either case, and sets the lower one itself
    configured = os.environ.get("npm_config_registry") or os.environ.get("NPM_CONFIG_REGISTRY")  # noqa: SIM112
    if not configured:
        try:
            npmrc = (Path.home() / ".npmrc").read_text()
        except (OSError, RuntimeError):
            npmrc = ""
        found = re.search(r"^\s*registry\s*=\s*(\S+)\s*$", npmrc, re.MULTILINE)
        configured = found[1] if found else DEFAULT_REGISTRY
    return configured.rstrip("/")


def _unpack(tarball: bytes, lock: dict[str, Any], target: Path) -> None:
    """Write the files the lock names, and no other, into a new directory that replaces `target`.

    Names come from the lock file, never from the archive: nothing in it can choose where it is written.
    """
    wanted = {f"{lock['root']}/{name}": name for name in lock["files"]}
    wanted[lock["licence_file"]] = "LICENSE"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        new = Path(folder) / target.name
        new.mkdir()
        try:
            with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
                for member, name in wanted.items():
                    file = archive.extractfile(member)
                    if file is None or Path(name).name != name:
                        raise VoltscopeError(f"{member} in {lock['package']} is no plain file.")
                    (new / name).write_bytes(file.read(MAX_FILE))
        except (KeyError, tarfile.TarError) as error:
            raise VoltscopeError(f"cannot unpack {lock['package']} {lock['version']}: {error}.") from error
        (new / _STAMP).write_text(lock["integrity"])
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)


def main() -> int:
    """Fetch every part that pages need; the exit status."""
    for part, lock in _lock().items():
        if lock.get("tests_only"):
            continue
        try:
            fetched = fetch(part)
        except VoltscopeError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{part} {lock['version']} {'fetched to' if fetched else 'is already in'} {directory(part)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
