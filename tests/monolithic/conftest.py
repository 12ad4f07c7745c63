"""A monolithic platform with our four agents, started once.

VOLTTRON_MONOLITHIC names a checkout of VOLTTRON 9 with its own environment in `env/`, as its bootstrap makes it,
readable by the user `nobody` where the tests run as root (VOLTTRON refuses root).
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from live_site import LiveSite, wait_for  # noqa: E402  (its folder must be on the path first)
from servers.alertmanager import AlertmanagerServer  # noqa: E402
from servers.missing import PeerMissing  # noqa: E402
from servers.ports import free_port  # noqa: E402


def pytest_collection_modifyitems(items):
    """Everything here is marked, and skipped where no checkout is named."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.monolithic)
            item.add_marker(pytest.mark.timeout(600))
            if not os.environ.get("VOLTTRON_MONOLITHIC"):
                item.add_marker(pytest.mark.skip(reason="VOLTTRON_MONOLITHIC names no checkout"))


class Monolithic:
    """One platform below `folder`; `run` is a command in its environment, as its user."""

    def __init__(self, folder, checkout):
        self.folder, self.checkout, self.env = folder, checkout, checkout / "env"
        self.home = folder / "vh"
        account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        for path in (self.home, folder / "user"):
            path.mkdir()
        self.environment = {
            "PATH": f"{self.env}/bin:/usr/bin:/bin",
            "HOME": str(folder / "user"),
            "VOLTTRON_HOME": str(self.home),
            "VIRTUAL_ENV": str(self.env),
            **{key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "REQUESTS_"))},
        }
        (self.home / "config").write_text(
            "[volttron]\nmessage-bus = zmq\ninstance-name = mono\nagent-monitor-frequency = 600\n"
            f"vip-address = tcp://127.0.0.1:{free_port()}\n"
        )
        for path in (self.home, self.home / "config", folder / "user"):
            os.chown(path, account.pw_uid, account.pw_gid)

    def popen(self, *command, **options):
        return subprocess.Popen([str(c) for c in command], cwd=self.home, env=self.environment, **self.who, **options)

    def run(self, *command, timeout=180):
        process = self.popen(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output, _ = process.communicate(timeout=timeout)
        assert process.returncode == 0, f"{command}: {output}"
        return output

    def vctl(self, *arguments):
        return self.run(self.env / "bin" / "vctl", *arguments)


@pytest.fixture(scope="session")
def live():
    """The site, its four agents, a listener, a historian and a driver running; Alertmanager where it is installed."""
    checkout = Path(os.environ["VOLTTRON_MONOLITHIC"])
    folder = Path(tempfile.mkdtemp(prefix="vs-mono-", dir="/var/tmp"))
    folder.chmod(0o755)
    subprocess.run(
        [checkout / "env/bin/python", "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", str(ROOT)],
        check=True,
    )
    platform = Monolithic(folder, checkout)
    launcher = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    binaries, log = platform.env / "bin", platform.home / "volttron.log"
    process = platform.popen(
        binaries / "python", "-c", launcher, binaries / "volttron", "-v", "-l", log,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    alertmanager = _alertmanager(folder)
    try:
        wait_for(lambda: (platform.home / "VOLTTRON_PID").exists(), what="the platform")
        wait_for(lambda: "not running" not in platform.vctl("status"), timeout=60, what="its control service")
        yield _install(platform, alertmanager)
    finally:
        if alertmanager is not None:
            alertmanager.stop()
        platform.popen(platform.env / "bin/vctl", "shutdown", "--platform").wait(timeout=60)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _alertmanager(folder):
    """One that runs; None where it is not installed."""
    (folder / "alertmanager").mkdir()
    try:
        server = AlertmanagerServer(folder / "alertmanager")
    except PeerMissing:
        return None
    server.start()
    return server


def _install(platform, alertmanager):
    source = platform.folder / "agents"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "agents", source, ignore=ignored)
    shutil.copytree(ROOT / "tests/e2e/complaining_agent", source / "complaining_agent", ignore=ignored)
    core = platform.checkout / "services" / "core"
    examples = platform.checkout / "examples"
    ports = {name: free_port() for name in ("exporter", "profiler")}
    credentials = platform.folder / "credentials.json"
    users = [{"name": role, "role": role, "secret": role * 4} for role in ("viewer", "operator")]
    credentials.write_text(json.dumps({"version": 1, "users": users}))
    for path in (source, credentials):
        path.chmod(0o755 if path.is_dir() else 0o600)
    if platform.who:
        os.chown(credentials, platform.who["user"], platform.who["group"])
    engines = {name: {"port": port, "credentials": str(credentials)} for name, port in ports.items()}
    if alertmanager is not None:
        engines["alerts"] = {"site": "mono-site", "alertmanager": {"urls": [alertmanager.url]}, "poll_s": 1}
    installs = {
        "listener": (examples / "ListenerAgent", None),
        "platform.historian": (core / "SQLHistorian", core / "SQLHistorian" / "config.sqlite"),
        "platform.driver": (core / "PlatformDriverAgent", core / "PlatformDriverAgent" / "platform-driver.agent"),
        **{f"voltscope.{name}": (source / name, None) for name in ("exporter", "logship", "profiler", "alerts")},
        "complainer": (source / "complaining_agent", None),
    }
    platform.vctl(
        "config", "store", "platform.driver", "fake.csv", examples / "configurations/drivers/fake.csv", "--csv"
    )
    platform.vctl(
        "config", "store", "platform.driver", "devices/campus/building/fake",
        examples / "configurations/drivers/fake.config", "--json",
    )  # fmt: skip
    for identity, (directory, config) in installs.items():
        name = identity.rpartition(".")[2]
        if name in engines:
            config = platform.folder / f"{name}.json"
            config.write_text(json.dumps({"engine": engines[name]}))
            config.chmod(0o644)
        options = ["--agent-config", config] if config else []
        platform.vctl("install", directory, "--vip-identity", identity, "--tag", name, *options, "--start")
    status = {
        "exporter": f"http://127.0.0.1:{ports['exporter']}",
        "profiler": f"http://127.0.0.1:{ports['profiler']}",
        "volttron_home": str(platform.home),
        "log": str(platform.home / "volttron.log"),
        "credentials": str(credentials),
    }
    live = LiveSite(status, venv=str(platform.env), user_home=str(platform.folder / "user"), control="control")
    live.platform, live.alertmanager = platform, alertmanager
    return live
