"""The support bundle: what somebody else needs to understand a site, with every secret taken out."""

from __future__ import annotations

import io
import tarfile
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from voltscope.cli.exposition import Snapshot
from voltscope.cli.files import write_atomically
from voltscope.doctor.checks.versions import gathered
from voltscope.doctor.finding import Finding
from voltscope.doctor.scrub import Scrubber
from voltscope.doctor.world import World

LOG_LINES = 2000
LOG_BYTES = 4 << 20  # 2000 lines were 0.3 MB on both generations; tracebacks may make it ten times that

_README = """A support bundle of voltscope, made {when}.

doctor.json    what `voltscope doctor` found
versions.json  versions of voltscope, VOLTTRON, Python, py-spy, Prometheus and the kernel
metrics.txt    one scrape of the exporter, or why there was none
site.json      the site file's content
platform.conf  VOLTTRON_HOME/config
log.txt        the last {lines} lines of the platform's log

Secrets were taken out of every file: secret keys, passwords, tokens, and every value found in this site's
credential file. The environment of no process was read. Identities of agents, topics, paths and addresses are
still inside: look before you send it to anybody.
"""


def write(world: World, findings: list[Finding], path: Path) -> dict[str, int]:
    """Write the bundle to `path`, mode 0600; what is inside, each with its size in bytes.

    Raises click.UsageError when it cannot be written.
    """
    when = datetime.fromtimestamp(world.now(), timezone.utc)
    files = _redacted(world, findings, when)
    folder = f"voltscope-support-{when:%Y%m%dT%H%M%SZ}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(when.timestamp())
            archive.addfile(entry, io.BytesIO(content))
    write_atomically(path, buffer.getvalue(), 0o600)
    return {name: len(content) for name, content in files.items()}


def _redacted(world: World, findings: list[Finding], when: datetime) -> dict[str, bytes]:
    scrub = Scrubber(world)
    scraped = world.scraped
    metrics = scraped.text if isinstance(scraped, Snapshot) else f"# {scraped}\n"
    readable = msgspec.json.format
    texts = {
        "README.txt": _README.format(when=f"{when:%Y-%m-%d %H:%M:%S} UTC", lines=LOG_LINES),
        "doctor.json": readable(msgspec.json.encode(findings)).decode(),
        "versions.json": readable(msgspec.json.encode(gathered(world))).decode(),
        "metrics.txt": metrics,
        "site.json": readable(msgspec.json.encode(scrub.structure(msgspec.to_builtins(world.site)))).decode(),
        "platform.conf": scrub.assignments(_read(world.home / "config")),
        "log.txt": _log(world),
    }
    return {name: scrub.text(text).encode() for name, text in texts.items()}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        return f"# cannot be read: {error}\n"


def _log(world: World) -> str:
    try:
        lines = world.log_tail(LOG_BYTES).decode(errors="replace").split("\n")
    except OSError as error:
        return f"# cannot be read: {error}\n"
    return "\n".join(lines[-LOG_LINES - 1 :])
