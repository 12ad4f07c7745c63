"""Brings a home up, from nothing or from where an earlier run stopped, and proves that the main job runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import alerting, capture_marks, dashboards, opensearch, peers, prove, setup, volttron_platform
from .account import Account, Runner, find_program, home_environment
from .failure import StepFailed
from .index import needs_remedy
from .report import Report
from .site_files import write_site, write_wrappers
from .state import Home, taken
from .supervise import Supervisor, end_processes, processes_of, supervisor_config

_BESIDE = ("opensearch", "alertmanager", "prometheus", "grafana", "alertd")
_STEPS_BEFORE = 8
_STEPS_AFTER = 6


@dataclass
class Parts:
    """What this home runs besides the platform."""

    prometheus: str | None
    grafana: tuple[str, Path] | None
    alertmanager: str | None
    opensearch: bool
    new_site: bool  # what is there is told once to each of the programs

    @property
    def alertd(self) -> bool:
        """It stands beside an Alertmanager."""
        return self.alertmanager is not None

    @property
    def running(self) -> list[str]:
        """The programs to start."""
        return [name for name in _BESIDE if getattr(self, name)] + ["console"]


def step_count(home: Home) -> int:
    """How many steps `bring_up` will show."""
    ours = len(volttron_platform.agents(home)) + (4 if home.searches_opensearch else 0)
    ours += find_program("prometheus") is not None
    ours += 3 * (dashboards.grafana_of(home) is not None) + (alerting.alertmanager_of(home) is not None)
    return _STEPS_BEFORE + 1 + ours + _STEPS_AFTER


def bring_up(home: Home, report: Report) -> None:
    """All steps, each skipped when nothing is to be done. Raises StepFailed in the step that failed."""
    began = time.time()
    with report.step("Ports"):
        check_ports(home)
        report.note(f"from {home.ports.base}")
    with report.step("Debian packages"):
        setup.ensure_packages(home, report)
    with report.step("User and folders"):
        account = setup.ensure_account(home)
        setup.ensure_folders(home, account)
        home.save(account=account.name)
        report.note(f"as {account.name}, below {home.path}")
    runner = Runner(home, account)
    with report.step("Sources"):
        changed = setup.ensure_sources(home, account, report)
    with report.step("Virtual environment and VOLTTRON"):
        setup.ensure_platform(home, runner, report)
    with report.step("voltscope and its console"):
        setup.ensure_voltscope(home, runner, report)
    if home.searches_opensearch:
        with report.step("OpenSearch, from Maven"):
            setup.ensure_opensearch(home, account, report)
    with report.step("Credentials and configuration"):
        supervisor = Supervisor(home, runner)
        if changed:  # the programs run the old sources: they start anew below
            halt(home, runner, supervisor)
        parts = configure(home, account, report)
    start(home, runner, supervisor, parts, report)
    _prove(home, runner, parts, report, began)
    home.save(done=True)


def check_ports(home: Home) -> None:
    """Raises StepFailed naming each port that somebody else listens on."""
    ports = home.ports.named(
        grafana=dashboards.grafana_of(home) is not None,
        opensearch=home.searches_opensearch,
        alerting=alerting.alertmanager_of(home) is not None,
    )
    busy = taken(ports)
    if busy and not processes_of(home):
        names = ", ".join(f"{port} ({name})" for name, port in busy.items())
        raise StepFailed(
            f"somebody else listens on 127.0.0.1 port {names}.",
            "Choose other ports with --port-base N: N to N+8 are used.",
        )


def configure(home: Home, account: Account, report: Report) -> Parts:
    """Writes every configuration file."""
    prometheus, grafana = find_program("prometheus"), dashboards.grafana_of(home)
    alertmanager = alerting.alertmanager_of(home)
    setup.ensure_credentials(home, account)
    new_site = write_site(
        home,
        account,
        prometheus=prometheus is not None,
        grafana=grafana is not None,
        alerting=alertmanager is not None,
    )
    parts = Parts(prometheus, grafana, alertmanager, home.searches_opensearch, new_site)
    write_wrappers(home, account)
    volttron_platform.prepare_home(home, account)
    programs = {
        "volttron": [
            *map(str, (home.venv / "bin/python", home.source / "deploy/quickstart_lib/begin_platform.py")),
            *(str(home.volttron), str(home.venv / "bin/volttron"), "-v", "-l", str(home.platform_log)),
        ],
        "console": [
            str(home.venv / "bin/voltscope"),
            *("--site", str(home.site_file), "console"),
        ],
    }
    if parts.prometheus:
        peers.write_prometheus(home, account, alertmanager=alertmanager is not None)
        programs["prometheus"] = peers.prometheus_command(home, parts.prometheus)
    if parts.alertmanager:
        alerting.write_alerting(home, account)
        home.save(alertmanager=parts.alertmanager)
        programs["alertmanager"] = alerting.alertmanager_command(home, parts.alertmanager)
        programs["alertd"] = alerting.alertd_command(home)
    if parts.grafana:
        dashboards.write_grafana(home, account, parts.grafana[1])
        home.save(grafana=list(map(str, parts.grafana)))
        programs["grafana"] = dashboards.grafana_command(home, *parts.grafana)
    if parts.opensearch:
        programs["opensearch"] = opensearch.command(
            opensearch.class_path(home.opensearch_jars),
            home.opensearch,
            home.ports.opensearch,
            home.ports.opensearch_transport,
        )
    home.supervisor_config.write_text(supervisor_config(home, programs))
    home.supervisor_config.chmod(0o644)
    return parts


def _begin_platform(home: Home, runner: Runner, supervisor: Supervisor, timeout: float) -> None:
    """Until it answers. Raises StepFailed."""
    if not supervisor.alive("volttron"):
        (home.volttron / "VOLTTRON_PID").unlink(missing_ok=True)  # a killed platform leaves its own behind
        supervisor.begin("volttron")
    volttron_platform.wait_until_up(home, runner, lambda: supervisor.alive("volttron"), timeout)


def start(home: Home, runner: Runner, supervisor: Supervisor, parts: Parts, report: Report) -> None:
    """Starts everything, and installs the agents the platform does not have yet."""
    with report.step("VOLTTRON platform"):
        supervisor.launch()
        if parts.new_site:
            for name in ("console", *_BESIDE[1:]):
                supervisor.end(name)
        for name in parts.running:
            if name != "prometheus":  # it would tell of an exporter that is not there yet: see _prove
                supervisor.begin(name)
        first = not home.state.get("libraries")
        project = home.volttron / "pyproject.toml"
        if first and not supervisor.alive("volttron"):
            project.unlink(missing_ok=True)  # of a first start that failed, and half of one
        prepared = first and not project.exists() and needs_remedy(home_environment(home))
        if prepared:
            report.note("its package index is a plain one: making its poetry project")
            volttron_platform.prepare_project(home, runner, home.state["versions"], home.state["python"])
        try:
            _begin_platform(home, runner, supervisor, 600 if first else 300)
        except StepFailed:
            if not first or prepared:
                raise
            # a mirror may answer JSON when it is looked at and HTML a minute later, or not all that poetry asks for
            report.note("its own poetry project did not come about: making one for a plain index")
            supervisor.end("volttron")
            volttron_platform.prepare_project(home, runner, home.state["versions"], home.state["python"])
            _begin_platform(home, runner, supervisor, 600)
        pid = int((home.volttron / "VOLTTRON_PID").read_text())
        if volttron_platform.interrupt_ignored(pid):
            raise StepFailed("the platform ignores SIGINT, so its agents could not be stopped.", "", home.platform_log)
        report.note(f"pid {pid}, {home.volttron}")
    with report.step("Agent libraries"):
        if home.state.get("libraries"):
            report.note("there already")
        else:
            volttron_platform.install_libraries(home, runner)
            home.save(libraries=True)
    if parts.opensearch:
        with report.step("OpenSearch answers"):  # before those who would find nobody there, and wait
            report.note(prove.opensearch_answers(home, lambda: supervisor.alive("opensearch")))
    if parts.grafana:
        with report.step("Grafana takes marks of captures"):  # before the profiler, who needs the token
            report.note(capture_marks.allow_marks(home, runner.account))
    for agent in volttron_platform.agents(home):
        with report.step(f"Agent {agent.identity}"):
            known = home.state.get("agents", {}).get(agent.identity)
            if known == agent.fingerprint:
                report.note("there already")
                continue
            if known is None:
                volttron_platform.install_agent(home, runner, agent)
            else:
                volttron_platform.configure_agent(home, runner, agent)
                report.note("configured anew")
            home.save(agents={**home.state.get("agents", {}), agent.identity: agent.fingerprint})


def _prove(home: Home, runner: Runner, parts: Parts, report: Report, began: float) -> None:
    _proof(report, "Proof: the exporter says the platform is up", lambda: prove.exported(home))
    if parts.prometheus:
        with report.step("Proof: Prometheus has up == 1 for the exporter"):
            Supervisor(home, runner).begin("prometheus")
            report.note(prove.scraped(home))

    def recorded() -> str:
        try:
            return prove.recorded(home, 40)
        except StepFailed:
            # Seen once in some thirty starts, on a machine under heavy load: the driver runs and polls nothing.
            volttron_platform.restart_agent(home, runner, volttron_platform.DRIVER)
            return f"{prove.recorded(home)}, after a restart of the platform driver, which had published nothing"

    _proof(report, "Proof: the historian records", recorded)
    _proof(report, "Proof: a new log record is found", lambda: prove.searched(home, runner, began))

    if parts.opensearch:
        _proof(report, "Proof: OpenSearch has a record of the platform", lambda: prove.indexed(home, began))

    def flamegraph() -> str:
        url = prove.profiled_before(home, home.state.get("flamegraph")) or prove.profiled(home)
        home.save(flamegraph=url)
        return url

    _proof(report, "Proof: a 5 s flamegraph of platform.historian", flamegraph)
    if parts.opensearch:
        _proof(report, "Proof: OpenSearch has it, by a function's name", lambda: prove.capture_indexed(home))
    with report.step("Console"):
        report.note(prove.console_answers(home))
    if parts.grafana:
        _proof(report, "Proof: Grafana has our dashboards and their data", lambda: prove.dashboards_shown(home))
        _proof(report, "Proof: Grafana has a mark of a capture", lambda: capture_marks.marked(home))
    if parts.alertmanager:
        asked = parts.prometheus is not None
        _proof(report, "Proof: alerts reach alertd", lambda: prove.alerts_told(home, prometheus=asked))
    with report.step("All programs under supervision"):
        states = Supervisor(home, runner).settled()
        down = [name for name, state in states.items() if state != "RUNNING"]
        if down or not states:
            log = home.logs / f"{(down or ['supervisord'])[0]}.out"
            raise StepFailed(f"not running: {', '.join(down) or 'supervisord'}.", f"See {log}.", log)
        report.note(", ".join(sorted(states)))


def _proof(report: Report, title: str, proof: Callable[[], str]) -> None:
    with report.step(title):
        report.note(proof())


def halt(home: Home, runner: Runner, supervisor: Supervisor) -> None:
    """Ends all that runs of this home. Raises StepFailed naming what would not."""
    if supervisor.states():
        volttron_platform.shut_down(home, runner)
        supervisor.shut_down()
    # a busy machine takes longer than the platform waits for its agents, and who is left holds what the next one needs
    left = end_processes(home)
    if left:
        raise StepFailed("some processes of before would not end.", "End them by hand.", output="\n".join(left))
