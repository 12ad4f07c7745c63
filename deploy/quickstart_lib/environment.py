"""The virtual environment of the platform: VOLTTRON, voltscope from the copied sources, and supervisor."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from .account import Runner, caller
from .failure import StepFailed
from .packages import can_make_environments, system_python
from .sources import place
from .state import Home

# All in one run of pip, before the platform's first start: the platform's poetry then only has to lock them.
PLATFORM = ["volttron"]
PLATFORM_AGENTS = {
    "volttron-listener": "listener",
    "volttron-platform-driver": "platform.driver",
    "volttron-sqlite-historian": "platform.historian",
}
PLATFORM_LIBRARIES = ["volttron-lib-tree", "volttron-lib-fake-driver"]
SUPERVISOR = ["supervisor>=4.2"]


def make_environment(home: Home, runner: Runner) -> None:
    """An empty virtual environment made with the system's Python. Raises StepFailed."""
    python = system_python()
    if (home.venv / "bin/pip").exists():
        return
    if can_make_environments(python):
        runner([python, "-m", "venv", "--clear", home.venv], "the virtual environment could not be made.")
    elif shutil.which("virtualenv"):
        runner(["virtualenv", "--python", python, home.venv], "virtualenv could not make the environment.")
    else:
        raise StepFailed(
            f"{python} cannot make virtual environments, and there is no virtualenv on PATH.",
            "Install one of them: `sudo apt-get install python3-venv`, or virtualenv from PyPI; then run this again.",
        )


def install_platform(home: Home, runner: Runner) -> None:
    """The modular platform (a pre-release), the agents we need of it, and supervisor."""
    names = [*PLATFORM, *PLATFORM_AGENTS, *PLATFORM_LIBRARIES, *SUPERVISOR]
    runner([home.venv / "bin/pip", "install", "--quiet", "--pre", *names], "pip could not install VOLTTRON.", _REMEDY)


def install_voltscope(home: Home, runner: Runner) -> None:
    """voltscope from the copied sources, editable as the platform's poetry will install it, too."""
    pip = [home.venv / "bin/pip", "install", "--quiet", "--editable", home.source]
    runner(pip, "pip could not install voltscope.", _REMEDY)


def install_command(home: Home, files: list[Path]) -> None:
    """The `voltscope` command in an environment of the caller's own.

    For root: the platform's user can write the other environment, so root must not run what lies there.
    """
    runner = Runner(home, caller())
    with tempfile.TemporaryDirectory(dir=home.path, prefix="command-") as folder:
        place(files, Path(folder) / "source")
        runner([system_python(), "-m", "venv", "--clear", home.command], "the command's environment could not be made.")
        pip = [home.command / "bin/pip", "install", "--quiet", Path(folder) / "source"]
        runner(pip, "pip could not install the voltscope command.", _REMEDY)


def versions(home: Home, runner: Runner) -> dict[str, str]:
    """Distributions of the environment with their versions."""
    listed = runner([home.venv / "bin/pip", "list", "--format", "json"], "pip could not list the environment.")
    return {entry["name"]: entry["version"] for entry in json.loads(listed)}


def python_version(home: Home, runner: Runner) -> str:
    """The environment's Python, as in 3.11.2."""
    code = "import platform; print(platform.python_version().rstrip('+'))"
    return runner([home.venv / "bin/python", "-c", code], "the environment's Python does not start.").strip()


def vendor_browser_parts(home: Home, runner: Runner) -> str | None:
    """Fetches the console's browser parts; a sentence when it could not, for the console works without some of them."""
    code, _, err = runner.attempt([home.venv / "bin/python", "-m", "voltscope.console.vendor"], timeout=120)
    if code == 0:
        return None
    last = (err.strip().splitlines() or ["no reason given"])[-1]
    return f"the console's browser parts could not be fetched ({last[:160]}); charts and speedscope may be missing."


_REMEDY = "Check the network and the package index (pip config list), then run this again: it goes on here."
