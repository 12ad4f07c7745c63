"""A real OpenSearch 2.19 for quickstart, tests and benchmarks: Maven's jars, a launcher of ours, loopback only."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from .account import find_program
from .failure import StepFailed
from .sources import ROOT

VERSION = "2.19.1.0"
HEAP_MB = 256  # resident it is 450 MB
START_S = 120.0  # 6 s on an idle machine
MADE_OF = ROOT / "deploy" / "opensearch"
PACKAGES = {"java": "default-jdk-headless", "javac": "default-jdk-headless", "mvn": "maven"}  # Debian's, by program


def cache() -> Path:
    """Where the tests keep jars and launcher, once a machine; a quickstart takes them from there."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "voltscope-tests"


def missing_programs() -> list[str]:
    """Those it takes that are not on this machine."""
    return [name for name in PACKAGES if find_program(name) is None]


def install(folder: Path, like: Path | None = None) -> None:
    """Puts jars and compiled launcher into `folder`, unless they are there; the jars from `like` where that has them.

    Maven runs as the caller, with the caller's settings, and keeps what it fetches in its own ~/.m2, too. Raises
    StepFailed.
    """
    missing = missing_programs()
    if missing:
        packages = " ".join(dict.fromkeys(PACKAGES[name] for name in missing))
        raise StepFailed(
            f"OpenSearch needs {', '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not on PATH.",
            f"sudo apt-get install {packages}",
        )
    jars, classes = _parts(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "opensearch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.exists():
            part = folder / "opensearch.part"
            shutil.rmtree(part, ignore_errors=True)
            if like is not None and (like / jars.name).exists():
                shutil.copytree(like / jars.name, part)
            else:
                fetch = ["mvn", "-q", "-B", "-f", str(MADE_OF / "pom.xml"), f"-Drunner.version={VERSION}"]
                _run([*fetch, "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}"])
            part.rename(jars)
        made, source = classes / "Launcher.class", MADE_OF / "Launcher.java"
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            _run(["javac", "-cp", f"{jars}/*", "-d", str(classes), str(source)])


def class_path(folder: Path) -> str:
    """Of what `install` put into `folder`."""
    jars, classes = _parts(folder)
    return f"{classes}:{jars}/*"


def command(class_path: str, data: Path, port: int, transport_port: int, longest_request: str = "100mb") -> list[str]:
    """One node that answers on `port` and keeps everything in `data`, which has a folder `tmp`.

    It ends with its standard input.
    """
    options = [f"-Xms{HEAP_MB}m", f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    # nothing lies elsewhere, and a node without memory ends instead of limping
    options += [f"-Djava.io.tmpdir={data / 'tmp'}", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"]
    java = find_program("java") or "java"
    return [java, *options, "-cp", class_path, "Launcher", str(data), str(port), str(transport_port), longest_request]


def _parts(folder: Path) -> tuple[Path, Path]:
    return folder / f"opensearch-{VERSION}", folder / f"opensearch-{VERSION}-launcher"


def _run(arguments: list[str]) -> None:
    program = find_program(arguments[0]) or arguments[0]
    try:
        done = subprocess.run(
            [program, *arguments[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
        )
        said = None if done.returncode == 0 else done.stdout + done.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said is not None:
        raise StepFailed(
            f"{arguments[0]} could not make OpenSearch.",
            "Maven fetches 53 MB: mirrors and proxies are named in ~/.m2/settings.xml.",
            output=said,
        )


if __name__ == "__main__":
    try:
        install(cache())  # before tests that have a time limit
    except StepFailed as error:
        raise SystemExit(f"{error.why} {error.remedy} {error.output[-1000:]}") from error
