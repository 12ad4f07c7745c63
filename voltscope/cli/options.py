"""What several commands share: the site they speak of, `--json`, `--agent` and `--level`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from voltscope.site import Site

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

LEVELS = ("debug", "info", "warning", "error", "critical")
COMPLETION_TIMEOUT_S = 2.0  # a shell waits for us at each press of Tab; on loopback it is some 30 ms


def site_of(ctx: click.Context) -> Site:
    """The site `--site` names. Raises SiteError and ConfigError."""
    from voltscope.site import find_site

    return find_site(ctx.find_root().params.get("site_file"))


def json_option(meaning: str) -> Callable[[CommandT], CommandT]:
    """The option `--json`; `meaning` says what then is on stdout."""
    return click.option("--json", "as_json", is_flag=True, help=meaning)


def agent_option(meaning: str) -> Callable[[CommandT], CommandT]:
    """The option `--agent`, which completes itself; `meaning` says what it narrows."""
    return click.option("--agent", metavar="AGENT", shell_complete=complete_agents, help=meaning)


def level_option() -> Callable[[CommandT], CommandT]:
    """The option `--level`: of log records."""
    return click.option(
        "--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only records of at least this level."
    )


def complete_agents(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The agents the exporter knows. Completion must never disturb a prompt: any failure completes nothing."""
    try:
        from voltscope.cli.exposition import scrape

        snapshot = scrape(site_of(ctx), timeout_s=COMPLETION_TIMEOUT_S)
        found = snapshot.names("volttron_agent_info", "agent")
    except Exception:
        return []
    # a terminal is about to print these
    return [CompletionItem(name) for name in found if name.startswith(incomplete) and name.isprintable()]
