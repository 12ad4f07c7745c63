"""What a real platform feels of being scraped: an agent of ours is put into it, and taken out again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from metrics_lib.exporter import PROMETHEUS, ROOT, fetch
from metrics_lib.figures import figure, lower_bound
from metrics_lib.quickstart import running_quickstart

sys.path.append(str(ROOT / "tests" / "e2e"))
from live_site import LiveSite, wait_for

TICKING, LOAD = "bench.exporter", "bench.load"
SCRAPES, SCRAPES_A_SECOND = 200, 20
BLOCK_S = 5.0
# A ratio of two blocks spreads by some 2 %: eleven pairs left the bound 1.5 % below the centre.
PAIRS = 31
AGENTS = 30
# An agent that started is looked at once more a minute later; that is no cost of scraping.
SETTLED_S = 70.0
_TICKS = os.sysconf("SC_CLK_TCK")
_NAMES = {
    "hub_block_ms": ("ms", "< 10", "largest excess gap of a 1 ms ticker in the exporter's bridge, scraped and not"),
    "rpc_throughput_ratio": ("ratio", ">= 0.97", "calls a second between two agents, scraped every 5 s and not"),
    "pubsub_throughput_ratio": ("ratio", ">= 0.97", "messages a second through the router, scraped every 5 s and not"),
    "exporter_cpu_percent": ("%", "< 1", "processor of the exporter's bridge and engine, scraped every 15 s"),
}


PARTS = {
    "cpu": "exporter_cpu_percent",
    "rpc": "rpc_throughput_ratio",
    "pubsub": "pubsub_throughput_ratio",
    "hub": "hub_block_ms",
}


def running_site(home: Path) -> LiveSite:
    """The running quickstart below `home`. Raises SystemExit when there is none."""
    return LiveSite(running_quickstart(home)[1])


def measure(home: Path | None, quick: bool, parts: Sequence[str] = tuple(PARTS)) -> Iterator[dict[str, Any]]:
    """The figures of these parts, or why there are none."""
    if quick or home is None:
        for name in (PARTS[part] for part in parts):
            unit, goal, of = _NAMES[name]
            yield figure(name, None, unit, goal, of, "takes minutes" if quick else "needs --home of a quickstart")
        return
    site = running_site(home)
    with _paused(site["pids"]["prometheus"]):
        if "cpu" in parts:
            with installed(site, _idle_agents(site)):
                time.sleep(SETTLED_S)
                yield _cpu(site)
        if set(parts) <= {"cpu"}:
            return
        with _agents(site):
            if "rpc" in parts:
                yield _throughput(site, "rpc_throughput_ratio", "calls", {"target": "listener", "seconds": BLOCK_S})
            if "pubsub" in parts:
                yield _throughput(site, "pubsub_throughput_ratio", "messages", {"seconds": BLOCK_S})
            if "hub" in parts:
                yield _hub(site)


def _hub(site: LiveSite) -> dict[str, Any]:
    url = _ticking_url(site)

    def gap(scraped: bool) -> tuple[float, float]:
        """Milliseconds, by the clock and of processor time.

        The window is the agent's own: a client that starts up within it would be the gap it finds.
        """
        answers: list[Any] = []
        arguments = {"seconds": SCRAPES / SCRAPES_A_SECOND}
        call = threading.Thread(target=lambda: answers.append(site.rpc(TICKING, "worst_gap", arguments, timeout=90)))
        call.start()
        began, number = time.monotonic(), 0
        while call.is_alive():
            if scraped:
                fetch(url, PROMETHEUS)
            number += 1
            time.sleep(max(0.0, began + number / SCRAPES_A_SECOND - time.monotonic()))
        wall, cpu = _result(answers[0])
        return 1000 * wall, 1000 * cpu

    pairs = [(gap(True), gap(False)) for _ in range(3)]
    scraped, alone = (statistics.median(wall for wall, _ in side) for side in zip(*pairs, strict=True))
    busiest, idle = (statistics.median(cpu for _, cpu in side) for side in zip(*pairs, strict=True))
    unit, goal, of = _NAMES["hub_block_ms"]
    shown = ", ".join(f"{a:.1f}-{b:.1f}" for (a, _), (b, _) in pairs)
    return figure(
        "hub_block_ms",
        scraped - alone,
        unit,
        goal,
        f"{of}; {SCRAPES} scrapes, median of {len(pairs)} pairs: {shown}; by processor time between two ticks, which "
        f"other programs do not stretch, {busiest:.1f}-{idle:.1f}",
    )


def _throughput(site: LiveSite, name: str, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Alternating pairs of blocks, each with one scrape or none. The platform's own exporter is scraped."""
    url = f"{site['exporter']}/metrics"

    def rate(scraped: bool) -> float:
        timer = threading.Timer(BLOCK_S / 2, fetch, (url, PROMETHEUS)) if scraped else None
        if timer is not None:
            timer.start()
        answer = site.rpc(LOAD, method, arguments, timeout=60)
        if timer is not None:
            timer.join()
        return float(_result(answer))

    rate(True)
    pairs = []
    for number in range(PAIRS):
        first = number % 2 == 0
        one, other = rate(first), rate(not first)
        pairs.append((one, other) if first else (other, one))
    ratios = [scraped / alone for scraped, alone in pairs]
    centre, bound = lower_bound(ratios)
    unit, goal, of = _NAMES[name]
    return figure(
        name,
        bound,
        unit,
        goal,
        f"{of}; 95 % lower bound of {PAIRS} alternating pairs of {BLOCK_S:.0f} s, centre {centre:.3f}, all of them "
        f"{min(ratios):.3f} to {max(ratios):.3f}, median {statistics.median(alone for _, alone in pairs):.0f}/s",
    )


