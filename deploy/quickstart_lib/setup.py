"""From nothing to a home that can be started: packages, user, sources, environment, files."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

from . import environment, opensearch, packages, sources
from .account import USER, Account, Runner, create_user, current_account
from .failure import StepFailed
from .registry import registry
from .report import Report
from .site_files import write_credentials
from .state import Home

_WRITABLE = (
    "venv",
    "volttron",
    "poetry_cache",
    "user_home",
    "run",
    "logs",
    "prometheus",
    "grafana",
    "opensearch",
    "alertmanager",
    "alertd",
)


def ensure_packages(home: Home, report: Report) -> None:
    """Installs what is missing of Debian's packages; where that is not possible says how, and goes on."""
    missing = packages.missing_packages(home.searches_opensearch)
    if not missing:
        report.note("all there")
        return
    names = list(missing)
    report.note(f"installing {', '.join(names)}")
    if packages.root_command() is None or not shutil.which("apt-get"):
        for name, purpose in missing.items():
            report.warn(f"{name} ({purpose}) is missing and needs root: sudo apt-get install {name}")
        return
    came = packages.install(names, Path(sys.argv[0]).resolve())
    with registry() as known:
        known.packages = sorted({*known.packages, *came})


def ensure_account(home: Home) -> Account:
    """The account everything runs as; for root the user `volttron`, made when there is none."""
    if os.geteuid() == 0 and create_user():
        with registry() as known:
            known.user = USER
    return current_account()


def ensure_folders(home: Home, account: Account) -> None:
    """The folders of the home. The home and what only we write belong to the caller, so that no program of the
    account can put another file in our way. Raises StepFailed when the account cannot reach them."""
    try:
        home.path.mkdir(parents=True, exist_ok=True)
        home.path.chmod(0o755)
        for folder in (home.etc, home.bin):
            folder.mkdir(exist_ok=True, mode=0o755)
        home.setup_log.touch(mode=0o600)
        for name in _WRITABLE:
            folder = getattr(home, name)
            if not folder.exists():
                folder.mkdir(mode=0o750)
                account.own(folder)
    except OSError as error:
        raise StepFailed(f"cannot make {home.path}: {error}.", "Choose another folder with --home.") from error
    if Runner(home, account).attempt(["test", "-x", home.path], cwd=Path("/"))[0] != 0:
        raise StepFailed(
            f"the user {account.name} cannot reach {home.path}: a folder above it is closed to others.",
            "Choose one that others can pass through with --home, such as one below /var/lib or /srv.",
        )
    with registry() as known:
        known.homes = sorted({*known.homes, str(home.path)})


def ensure_sources(home: Home, account: Account, report: Report) -> bool:
    """Copies the sources when they are new or have changed; whether they have."""
    files = sources.source_files()
    digest = sources.fingerprint(files)
    if home.state.get("sources") == digest and home.source.exists():
        report.note("unchanged")
        return False
    sources.copy_sources(home, account, files)
    # The environment is installed from the copy: it follows before this counts as done.
    home.save(sources=digest, voltscope=None)
    report.note(f"{len(files)} files")
    return True


def ensure_platform(home: Home, runner: Runner, report: Report) -> None:
    """The virtual environment with VOLTTRON in it."""
    wanted = [*environment.PLATFORM, *environment.PLATFORM_AGENTS, *environment.PLATFORM_LIBRARIES]
    if home.state.get("platform") == wanted:
        report.note("there already")
        return
    environment.make_environment(home, runner)
    environment.install_platform(home, runner)
    found = environment.versions(home, runner)
    home.save(platform=wanted, versions=found, python=environment.python_version(home, runner))
    report.note(f"volttron {found.get('volttron')}")


def ensure_voltscope(home: Home, runner: Runner, report: Report) -> None:
    """voltscope in the environment, with the console's browser parts, and for root its command apart."""
    if home.state.get("voltscope") == home.state["sources"]:
        report.note("there already")
        return
    environment.install_voltscope(home, runner)
    if runner.account.drop:
        environment.install_command(home, sources.source_files())
    problem = environment.vendor_browser_parts(home, runner)
    if problem:
        report.warn(problem)
    home.save(voltscope=home.state["sources"])


def ensure_opensearch(home: Home, account: Account, report: Report) -> None:
    """OpenSearch's jars and launcher, which the caller owns; what the account writes lies apart. Raises StepFailed."""
    there = home.state.get("opensearch") == opensearch.VERSION
    opensearch.install(home.opensearch_jars, opensearch.cache())
    for path in (home.opensearch_jars, *home.opensearch_jars.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # the account must read them, whatever our umask
    temporary = home.opensearch / "tmp"
    if not temporary.exists():
        temporary.mkdir(mode=0o750)
        account.own(temporary)
    home.save(opensearch=opensearch.VERSION)
    report.note("there already" if there else f"release {opensearch.VERSION}, {opensearch.HEAP_MB} MB of heap")


def ensure_credentials(home: Home, account: Account) -> None:
    """The credential file, made once."""
    with contextlib.suppress(FileExistsError):
        write_credentials(home, account)
