"""Faults of what surrounds agents: devices, certificates, the disk, the exporter's own configuration."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

from live_site import wait_for

from faults_lib.bench import EXPORTER, MUTE_DEVICE, Bench
from faults_lib.fault import SEEN_S, declare

_CERTIFICATE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=faults -days 10"


@declare("VolttronDeviceSilent", labels={"device": MUTE_DEVICE}, agent=False, budget_s=30 + 30 + SEEN_S + 20)
def silence_a_device(bench: Bench) -> Iterator[float]:
    """The driver polls a device no more, and says nothing of it."""
    topic = f"devices/{MUTE_DEVICE}"
    bench.store("platform.driver", topic, bench.stored("platform.driver", "devices/campus/building/fake"))
    wait_for(lambda: _publishes(bench), timeout=120, what=f"{MUTE_DEVICE} and its interval")
    bench.rpc("platform.driver", "stop", {"topic": topic})
    yield time.time()
    bench.rpc("platform.driver", "start", {"topic": topic})
    wait_for(lambda: _publishes(bench), timeout=120, what=f"{MUTE_DEVICE} again")
    bench.vctl("config", "delete", "platform.driver", topic)


def _publishes(bench: Bench) -> bool:
    """Whether the exporter knows its interval, which it looks up once a minute, and has just seen it."""
    interval = bench.value("volttron_device_interval_seconds", device=MUTE_DEVICE)
    age = bench.value("volttron_device_last_update_age_seconds", device=MUTE_DEVICE)
    return interval is not None and age is not None and age < 2 * interval


@declare(
    "VolttronCertificateExpiring",
    labels={"certificate": "faults/soon.crt"},
    agent=False,
    budget_s=300 + SEEN_S + 20,
)
def certificate_expires_soon(bench: Bench) -> Iterator[float]:
    """A certificate of the platform is good for ten days more."""
    folder = bench.volttron / "certificates" / "faults"
    folder.mkdir(parents=True)
    bench.own(folder.parent)
    subprocess.run(
        [*_CERTIFICATE.split(), "-keyout", os.devnull, "-out", str(folder / "soon.crt")],
        check=True,
        capture_output=True,
    )
    bench.own(folder)
    yield time.time()
    (folder / "soon.crt").unlink()
    folder.rmdir()


@declare("VoltscopeWebConfigInvalid", labels={}, agent=False, budget_s=60 + SEEN_S + 20)
def break_the_web_configuration(bench: Bench) -> Iterator[float]:
    """The exporter's web configuration file gets an error while it is in use."""
    good = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n"
    path = bench.write("web.yml", good)
    config = bench.exporter_config()
    bench.store(EXPORTER, "config", config | {"engine": config["engine"] | {"web_config_file": str(path)}})
    wait_for(lambda: bench.value("voltscope_web_config_valid") == 1, timeout=30, what="a web configuration")
    bench.write("web.yml", "http_server_config: [\n")
    yield time.time()
    bench.write("web.yml", good)
    bench.store(EXPORTER, "config", config)


def _own_disk(bench: Bench) -> str | None:
    return None if bench.own_disk else "needs a disk of its own, which a harness run by root without --home makes"


@declare("VolttronDiskFull", labels={}, agent=False, budget_s=60 + SEEN_S + 20, needs=_own_disk)
def fill_the_disk(bench: Bench) -> Iterator[float]:
    """Two hundredths are left of the disk of VOLTTRON_HOME."""
    disk = os.statvfs(bench.volttron)
    path = bench.at.path / "ballast"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - disk.f_blocks * disk.f_frsize // 50)
    yield time.time()
    path.unlink()