def _result(answer: dict[str, Any]) -> Any:
    if "result" not in answer:
        raise SystemExit(f"the bench's agent does not answer (is vctl used meanwhile?): {answer}")
    return answer["result"]


def _cpu(site: LiveSite, scrapes: int = 8) -> dict[str, Any]:
    bridge = site.pid("voltscope.exporter")
    engine = int(site.rpc("voltscope.exporter", "voltscope.status")["result"]["engine_pid"])
    url = f"{site['exporter']}/metrics"
    agents = _running(site)
    before, began = _used(bridge) + _used(engine), time.monotonic()
    for number in range(scrapes):
        fetch(url, PROMETHEUS)
        time.sleep(max(0.0, began + 15 * (number + 1) - time.monotonic()))
    percent = 100 * (_used(bridge) + _used(engine) - before) / (time.monotonic() - began)
    unit, goal, of = _NAMES["exporter_cpu_percent"]
    return figure("exporter_cpu_percent", percent, unit, goal, f"{of} for {15 * scrapes} s; {agents} agents run")


def _running(site: LiveSite) -> int:
    states = site.scrape()["volttron_agent_state"]
    return sum(labels["state"] == "running" and bool(value) for labels, value in states)


def _idle_agents(site: LiveSite) -> dict[str, tuple[str, ...]]:
    """As many copies of the load agent, with nothing to do but heartbeats, as the site lacks of AGENTS."""
    return {f"bench.idle.{number}": () for number in range(AGENTS - _running(site))}


def _ticking_url(site: LiveSite) -> str:
    def url() -> str | None:
        answer = site.rpc(TICKING, "voltscope.status").get("result") or {}
        return (answer.get("status") or {}).get("url")

    return f"{wait_for(url, timeout=60, what='the ticking exporter')}/metrics"


@contextlib.contextmanager
def _agents(site: LiveSite) -> Iterator[None]:
    """The ticking exporter and the load, installed and started; removed in the end."""
    config = Path(site["home"]) / "bench_ticking.json"
    config.write_text(json.dumps({"data_dir": str(site.home / "voltscope" / "bench"), "engine": {"port": 0}}))
    config.chmod(0o644)
    try:
        with installed(site, {TICKING: ("--agent-config", str(config)), LOAD: ()}):
            wait_for(_answers(site), timeout=60, what="the bench's agents")
            yield
    finally:
        config.unlink()


@contextlib.contextmanager
def installed(site: LiveSite, agents: dict[str, tuple[str, ...]]) -> Iterator[None]:
    """The bench's distribution under these identities, each with options of `vctl install`; removed in the end."""
    folder = Path(site["home"]) / "bench_agent"
    shutil.copytree(Path(__file__).with_name("agent"), folder, dirs_exist_ok=True)
    owner = site.home.stat()
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    try:
        for identity, extra in agents.items():
            tag = identity.replace(".", "-")
            site.vctl("install", str(folder), "--vip-identity", identity, "--tag", tag, *extra, "--start", timeout=240)
        wait_for(lambda: agents.keys() <= _peers(site), timeout=60, what="the bench's agents")
        yield
    finally:
        for identity in agents:
            site.vctl("remove", "--tag", identity.replace(".", "-"), check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _peers(site: LiveSite) -> set[str]:
    """Whom the platform answers for: the exporter may not have been scraped yet."""
    return set(site.rpc(site.control, "peerlist").get("result") or ())


def _answers(site: LiveSite) -> Callable[[], bool]:
    return lambda: "result" in site.rpc(LOAD, "messages", {"seconds": 0.1})


@contextlib.contextmanager
def _paused(pid: int) -> Iterator[None]:
    """The site's Prometheus stands still, so that the only scrapes are ours and its own work costs nobody."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
