"""Python environments: which one a process runs in, and whether agents started there load the probe."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltscope.cli.files import write_atomically
from voltscope.errors import ProbeEnvironment

# Python reads these files in the order of their names: `_` is behind `.` and `-`, so this one comes after those that
# an editable voltscope is found by (`__editable__.voltscope-0.1.0.pth`, `voltscope.pth`).
FILE = "voltscope_probe.pth"

# In an agent's process: the probe is loaded with gevent, just before it, and a process that never imports gevent loads
# nothing. `sys.meta_path` becomes another list, for whoever looks gevent up goes through the one there is.
_WITH_GEVENT = """
try:
    import sys, time, _thread
    class VoltscopeProbe:
        main, at = _thread.get_ident(), time.time()
        def find_spec(name, path=None, target=None):
            if name == 'gevent':
                try:
                    sys.meta_path = [one for one in sys.meta_path if one is not VoltscopeProbe]
                    import voltscope.probe.start as start
                    start.begin(VoltscopeProbe.main, VoltscopeProbe.at)
                except (Exception, SystemExit):
                    pass
    sys._voltscope_probe = VoltscopeProbe
    sys.meta_path.insert(0, VoltscopeProbe)
    'gevent' in sys.modules and VoltscopeProbe.find_spec('gevent')
except (Exception, SystemExit):
    pass
"""
# Executed by every Python of the environment at its start (docs of the module site): one line, which begins with
# `import`. Pip, poetry and vctl have no agent's identity and pay for one look into a dictionary. Whatever is wrong
# with voltscope, or where it has gone meanwhile, the interpreter starts; only Ctrl-C is let through. In a virtual
# environment the interpreter does so twice.
LINE = (
    "import os, sys; 'AGENT_VIP_IDENTITY' in os.environ and not hasattr(sys, '_voltscope_probe') and "
    f"exec({_WITH_GEVENT.replace('    ', ' ')!r}, {{}})\n"
)
_ASK = (
    "import importlib.util, json, sys, sysconfig\n"
    "try: found = importlib.util.find_spec('voltscope.probe.start') is not None\n"
    "except Exception: found = False\n"
    "print(json.dumps({'purelib': sysconfig.get_path('purelib'), 'prefix': sys.prefix, 'voltscope': found}))\n"
)
_ASK_S = 60.0


@dataclass(frozen=True)
class Environment:
    """`prefix`: its folder. `file`: where the probe's line stands when it is enabled. `importable`: whether its
    Python finds voltscope's probe.
    """

    prefix: Path
    file: Path
    importable: bool

    @property
    def enabled(self) -> bool:
        """Whether agents started from now on load the probe."""
        return enabled_at(self.file)

    def enable(self) -> bool:
        """Write the line; False when it stood there already. Raises ProbeEnvironment saying why it cannot be."""
        if not self.importable:
            raise ProbeEnvironment(
                f"voltscope cannot be imported in {self.prefix}.",
                f"Install it there: {self.prefix}/bin/pip install voltscope",
            )
        if self.enabled:
            return False
        with self._as_owner():
            self._check_writable()
            write_atomically(self.file, LINE.encode(), 0o644)  # whatever the umask: the agents' user must read it
        return True

    def disable(self) -> bool:
        """Take the file away; False when there was none. Raises ProbeEnvironment."""
        if not os.path.lexists(self.file):
            return False
        with self._as_owner():
            self._check_writable()
            self.file.unlink(missing_ok=True)
        return True

    @contextmanager
    def _as_owner(self) -> Iterator[None]:
        """Go on as whoever owns the environment when we are root: a folder that becomes a link to one of root's after
        it was looked at is then nothing that we could write to.
        """
        owners = self._owners() if os.geteuid() == 0 else []
        if not owners:
            yield
            return
        group, groups = os.getegid(), os.getgroups()
        os.setgroups([])
        os.setegid(owners[0].st_gid)
        os.seteuid(owners[0].st_uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)

    def _owners(self) -> list[os.stat_result]:
        """Of the folders on the way to the file, those that are not root's."""
        within = [folder for folder in self.file.parents if folder.is_relative_to(self.prefix)]
        try:
            return [found for folder in (*within, self.prefix) if (found := folder.lstat()).st_uid]
        except OSError as error:
            raise ProbeEnvironment(f"{self.file.parent} is gone: {error.strerror}.", "Mend it first.") from error

    def _check_writable(self) -> None:
        if not os.access(self.file.parent, os.W_OK, effective_ids=True):
            raise ProbeEnvironment(
                f"{self.file.parent} cannot be written.", "Run this as the user who owns the environment, or as root."
            )


