"""Debian packages: installed when missing, without starting what they bring, and removed again on request."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import opensearch
from .account import SEARCH, find_program
from .alerting import PACKAGE, find_alertmanager
from .failure import StepFailed

SYSTEM_PYTHON = "/usr/bin/python3"
POLICY = Path("/usr/sbin/policy-rc.d")
# Read by invoke-rc.d(8): 101 means "do not start or restart any service".
_DENY = "#!/bin/sh\n# Made by voltscope's quickstart while it installs packages.\nexit 101\n"
_APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]


def system_python() -> str:
    """The interpreter the virtual environment is made with: the system's, where it is new enough."""
    check = [SYSTEM_PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 10))"]
    if Path(SYSTEM_PYTHON).exists() and subprocess.run(check).returncode == 0:
        return SYSTEM_PYTHON
    return sys.executable


def can_make_environments(python: str) -> bool:
    """Whether `python -m venv` would work: Debian keeps ensurepip in a package of its own."""
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0


def missing_packages(with_opensearch: bool = False) -> dict[str, str]:
    """Debian packages whose part is not there yet, with what each is for."""
    missing = {}
    if not can_make_environments(system_python()):
        missing["python3-venv"] = "makes the virtual environment"
    if not find_program("prometheus"):
        missing["prometheus"] = "stores the metrics"
    if not find_alertmanager():
        missing[PACKAGE] = "tells of alerts"
    if with_opensearch:
        missing.update({opensearch.PACKAGES[name]: "runs OpenSearch" for name in opensearch.missing_programs()})
    return missing


def root_command() -> list[str] | None:
    """What to put before a command to run it as root: nothing, sudo, or None where neither is possible."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if not sudo or not shutil.which("apt-get"):
        return None
    if subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:
        return [sudo, "-n"]
    return [sudo] if sys.stdin.isatty() and _in_sudo_group() else None


def install(names: list[str], entry: Path) -> list[str]:
    """Installs `names`, through sudo where need be; returns all packages that came. Raises StepFailed."""
    prefix = root_command()
    if prefix is None or not shutil.which("apt-get", path=SEARCH):
        raise StepFailed(
            f"{', '.join(names)} cannot be installed from here.", f"sudo apt-get install {' '.join(names)}"
        )
    if not prefix:
        return install_as_root(names)
    proxies = [f"{name}={value}" for name, value in os.environ.items() if name.lower().endswith("_proxy")]
    command = [*prefix, "env", *proxies, SYSTEM_PYTHON, str(entry), "install-packages", *names]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise StepFailed("sudo apt-get did not install the packages.", _by_hand(names), output=done.stderr)
    came: list[str] = json.loads(done.stdout.splitlines()[-1])
    return came


def install_as_root(names: list[str]) -> list[str]:
    """Installs `names` with no service started or left enabled; returns the packages that are new on the machine.

    Raises StepFailed.
    """
    before = installed()
    arguments = ["install", "--yes", "--no-install-recommends", *names]
    with no_services_started():
        done = _apt(arguments)
        if done.returncode:  # a fresh machine knows no packages, an old one names versions that are gone
            _apt(["update"])
            done = _apt(arguments)
    if done.returncode:
        raise StepFailed("apt-get did not install the packages.", _by_hand(names), output=done.stderr or done.stdout)
    came = sorted(installed() - before)
    for package in came:
        _disable_units(package)
    return came


def remove(names: list[str]) -> list[str]:
    """Removes packages with their configuration, except those that something else needs by now, which it returns.

    Raises StepFailed.
    """
    prefix = root_command()
    if prefix is None:
        raise StepFailed(f"removing {', '.join(names)} needs root.", f"sudo apt-get purge {' '.join(names)}")
    names = sorted(set(names) & installed())
    needed = []
    if not _would_remove(names) <= set(names):
        needed = [name for name in names if not _would_remove([name]) <= set(names)]
    names = [name for name in names if name not in needed]
    if names:
        command = [*prefix, "env", *_quiet(), *_APT, "purge", "--yes", *names]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            by_hand = f"sudo apt-get purge {' '.join(names)}"
            raise StepFailed("apt-get did not remove the packages.", by_hand, output=done.stderr)
    return needed


def _would_remove(names: list[str]) -> set[str]:
    """All packages that would go with `names`: also those that depend on them."""
    said = _apt(["purge", "--simulate", *names]).stdout
    return {line.split()[1] for line in said.splitlines() if line.startswith(("Purg ", "Remv "))}


def installed() -> set[str]:
    """The packages that are installed now."""
    command = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n"]
    listed = subprocess.run(command, capture_output=True, text=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}


@contextmanager
def no_services_started(policy: Path = POLICY) -> Iterator[None]:
    """While this lasts no package starts a service; afterwards `policy` is what it was, also after a killed run."""
    saved = policy.with_name(policy.name + ".voltscope-saved")
    if saved.exists():  # an earlier run was killed in between
        saved.replace(policy)
    elif policy.exists() and policy.read_text() == _DENY:
        policy.unlink()
    had = policy.exists()
    if had:
        policy.rename(saved)
    try:
        policy.write_text(_DENY)
        policy.chmod(0o755)
        yield
    finally:
        if had:
            saved.replace(policy)
        else:
            policy.unlink(missing_ok=True)


def _disable_units(package: str) -> None:
    listed = subprocess.run(["dpkg", "--listfiles", package], capture_output=True, text=True).stdout.split()
    units = [Path(name) for name in listed if "/systemd/system/" in name and name.endswith((".service", ".timer"))]
    scripts = [Path(name).name for name in listed if name.startswith("/etc/init.d/")]
    quiet = {"capture_output": True, "env": {"PATH": SEARCH}}
    for unit in units:
        if Path("/run/systemd/system").exists():
            subprocess.run(["systemctl", "disable", "--now", unit.name], **quiet)  # type: ignore[call-overload]
        elif shutil.which("deb-systemd-helper", path=SEARCH):
            subprocess.run(["deb-systemd-helper", "disable", unit.name], **quiet)  # type: ignore[call-overload]
    for script in scripts:
        if shutil.which("update-rc.d", path=SEARCH):
            subprocess.run(["update-rc.d", script, "disable"], **quiet)  # type: ignore[call-overload]


def _apt(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["env", *_quiet(), *_APT, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def _quiet() -> list[str]:
    return ["DEBIAN_FRONTEND=noninteractive", f"PATH={SEARCH}"]


def _by_hand(names: list[str]) -> str:
    return f"Run `apt-get update && apt-get install {' '.join(names)}` by hand to see more, then this again."


def _in_sudo_group() -> bool:
    members = subprocess.run(["id", "-Gn"], capture_output=True, text=True).stdout.split()
    return bool({"sudo", "wheel", "admin"} & set(members))
