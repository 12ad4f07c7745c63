"""`voltscope doctor`: each check on a frozen machine, and the bundle that tells no secrets."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tarfile
import time
from pathlib import Path

import pytest
from cli_site import OPERATOR_SECRET, VIEWER_SECRET, Cli, SiteParts

from voltscope.cli.exposition import parse
from voltscope.cli.probe_environment import FILE, LINE
from voltscope.doctor import FAIL, OK, WARN, Finding, World
from voltscope.doctor.checks import CHECKS, examine
from voltscope.doctor.checks.capabilities import capabilities
from voltscope.doctor.checks.clock import clock
from voltscope.doctor.checks.credentials import credentials
from voltscope.doctor.checks.disk import judged
from voltscope.doctor.checks.historian import historian
from voltscope.doctor.checks.home import home
from voltscope.doctor.checks.log import log
from voltscope.doctor.checks.ports import ports
from voltscope.doctor.checks.probe import probe
from voltscope.doctor.checks.ptrace import ptrace
from voltscope.doctor.checks.secrets import secrets
from voltscope.doctor.checks.signals import signals
from voltscope.doctor.checks.versions import versions
from voltscope.doctor.kernel_clock import KernelClock, kernel_clock
from voltscope.site import find_site
from voltscope.version import __version__

NOW = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))
KEY = "Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OWFiY2RlZmdoaWo"  # 43 characters, as a CURVE key has


def machine(parts: SiteParts, **changes: object) -> World:
    """A frozen machine: a platform, process 100, with two agents, 101 and 102, on a kernel without Yama."""
    proc = parts.folder / "proc"
    if not proc.exists():
        for pid in (100, 101, 102):
            process(proc, pid)
        (proc / "100" / "task" / "100").mkdir(parents=True)
        (proc / "100" / "task" / "100" / "children").write_text("101 102 ")
        (proc / "self").mkdir()
        (proc / "self" / "status").write_text("CapEff:\t0000000000000000\n")
        (proc / "sys" / "kernel").mkdir(parents=True)
        (proc / "net").mkdir()
        (parts.volttron_home / "VOLTTRON_PID").write_text("100")
    given = {"proc": proc, "now": lambda: NOW, "clock": lambda: KernelClock(True, 0.0004, 0.1), "uid": 1000, **changes}
    return World(find_site(parts.file), **given)  # type: ignore[arg-type]


def process(proc: Path, pid: int, *, ignored: int = 0, uid: int = 1000, capabilities: int = 0) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status").write_text(
        f"Name:\tvolttron\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nSigIgn:\t{ignored:016x}\nCapEff:\t{capabilities:016x}\n"
    )


def yama(world: World, scope: int) -> None:
    (world.proc / "sys" / "kernel" / "yama").mkdir()
    (world.proc / "sys" / "kernel" / "yama" / "ptrace_scope").write_text(f"{scope}\n")


def write_log(parts: SiteParts, *lines: str, age: float = 1.0) -> None:
    path = Path(parts.content["log"])
    path.write_text("".join(f"{line}\n" for line in lines))
    os.utime(path, (NOW - age, NOW - age))


def levels(found: list[Finding]) -> list[str]:
    return [finding.level for finding in found]


def test_every_bad_finding_of_a_bare_machine_has_a_remedy(parts: SiteParts) -> None:
    for finding in examine(machine(parts)):
        assert finding.found.endswith("."), finding
        assert finding.level == OK or finding.remedy, finding


def test_every_check_has_a_file_of_its_name() -> None:
    assert {check.__module__.rpartition(".")[2] for check in CHECKS} == {check.__name__ for check in CHECKS}


def test_clock_kept_unkept_and_impossible(parts: SiteParts) -> None:
    assert levels(list(clock(machine(parts)))) == [OK]
    assert levels(list(clock(machine(parts, clock=lambda: KernelClock(False, 0.5, 16.0))))) == [WARN]
    assert levels(list(clock(machine(parts, clock=lambda: None)))) == [WARN]
    (first, _) = clock(machine(parts, now=lambda: 86400.0))
    assert first.level == FAIL
    assert "1970" in first.found


def test_clock_the_platforms_log_from_the_future(parts: SiteParts) -> None:
    write_log(parts, "2026-11-21 13:00:00,000 (PID:1) x(1) INFO: hour ahead")
    found = list(clock(machine(parts)))
    assert levels(found) == [OK, FAIL]
    assert "3600 s in the future" in found[1].found


def test_the_kernel_really_answers() -> None:
    found = kernel_clock()
    assert found is None or 0 <= found.estimated_error_s <= found.maximum_error_s + 1e6


@pytest.mark.parametrize(("scope", "level"), [(None, OK), (0, OK), (1, WARN), (2, WARN), (3, FAIL)])
def test_ptrace_scopes(parts: SiteParts, scope: int | None, level: str) -> None:
    world = machine(parts)
    if scope is not None:
        yama(world, scope)
    (found,) = ptrace(world)
    assert found.level == level
    if level == WARN:
        assert "sysctl -w kernel.yama.ptrace_scope=0" in (found.remedy or "")


def test_ptrace_a_capable_platform_may_attach_and_another_user_is_told(parts: SiteParts) -> None:
    world = machine(parts, uid=1001)
    yama(world, 1)
    process(world.proc, 100, capabilities=1 << 19)
    found = list(ptrace(world))
    assert levels(found) == [OK, OK]
    assert "uid 1000" in found[1].found


def test_capabilities_are_named(parts: SiteParts) -> None:
    world = machine(parts)
    process(world.proc, 100, capabilities=1 << 19 | 1 << 39)
    shell, platform = capabilities(world)
    assert "none beyond the ordinary" in shell.found
    assert "CAP_SYS_PTRACE, CAP_BPF" in platform.found


def test_the_probe_is_looked_for_where_the_platform_runs(parts: SiteParts) -> None:
    world = machine(parts)
    assert list(probe(world)) == []  # not known where it runs
    environment = parts.folder / "venv"
    packages = environment / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    (world.proc / "100" / "cmdline").write_bytes(os.fsencode(environment / "bin" / "python") + b"\0")
    for pid, identity in ((101, b"platform.driver"), (102, b"listener")):
        (world.proc / str(pid) / "environ").write_bytes(b"AGENT_VIP_IDENTITY=" + identity + b"\0")
    (found,) = probe(world)
    assert (found.level, found.remedy) == (OK, "To see them: voltscope probe enable")
    (packages / FILE).write_text("import something_else\n")
    assert levels(list(probe(world))) == [WARN]
    (packages / FILE).write_text(LINE)
    (found,) = probe(world)
    assert found.level == WARN
    assert "2 of 2 agents run without it (listener, platform.driver)" in found.found
    (world.proc / "100" / "task" / "100" / "children").write_text("")
    assert levels(list(probe(world))) == [OK]


def test_agents_that_ignore_sigint_are_found(parts: SiteParts) -> None:
    world = machine(parts)
    assert levels(list(signals(world))) == [OK]
    process(world.proc, 102, ignored=0x1002)
    (found,) = signals(world)
    assert found.level == FAIL
    assert "1 of 3 processes" in found.found
    assert "(102)" in found.found


def test_secret_keys_in_the_log_are_counted_and_never_shown(parts: SiteParts) -> None:
    write_log(parts, "2026-11-21 11:59:00,000 (PID:1) x(1) INFO: fine")
    assert levels(list(secrets(machine(parts)))) == [OK]
    write_log(parts, f"a?secretkey={KEY}&x", f"VolttronCredentials(secretkey='{KEY}')", f"secretkey={KEY[::-1]} z")
    (found,) = secrets(machine(parts))
    assert found.level == WARN
    assert "2 secret key(s), 3 times" in found.found
    assert KEY not in str(found)
    assert "chmod 600" in (found.remedy or "")


@pytest.mark.parametrize("text", ["2026-11-21 11:59:59,000 (PID:1) listener.agent(9) {}: x",
                                  "2026-11-21 11:59:59,000 () volttron.platform.main [12] {}: x"])  # fmt: skip
def test_log_of_both_generations_with_its_level(parts: SiteParts, text: str) -> None:
    write_log(parts, text.format("INFO"))
    assert levels(list(log(machine(parts)))) == [OK]
    write_log(parts, text.format("DEBUG"), text.format("INFO"))
    (found,) = log(machine(parts))
    assert "down to DEBUG: 50%" in found.found


def test_log_missing_stale_and_foreign(parts: SiteParts) -> None:
    assert levels(list(log(machine(parts)))) == [FAIL]
    write_log(parts, "2026-11-21 11:00:00,000 (PID:1) x(1) INFO: x", age=3600)
    stale = list(log(machine(parts)))
    assert levels(stale) == [WARN, OK]
    assert "for 1 h 0 min" in stale[0].found
    write_log(parts, "hello")
    assert levels(list(log(machine(parts)))) == [WARN]


def test_home_open_to_all_and_absent(parts: SiteParts) -> None:
    world = machine(parts)
    assert levels(list(home(world))) == [OK]
    store = parts.volttron_home / "credentials_store"
    store.mkdir(mode=0o755)
    assert levels(list(home(world))) == [OK]  # nothing in it yet
    (store / "listener.json").write_text("{}")
    (store / "listener.json").chmod(0o644)
    assert levels(list(home(world))) == [WARN]
    parts.volttron_home.chmod(0o777)
    assert levels(list(home(world))) == [FAIL, WARN]
    parts.volttron_home.chmod(0o700)
    assert levels(list(home(world))) == [OK]
    (parts.volttron_home / "VOLTTRON_PID").write_text("4000000")
    assert levels(list(home(machine(parts)))) == [WARN]
    shutil.rmtree(parts.volttron_home)
    assert levels(list(home(machine(parts)))) == [FAIL]


def test_disk_levels() -> None:
    gigabyte = 1_000_000_000
    assert judged(50 * gigabyte, 100 * gigabyte, 9, 10).level == OK
    assert judged(5 * gigabyte, 100 * gigabyte, 9, 10).level == WARN
    assert judged(gigabyte // 10, 100 * gigabyte, 9, 10).level == FAIL
    assert judged(50 * gigabyte, 100 * gigabyte, 1, 1000).level == FAIL
    assert judged(50 * gigabyte, 100 * gigabyte, 0, 0).level == OK  # btrfs has no inode limit


def test_credentials(parts: SiteParts) -> None:
    assert levels(list(credentials(machine(parts)))) == [OK]
    Path(parts.content["credentials"]).chmod(0o640)
    (found,) = credentials(machine(parts))
    assert (found.level, found.remedy) == (FAIL, f"Run: chmod 600 {parts.content['credentials']}")
    parts.update(credentials=None)
    assert levels(list(credentials(machine(parts)))) == [WARN]


def test_versions_of_an_environment(parts: SiteParts, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    for name, version in (("volttron", "11.0.0rc3"), ("volttron_core", "2.0.0rc38"), ("py_spy", "0.4.3")):
        folder = packages / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    world = machine(parts, site_packages=[str(packages)])
    world.__dict__["scraped"] = parse('voltscope_build_info{version="0.0.9"} 1\n', "x")
    found = list(versions(world))
    assert f"voltscope {__version__}" in found[0].found
    assert "volttron modular 11.0.0rc3" in found[0].found
    assert "py-spy 0.4.3" in found[0].found
    assert (found[1].level, "0.0.9" in found[1].found) == (WARN, True)


@pytest.mark.parametrize(("row_age", "device_age", "level"), [(10, 2, OK), (900, 2, FAIL), (900, 400, OK)])
def test_a_starved_historian_is_seen_only_while_devices_update(
    parts: SiteParts, row_age: float, device_age: float, level: str
) -> None:
    world = machine(parts)
    world.__dict__["scraped"] = parse(
        'voltscope_build_info{version="1"} 1\n'
        f'volttron_historian_newest_row_age_seconds{{agent="platform.historian"}} {row_age}\n'
        'volttron_device_interval_seconds{device="d"} 5\n'
        f'volttron_device_last_update_age_seconds{{device="d"}} {device_age}\n',
        "x",
    )
    (found,) = historian(world)
    assert found.level == level
    assert level == OK or "all_platforms" in (found.remedy or "")


def test_ports_answering_and_not(parts: SiteParts, exporter: str, profiler: str) -> None:
    found = list(ports(machine(parts)))
    assert levels(found) == [OK, OK, FAIL, FAIL]
    parts.update(profiler=exporter)
    assert "is no profiler" in list(ports(machine(parts)))[1].found


@pytest.mark.parametrize(
    ("name", "address", "wide"),
    [
        ("tcp", "0100007F", None),
        ("tcp", "00000000", "0.0.0.0:10933"),
        ("tcp", "0A00A8C0", "192.168.0.10:10933"),
        ("tcp6", "00000000000000000000000001000000", None),
        ("tcp6", "00000000000000000000000000000000", ":::10933"),
    ],
)
def test_ports_beyond_loopback(parts: SiteParts, name: str, address: str, wide: str | None) -> None:
    parts.update(exporter="http://127.0.0.1:10933")
    world = machine(parts)
    (world.proc / "net" / name).write_text(
        f"  sl  local_address rem_address   st\n   0: {address}:2AB5 00000000:0000 0A 0 0 0 0\n"
        f"   1: {address}:1111 00000000:0000 0A 0 0 0 0\n"
    )
    found = [finding for finding in ports(world) if finding.level == WARN]
    assert len(found) == (1 if wide else 0)
    assert wide is None or f"listens on {wide}," in found[0].found


def test_the_command_says_it_all_in_80_columns(cli: Cli, parts: SiteParts, exporter: str) -> None:
    code, text = cli.on_terminal("doctor")
    assert code == 1  # no profiler, no console
    assert "\x1b[31m" in text
    cli.env["NO_COLOR"] = "1"
    _, plain = cli.on_terminal("doctor")
    assert max(len(line) for line in plain.splitlines() if "/" not in line) <= 80
    found = json.loads(cli("doctor", "--json").stdout)
    assert found["ok"] is False
    assert {"clock", "ports", "disk", "ptrace", "versions"} <= {finding["check"] for finding in found["findings"]}


def test_no_planted_secret_gets_into_the_bundle(cli: Cli, parts: SiteParts, exporter: str, tmp_path: Path) -> None:
    planted = [KEY, KEY[::-1], OPERATOR_SECRET, VIEWER_SECRET, "hunter2hunter2", "s3cr3t-web-key", "pg-passw0rd",
               "bearer-token-value-1", "store-secret-value-x"]  # fmt: skip
    write_log(
        parts,
        f"2026-11-21 11:59:00,000 (PID:1) x(1) INFO: tcp://1.2.3.4?secretkey={KEY}&serverkey=abc",
        f"2026-11-21 11:59:01,000 (PID:1) x(1) DEBUG: VolttronCredentials(identity='x', secretkey='{KEY[::-1]}')",
        f"2026-11-21 11:59:02,000 (PID:1) x(1) INFO: somebody logged {OPERATOR_SECRET} bare, and {VIEWER_SECRET}",
        "2026-11-21 11:59:03,000 (PID:1) x(1) INFO: connect postgres://volttron:pg-passw0rd@db/x",
        "2026-11-21 11:59:04,000 (PID:1) x(1) INFO: Authorization: Bearer bearer-token-value-1",
        "2026-11-21 11:59:05,000 (PID:1) x(1) INFO: the platform said store-secret-value-x aloud",
        "2026-11-21 11:59:06,000 (PID:1) x(1) INFO: harmless and findable",
    )
    (parts.volttron_home / "config").write_text(
        "[volttron]\ninstance-name = volttron1\nweb-secret-key = s3cr3t-web-key\nsmtp-password: hunter2hunter2\n"
    )
    store = parts.volttron_home / "credentials_store"
    store.mkdir()
    (store / "listener.json").write_text(json.dumps({"identity": "listener", "secretkey": "store-secret-value-x"}))
    parts.update(prometheus="http://prom:hunter2hunter2@127.0.0.1:1")
    bundle = tmp_path / "bundle.tar.gz"

    done = cli("doctor", "--bundle", str(bundle))
    assert "Traceback" not in done.stderr, done.stderr
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    with tarfile.open(bundle) as archive:
        files = {
            Path(entry.name).name: (archive.extractfile(entry) or sys.exit()).read().decode()
            for entry in archive.getmembers()
        }
        assert all(entry.mode == 0o600 for entry in archive.getmembers())
    everything = "\n".join(files.values()) + done.stdout + done.stderr
    assert [secret for secret in planted if secret in everything] == []

    assert set(files) == {
        "README.txt", "doctor.json", "versions.json", "metrics.txt", "site.json", "platform.conf", "log.txt"
    }  # fmt: skip
    assert "harmless and findable" in files["log.txt"]
    assert "instance-name = volttron1" in files["platform.conf"]
    assert 'volttron_agent_state{agent="listener"' in files["metrics.txt"]
    assert json.loads(files["versions.json"])["voltscope"] == __version__
    assert all(name in done.stdout for name in files)
    assert "look before you send it" in done.stdout


def test_a_bundle_that_cannot_be_written_is_said_first(cli: Cli) -> None:
    done = cli("doctor", "--bundle", "/nowhere/b.tar.gz")
    assert done.returncode == 2
    assert "there is no folder /nowhere" in done.stderr
