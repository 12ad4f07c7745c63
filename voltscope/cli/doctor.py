"""`voltscope doctor`: check what commonly goes wrong, and how to put it right."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voltscope.cli import exits
from voltscope.cli.files import refuse_unwritable
from voltscope.cli.options import json_option, site_of
from voltscope.cli.terminal import shown, size, width

if TYPE_CHECKING:
    from voltscope.doctor.finding import Finding

_MARK = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
_NAME = 14  # columns of a check's name


@click.command()
@click.option(
    "--bundle", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.tar.gz",
    help="Also write a support bundle, its secrets taken out: findings, metrics, configuration, the log's end.",
)  # fmt: skip
@json_option("Print one JSON object: findings, each with check, level (ok, warn, fail), found and remedy.")
@click.pass_context
def doctor(ctx: click.Context, bundle: Path | None, as_json: bool) -> int:
    """Check what commonly goes wrong, and how to put it right.

    Looks at versions, the clock, VOLTTRON_HOME, its disk, the credential file, the ports of the site's parts, the
    platform's log and the secrets in it, the store it is searched in, signals, profiling, capabilities, the probe in
    agents, and historians. Changes nothing. Run it as the platform's user to let it see everything. Ends with exit
    code 1 when a check failed; a warning is no failure.
    """
    import msgspec

    from voltscope.doctor.checks import examine
    from voltscope.doctor.world import World

    if bundle is not None:
        refuse_unwritable(bundle)
    world = World(site_of(ctx))
    findings = examine(world)
    failed = any(finding.level == "fail" for finding in findings)
    written = None
    if bundle is not None:
        from voltscope.doctor.bundle import write

        written = write(world, findings, bundle)
    if as_json:
        answer: dict[str, object] = {"ok": not failed, "findings": findings}
        if written is not None:
            answer["bundle"] = {"file": str(bundle), "contents": written}
        click.echo(msgspec.json.encode(answer).decode())
    else:
        for line in _lines(findings, min(width() or 100, 100)):
            click.echo(line)
        if written is not None:
            click.echo(f"\n{bundle}: mode 0600, secrets taken out; look before you send it. Inside:")
            for name, count in written.items():
                click.echo(f"  {name:<18} {size(count):>8}")
    return exits.FINDING if failed else exits.OK


def _lines(findings: list[Finding], limit: int) -> Iterator[str]:
    previous = ""
    for finding in findings:
        mark, colour = _MARK[finding.level]
        name = finding.check if finding.check != previous else ""
        previous = finding.check
        room = max(20, limit - _NAME - 2)
        rows = textwrap.wrap(shown(finding.found), room, break_on_hyphens=False)
        yield f"{click.style(mark, fg=colour, bold=True)} {name:<{_NAME}}{rows[0]}"
        yield from (" " * (_NAME + 2) + row for row in rows[1:])
        if finding.remedy:
            for number, row in enumerate(textwrap.wrap(shown(finding.remedy), room - 2, break_on_hyphens=False)):
                lead = "→ " if number == 0 else "  "
                yield " " * (_NAME + 2) + click.style(f"{lead}{row}", fg="cyan")
    counts = {level: sum(finding.level == level for finding in findings) for level in _MARK}
    yield ""
    yield f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed"
