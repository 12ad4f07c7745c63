"""`voltscope profile`: make a flamegraph of a running agent."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from voltscope.cli import exits
from voltscope.cli.files import ordinary_mode, refuse_unwritable, write_atomically
from voltscope.cli.operator import operator_secret
from voltscope.cli.options import complete_agents, json_option, site_of
from voltscope.cli.profile_difference import COMPARED, SHOWN, compare
from voltscope.cli.profiler import FORMATS, SUFFIX, Profiler, reader
from voltscope.cli.terminal import colours, shown, size

KINDS = ("cpu", "wall", "gil", "memory", "greenlet")
_BAR = 24


@click.command()
@click.argument("agent", required=False, shell_complete=complete_agents)
@click.option(
    "-d", "--duration", type=click.IntRange(1), default=5, show_default=True, metavar="SECONDS",
    help="How long to record.",
)  # fmt: skip
@click.option(
    "-r", "--rate", type=click.IntRange(1), default=100, show_default=True, metavar="HZ", help="Samples a second."
)
@click.option(
    "--kind", type=click.Choice(KINDS), default="cpu", show_default=True,
    help="What to sample: threads on the CPU, all threads (wall), the holder of the GIL, allocations (memory), or all "
    "greenlets, waiting ones too (needs voltscope probe enable).",
)  # fmt: skip
@click.option("--idle", is_flag=True, help="Also count threads that wait.")
@click.option("--backend", metavar="NAME", help="Which profiler samples. Default: the first that can.")
@click.option("--native", is_flag=True, help="Also frames of native code.")
@click.option("--children", is_flag=True, help="Also the process's children; of platform: every agent.")
@click.option(
    "--diff", nargs=2, metavar="ID ID",
    help="Instead of a capture: compare two there are, before and after. voltscope captures lists them.",
)  # fmt: skip
@click.option(
    "-o", "--output", metavar="FILE",
    help="Write the flamegraph there; - is stdout. The suffix tells the format: .svg, .folded, .speedscope.json, .json "
    "(functions and stacks), .pb.gz (pprof); a difference is .svg, .folded or .json.",
)  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), help="The format, whatever the suffix. [default: svg]")
@click.option("--top", type=click.IntRange(1), metavar="N", help="Also print the N functions that took most samples.")
@json_option("Print the capture as one JSON object.")
@click.pass_context
def profile(
    ctx: click.Context,
    agent: str | None,
    duration: int,
    rate: int,
    kind: str,
    idle: bool,
    backend: str | None,
    native: bool,
    children: bool,
    diff: tuple[str, str] | None,
    output: str | None,
    form: str | None,
    top: int | None,
    as_json: bool,
) -> int:
    """Make a flamegraph of a running agent, by its VIP identity.

    The agent is not stopped and needs no change. The profiler keeps the capture: `voltscope captures` lists it.

    \b
    voltscope profile platform.historian -d 10 -o flame.svg
    voltscope profile --diff 01KAK0… 01KAM7… -o change.svg
    """
    if (agent is None) == (diff is None):
        raise click.UsageError("name an AGENT, or two captures with --diff ID ID", ctx)
    if output == "-" and (as_json or top):
        raise click.UsageError("-o - puts the flamegraph on stdout; leave out --json and --top", ctx)
    form = form or _format_of(output, ctx)
    if diff is not None and form not in COMPARED:
        raise click.UsageError(f"a difference is {', '.join(COMPARED)}; it has no format {form}", ctx)
    if output not in (None, "-"):
        refuse_unwritable(Path(output))
    site = site_of(ctx)
    if diff is not None:
        return compare(reader(site), diff, output, form, top or SHOWN, as_json=as_json)
    assert agent is not None  # noqa: S101 - for the type checker: checked above
    profiler = Profiler(site.profiler, operator_secret(site))
    with Bar(agent, duration, rate) as bar:
        capture_id = profiler.start(
            agent=agent, seconds=duration, rate=rate, kind=kind, idle=idle, backend=backend, native=native,
            children=children,
        )  # fmt: skip
        try:
            capture = profiler.wait(capture_id, duration, bar.show)
        except KeyboardInterrupt:
            bar.clear()
            profiler.cancel(capture_id)
            raise
    content = profiler.download(capture_id, form) if output else b""
    functions = hottest(profiler.download(capture_id, "folded").decode(errors="replace"), top) if top else []
    if output == "-":
        click.echo(content, nl=False)
        click.echo(shown(str(capture.get("words"))), err=True)
        return exits.OK
    if output:
        write_atomically(Path(output), content, ordinary_mode())
    if as_json:
        further = {"file": str(Path(output).absolute())} if output else {}
        ranked = {"top": [{"function": name, "samples": n, "share": share} for name, n, share in functions]}
        click.echo(json.dumps({**capture, **further, **(ranked if top else {})}))
    else:
        _say(capture, output, len(content), profiler.address(capture_id, "svg"), functions)
    return exits.OK


def _format_of(output: str | None, ctx: click.Context) -> str:
    if output in (None, "-"):
        return "svg"
    for form, suffix in SUFFIX.items():
        if output.endswith(suffix):
            return form
    raise click.UsageError(
        f"the suffix of {output} tells no format; end it in {', '.join(SUFFIX.values())} or give --format", ctx
    )


def _say(
    capture: dict[str, Any], output: str | None, count: int, address: str, functions: list[tuple[str, int, float]]
) -> None:
    click.echo(shown(str(capture.get("words"))))
    if functions:
        click.echo("")
        for name, samples, share in functions:
            click.echo(f"{share:6.1%}  {samples:7,}  {shown(name)}")
        click.echo("")
    if output:
        click.echo(f"{click.style('✓', fg='green')} {output} ({size(count)})")
    else:
        click.echo(f"See {address}")


_LINE = re.compile(r":\d+\)$")  # frames are `function (file:line)`: lines of one function count together


def hottest(folded: str, count: int) -> list[tuple[str, int, float]]:
    """The functions most samples were taken in, from folded stacks (`a;b;c N` a line).

    Each with its own samples, without those of what it called, and their share of all.
    """
    own: Counter[str] = Counter()
    for row in folded.splitlines():
        stack, _, samples = row.rpartition(" ")
        if samples.isdigit():
            own[_LINE.sub(")", stack.rpartition(";")[2])] += int(samples)
    whole = sum(own.values())
    return [(name, samples, samples / whole) for name, samples in own.most_common(count)]


class Bar:
    """Progress on stderr: a bar that moves on a terminal, one line elsewhere."""

    def __init__(self, agent: str, seconds: int, rate: int) -> None:
        self._agent, self._seconds, self._rate = shown(agent), seconds, rate
        self._moves = sys.stderr.isatty()
        self._announced = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.clear()

    def show(self, state: str, share: float) -> None:
        """Draw `share` (0 to 1) of the recording."""
        if not self._moves:
            if not self._announced:
                self._announced = True
                click.echo(f"Recording {self._agent} for {self._seconds:g} s at {self._rate} Hz …", err=True)
            return
        share = min(max(share, 0.0), 1.0)
        filled = round(share * _BAR)
        bar = click.style("━" * filled, fg="green") + click.style("━" * (_BAR - filled), fg="bright_black")
        done = f"{share * self._seconds:.1f} of {self._seconds:g} s"
        text = f"\r\x1b[K{self._agent} {bar} {done if state == 'recording' else state}"
        click.echo(text if colours(sys.stderr) else click.unstyle(text.replace("\x1b[K", "")), err=True, nl=False)

    def clear(self) -> None:
        """Take the bar away."""
        if self._moves:
            click.echo("\r\x1b[K", err=True, nl=False)
