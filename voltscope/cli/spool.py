"""`voltscope spool`: look into the spool of logs, take its records out, and send some again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voltscope.cli import exits
from voltscope.cli.moments import Moment
from voltscope.cli.options import CommandT, json_option, site_of
from voltscope.cli.terminal import NOTHING, Cell, Column, number, shown, size, table, width
from voltscope.errors import EngineLocked, SpoolError

if TYPE_CHECKING:
    from voltscope.logs.record import Batch
    from voltscope.logs.spool import SpoolReader, SpoolStat


@click.group()
def spool() -> None:
    """Look into the spool of logs: its state, damage, records, cursors.

    The log shipper keeps what it has read there until receivers have it and retention lets it go; docs/spool.md
    specifies it. All but replay only read, also while it is written.
    """


def folder_option() -> Callable[[CommandT], CommandT]:
    """The option `--folder`."""
    return click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="The spool. Default: that of the site.",
    )


@spool.command("stat")
@folder_option()
@json_option("Print one JSON object.")
@click.pass_context
def stat_command(ctx: click.Context, folder: Path | None, as_json: bool) -> int:
    """Show size, sequences and age of the spool, and how far each receiver is."""
    from voltscope.logs.spool.inspection import stat

    folder = _folder(ctx, folder)
    with _reading(folder):
        found = stat(folder)
    if as_json:
        told = {name: value for name, value in asdict(found).items() if name not in ("lost", "cursor_error")}
        click.echo(json.dumps({"folder": str(folder), **told, "records": found.records}))
    else:
        _print(folder, found)
    return exits.OK


@spool.command("fsck")
@folder_option()
@json_option("Print one JSON object: what was read, and each bad place.")
@click.pass_context
def fsck(ctx: click.Context, folder: Path | None, as_json: bool) -> int:
    """Read every byte of the spool and name each bad place, with the sequences that were lost by it.

    Ends with 1 when records were lost. Nothing has to be mended: what is sound is used, also behind a bad place. Of
    a spool that is being written, a frame under way may be named as one that was never acknowledged.
    """
    from voltscope.logs.spool.inspection import check

    folder = _folder(ctx, folder)
    with _reading(folder):
        checked = check(folder)
    if as_json:
        places = [{**asdict(place), "path": str(place.path)} for place in checked.places]
        click.echo(json.dumps({"folder": str(folder), **asdict(checked), "places": places, "lost": checked.lost}))
    else:
        for place in checked.places:
            lost = f", lost {place.lost[0]} to {place.lost[1]}" if place.lost else ""
            click.echo(f"{shown(str(place.path))}: {place.offset} to {place.end}: {place.what}{lost}")
        click.echo(
            f"{checked.bytes} bytes in {checked.segments} segments, {checked.records} records in {checked.frames} "
            f"frames, {checked.lost} records lost."
        )
    return exits.FINDING if checked.lost else exits.OK


@spool.command("export")
@folder_option()
@click.option("--after", type=click.IntRange(0), default=0, metavar="SEQUENCE", help="Only records after this one.")
@click.option("--since", type=Moment(), metavar="WHEN", help="Not before: 15m, 1h or 2d ago, or 2026-11-21T14:30.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Not after; as --since.")
@click.pass_context
def export(ctx: click.Context, folder: Path | None, after: int, since: float | None, until: float | None) -> int:
    """Print records as documents in the Elastic Common Schema, one line of JSON each, in their sequence."""
    from voltscope.logs.record import document
    from voltscope.logs.spool.inspection import opened

    folder = _folder(ctx, folder)
    with _reading(folder):
        reader, _ = opened(folder)
        last = -1
        for batch in _batches(reader, after):
            for index, record in enumerate(batch.records):
                if (since is None or record.at >= since * 1000) and (until is None or record.at <= until * 1000):
                    click.echo(json.dumps(document(batch, index)))  # ASCII only: no message can command a terminal
                    last = batch.first + index
    if last < 0:
        click.echo("No record matches.", err=True)
    return exits.OK


@spool.command("replay")
@click.argument("receiver")
@folder_option()
@click.option("--after", type=click.IntRange(0), metavar="SEQUENCE", help="Send again what comes after this record.")
@click.option("--since", type=Moment(), metavar="WHEN", help="Send again from the first record that is not before.")
@json_option("Print one JSON object: receiver, cursor, and what it was.")
@click.pass_context
def replay(
    ctx: click.Context, receiver: str, folder: Path | None, after: int | None, since: float | None, as_json: bool
) -> int:
    """Set the cursor of a receiver back, so that it is sent records again.

    The log shipper must not run meanwhile: it holds cursors of its own. Stop it, replay, start it again.
    """
    if (after is None) == (since is None):
        raise click.UsageError("name either --after or --since", ctx)
    from voltscope.logs.spool import Spool
    from voltscope.logs.spool.inspection import opened

    folder = _folder(ctx, folder)
    with _reading(folder):
        reader, _ = opened(folder)
        if folder.stat().st_uid != _own_uid():
            raise SpoolError(f"the spool {folder} is another user's.", "Run this as the platform's user.")
        try:
            writer = Spool.open(folder, lock_timeout_s=0)
        except EngineLocked as error:
            raise SpoolError(
                f"the spool {folder} is being written: {error.message}",
                "Stop the log shipper (vctl stop, or systemctl stop), replay, and start it again.",
            ) from error
        try:
            before = writer.cursor(receiver)
            if before is None:
                known = ", ".join(sorted(writer.stat().cursors)) or "none"
                raise click.UsageError(f"no receiver {receiver!r} has a cursor; known: {known}", ctx)
            wanted = after if after is not None else _before(reader, since or 0.0, before)
            if wanted > before:
                raise click.UsageError(f"{receiver} has taken {before} so far: nothing may be skipped", ctx)
            writer.save_cursor(receiver, wanted)
        finally:
            writer.close()
    if as_json:
        click.echo(json.dumps({"receiver": receiver, "cursor": wanted, "before": before}))
    else:
        click.echo(f"{shown(receiver)} is sent {before - wanted} records again, from {wanted + 1} on.")
    return exits.OK


def _folder(ctx: click.Context, folder: Path | None) -> Path:
    return folder or site_of(ctx).log_store_path


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads our output has enough
    except OSError as error:
        raise SpoolError(f"the spool {folder} cannot be read: {error}.", "Run this as the platform's user.") from error


def _batches(reader: SpoolReader, after: int) -> Iterator[Batch]:
    while batch := reader.read(after):
        yield batch
        after = batch.last


def _before(reader: SpoolReader, since: float, last: int) -> int:
    """The sequence before the first record that is not before `since`; `last` when there is none."""
    for batch in _batches(reader, 0):
        for sequence, record in enumerate(batch.records, batch.first):
            if record.at >= since * 1000:
                return sequence - 1
    return last


def _own_uid() -> int:
    import os

    return os.geteuid()


def _print(folder: Path, found: SpoolStat) -> None:
    lines = {
        "Folder": shown(str(folder)),
        "Spool": shown(found.id) or NOTHING,
        "Size": f"{size(found.bytes)} in {found.segments} segments",
        "Records": f"{number(found.records)}, sequences {found.first} to {found.last}" if found.records else "none",
        "Read": f"{_local(found.oldest)} to {_local(found.newest)}",
        "Dropped": f"{number(found.dropped)}, {number(found.unsent)} of them before a receiver had taken them",
    }
    for title, text in lines.items():
        click.echo(f"{click.style(f'{title:9}', bold=True)}{text}")
    if found.cursors:
        click.echo()
        columns = [Column("RECEIVER"), Column("HAS TAKEN", True), Column("BEHIND", True)]
        rows = [
            [Cell(shown(name)), Cell(str(cursor)), Cell(number(max(0, found.last - max(cursor, found.first - 1))))]
            for name, cursor in sorted(found.cursors.items())
        ]
        for line in table(columns, rows, width()):
            click.echo(line)


def _local(moment: float | None) -> str:
    return f"{datetime.fromtimestamp(moment):%Y-%m-%d %H:%M:%S}" if moment is not None else NOTHING
