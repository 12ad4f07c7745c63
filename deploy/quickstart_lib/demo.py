"""`demo-fault NAME`: a real fault on the running platform, watched until it is told of, and undone by `clear`."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any

from .account import Runner, current_account
from .alerting import alertmanager_of
from .asking import ask, wait_for
from .demo_faults import BY_NAME, DEMOS, Demo
from .failure import StepFailed
from .report import Report
from .site_files import operator_secret
from .state import Home
from .status import status

FIRES_S = 240.0
OVER_S = 300.0


def tell_demos(report: Report) -> None:
    """Which there are."""
    for demo in DEMOS:
        report.say(f"  {demo.name:<18} {demo.about}; {demo.alert}")
    report.say(f"  {'clear':<18} undo what was seeded, and wait until its alert is over")


def seed(home: Home, name: str, report: Report) -> None:
    """Seeds a fault and returns when its alert fires. Raises StepFailed."""
    demo, found = BY_NAME[name], _running(home)
    earlier = home.state.get("demo")
    if earlier and earlier != name:
        raise StepFailed(f"{earlier} is seeded still.", "Undo it first: quickstart demo-fault clear")
    home.save(demo=name)
    with report.step(f"Seeding {name}"):
        demo.seed(home, Runner(home, current_account()))
    report.say(f"\n  {demo.about[0].upper()}{demo.about[1:]}.\n  {demo.why}\n\n  Watch it:")
    report.table(_places(demo, found))
    report.say()
    began = time.monotonic()
    with report.step(f"{demo.alert} fires"):
        alert = _await_firing(home, demo)
        report.note(f"{time.monotonic() - began:.0f} s after the fault")
    report.say(f"\n  {alert['annotations'].get('summary', '')}\n  {alert['annotations'].get('description', '')}")
    rows = [(label.capitalize(), str(url)) for label, url in alert.get("links", {}).items() if url]
    page = ("Alert", f"http://127.0.0.1:{home.ports.console}/alerts?alert={alert['id']}")
    report.table([("Severity", alert["severity"]), page, *rows])
    report.say("\n  Take it in hand, and nobody is told of it again until it is over: there, or by")
    report.say(f"  {home.bin / 'voltscope'} alerts ack {alert['id']} --why 'I look at it'")
    report.say("\n  When you have seen enough: quickstart demo-fault clear")


def clear(home: Home, report: Report) -> None:
    """Undoes the fault and returns when its alert is over. Raises StepFailed."""
    _running(home)
    name = home.state.get("demo")
    if not name:
        raise StepFailed("no fault is seeded.", "quickstart demo-fault list: those there are.")
    demo = BY_NAME[name]
    with report.step(f"Undoing {name}"):
        demo.undo(home, Runner(home, current_account()))
    with report.step(f"{demo.alert} is over"):
        _await_over(home, demo)
    home.save(demo=None)
    history = f"http://127.0.0.1:{home.ports.console}/alerts?view=history&name={demo.alert}"
    report.say(f"\n  Its history, with what was taken down when it fired: {history}")


def _running(home: Home) -> dict[str, Any]:
    if not home.ours:
        raise StepFailed(f"there is no quickstart in {home.path}.", "Run quickstart without a command first.")
    found = status(home)
    if not found["running"]:
        raise StepFailed("the quickstart does not run.", "quickstart start")
    if alertmanager_of(home) is None or "prometheus" not in found["pids"]:
        raise StepFailed(
            "there is no Prometheus or no Alertmanager here, so nothing would be told.",
            "sudo apt-get install prometheus prometheus-alertmanager, then run quickstart again.",
        )
    return found


def _places(demo: Demo, found: dict[str, Any]) -> list[tuple[str, str]]:
    query = urllib.parse.urlencode(demo.labels)
    rows = [
        ("Alerts", f"{found['console']}/alerts"),
        ("Console", f"{found['console']}/agent?{query}" if "agent" in demo.labels else found["console"]),
        ("Prometheus", f"{found['prometheus']}/alerts?search={demo.alert}"),
        ("Alertmanager", f"{found['alertmanager']}/#/alerts"),
    ]
    if "grafana" in found["pids"]:
        board = "voltscope-agent" if "agent" in demo.labels else "voltscope-devices"
        values = {"var-site": found["site"], **{f"var-{name}": value for name, value in demo.labels.items()}}
        rows.append(("Grafana", f"{found['grafana']}/d/{board}?{urllib.parse.urlencode(values)}"))
    return rows


def _fires(home: Home, demo: Demo, *names: str) -> dict[str, Any] | None:
    """The alert, as alertd has it, or one of `names`; None when none fires."""
    url = f"http://127.0.0.1:{home.ports.alertd}/api/alerts"
    wanted = demo.labels.items()
    for one in ask(url, secret=operator_secret(home))["alerts"]:
        if one["name"] in (demo.alert, *names) and wanted <= one["labels"].items():
            found: dict[str, Any] = one
            return found
    return None


def _await_firing(home: Home, demo: Demo) -> dict[str, Any]:
    why, remedy = f"{demo.alert} does not fire", "Undo the fault: quickstart demo-fault clear"
    found: dict[str, Any] = wait_for(lambda: _fires(home, demo, *demo.instead), FIRES_S, why, remedy, None)
    return found


def _await_over(home: Home, demo: Demo) -> None:
    def over() -> bool | None:
        return True if _fires(home, demo) is None else None

    wait_for(over, OVER_S, f"{demo.alert} fires still", "Look at what it says in the console.", None)
