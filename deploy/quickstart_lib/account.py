"""The user everything runs as, the environment handed to it, and running programs as that user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .failure import StepFailed
from .pip_settings import pip_environment
from .state import Home

USER = "volttron"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What pip and poetry (which the platform runs by itself) need where a private index, a proxy or a certificate
# authority of one's own is in use; everything else of the caller's environment stays behind.
_HANDED_ON = {
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "LANG",
    "LC_ALL",
    "TZ",
    "TERM",
}
_HANDED_ON_PREFIXES = ("PIP_", "POETRY_", "NPM_CONFIG_")


@dataclass(frozen=True)
class Account:
    """A user; `drop` when it is another than the one running, which only root may use."""

    name: str
    uid: int
    gid: int
    drop: bool

    @property
    def identity(self) -> dict[str, object]:
        """Arguments to subprocess that make a child run as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.drop else {}

    def own(self, path: Path) -> None:
        """Gives `path` to this user."""
        if self.drop:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def current_account() -> Account:
    """The account a home is run as: the caller, or the user `volttron` where the caller is root.

    Raises KeyError when root has no such user yet.
    """
    if os.geteuid() == 0:
        entry = pwd.getpwnam(USER)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, drop=True)
    return caller()


def caller() -> Account:
    """The account that runs this program."""
    return Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), drop=False)


def create_user() -> bool:
    """Makes the unprivileged system user; False when there is one already. Raises StepFailed."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        pass
    else:
        return False
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    done = subprocess.run(
        [*command, "--shell", "/usr/sbin/nologin", USER], capture_output=True, text=True, env={"PATH": SEARCH}
    )
    if done.returncode:
        raise StepFailed(f"useradd could not create the user {USER}.", output=done.stderr)
    return True


def handed_on(environment: Mapping[str, str], calling_home: Path) -> dict[str, str]:
    """Those variables of `environment` the user needs, with the caller's pip configuration files as PIP_ variables."""
    kept = {
        name: value
        for name, value in environment.items()
        if name.upper() in _HANDED_ON or name.upper().startswith(_HANDED_ON_PREFIXES)
    }
    return {**pip_environment(environment, calling_home), **kept}


def home_environment(home: Home) -> dict[str, str]:
    """The environment of every program of this home."""
    return {
        **handed_on(os.environ, Path("~").expanduser()),
        "HOME": str(home.user_home),
        "PATH": f"{home.venv}/bin:{SEARCH}",
        "VIRTUAL_ENV": str(home.venv),  # else poetry makes an environment of its own
        "POETRY_CACHE_DIR": str(home.poetry_cache),
        "VOLTTRON_HOME": str(home.volttron),
        "VOLTSCOPE_SITE": str(home.site_file),
    }


@dataclass(frozen=True)
class Runner:
    """Runs programs of one home as its account; what they say is kept in the home's setup log."""

    home: Home
    account: Account

    def __call__(
        self, argv: Sequence[str | Path], why: str, remedy: str = "", *, cwd: Path | None = None, timeout: float = 600
    ) -> str:
        """Runs `argv` to its end and returns its stdout. Raises StepFailed(why) when it fails or takes too long."""
        code, out, err = self.attempt(argv, cwd=cwd, timeout=timeout)
        if code != 0:
            raise StepFailed(why, remedy or f"See {self.home.setup_log}.", self.home.setup_log, output=err or out)
        return out

    def attempt(
        self, argv: Sequence[str | Path], *, cwd: Path | None = None, timeout: float = 600
    ) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of `argv`; the status is 124 when it took longer than `timeout` seconds."""
        command = [str(part) for part in argv]
        began = time.monotonic()
        try:
            done = subprocess.run(
                command,
                env=home_environment(self.home),
                cwd=cwd or self.home.path,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                umask=0o027,
                **self.account.identity,  # type: ignore[call-overload]
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            partly = [
                part.decode(errors="replace") if isinstance(part, bytes) else part or ""
                for part in (late.stdout, late.stderr)
            ]
            code, out, err = 124, partly[0], f"{partly[1]}\nstill running after {timeout:.0f} s, so it was ended"
        except OSError as error:
            code, out, err = 127, "", str(error)
        with self.home.setup_log.open("a") as log:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            log.write(f"{stamp} {' '.join(command)} -> {code} in {time.monotonic() - began:.1f} s\n{out}{err}")
        return code, out, err


def find_program(name: str) -> str | None:
    """Where `name` is, on PATH or in the system's folders."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SEARCH}")