def at(prefix: Path) -> Environment:
    """The environment in folder `prefix`. Raises ProbeEnvironment when there is none.

    Its own Python is asked, which knows where packages go; as the folder's owner when we are root, so that nobody's
    Python gets more rights than it has.
    """
    python = next((one for name in ("python3", "python") if os.access(one := prefix / "bin" / name, os.X_OK)), None)
    if python is None:
        raise ProbeEnvironment(f"{prefix} is no Python environment: it has no bin/python3.", "Name another folder.")
    told = _asked(python, prefix)
    folder = Path(told["purelib"])
    somebodys = prefix.stat().st_uid != 0 or (prefix / "pyvenv.cfg").is_file()
    if somebodys and not folder.resolve().is_relative_to(prefix.resolve()):
        raise ProbeEnvironment(  # whoever owns an environment must not choose where root writes
            f"the Python of {prefix} has its packages elsewhere, in {folder}.", "Name the folder that has them."
        )
    return Environment(prefix, folder / FILE, told.get("voltscope") is True)


def of_process(pid: int, proc: Path = Path("/proc")) -> Path | None:
    """The folder of the virtual environment that process `pid` runs in; None for the system's Python, or if unknown.

    The interpreter's own path tells, as its `sys.prefix` does; else VIRTUAL_ENV. Other variables are not looked at.
    """
    try:
        command = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    interpreter = Path(os.fsdecode(command[0]))
    named = [interpreter.parent.parent] if interpreter.is_absolute() else []
    try:
        variables = (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        variables = []
    named += [Path(os.fsdecode(one[12:])) for one in variables if one.startswith(b"VIRTUAL_ENV=/")]
    return next((folder for folder in named if (folder / "pyvenv.cfg").is_file()), None)


def file_in(prefix: Path) -> Path | None:
    """The file that enables the probe in a virtual environment, where there is one; no Python is asked."""
    return next(iter(sorted(prefix.glob(f"lib/python3*/site-packages/{FILE}"))), None)


def enabled_at(file: Path) -> bool:
    """Whether the file holds the line as this version writes it."""
    try:
        return file.read_text() == LINE
    except (OSError, UnicodeDecodeError):
        return False


def _asked(python: Path, prefix: Path) -> dict[str, Any]:
    # isolated: neither a PYTHONPATH nor what lies in our folder is the environment's
    command = [str(python), "-I", "-c", _ASK]
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        found = prefix.stat()
        owner = {"user": found.st_uid, "group": found.st_gid, "extra_groups": []}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_ASK_S, check=True, cwd="/", env={"LC_ALL": "C.UTF-8"},
            **owner,
        )  # fmt: skip
        told = json.loads(done.stdout.splitlines()[-1])  # other .pth files may have printed before
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        words = getattr(error, "stderr", None) or str(error)
        last = words.strip().splitlines()[-1:] or ["no word"]
        raise ProbeEnvironment(f"the Python of {prefix} cannot be asked: {last[0][:200]}.", "Mend it first.") from error
    if not isinstance(told, dict) or not isinstance(told.get("purelib"), str):
        raise ProbeEnvironment(f"the Python of {prefix} gives no sensible answer.", "Mend it first.")
    return told
