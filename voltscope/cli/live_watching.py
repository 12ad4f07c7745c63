"""One live session from its question to its end: what it costs, its updates as they come, and that it is ended."""

from __future__ import annotations

import json
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

import click

from voltscope.cli import exits
from voltscope.cli.live_session import LiveClient, Offer, Offers, Session, asked_at_a_terminal
from voltscope.cli.operator import operator_secret
from voltscope.cli.profiler import failure
from voltscope.cli.terminal import colours, redraw, shown, width
from voltscope.errors import BadRequest, PeerUnexpected, PeerUnreachable, SourceUnavailable, TargetGone
from voltscope.live.views import Update, View

if TYPE_CHECKING:
    from voltscope.site import Site

UpdateT = TypeVar("UpdateT")

# From here on nobody should begin by mistake.
SLOW = 2.0
_ENDS = {
    "stopped": "Somebody ended the session.",
    "unwatched": "The session was ended: nobody had read it for 20 s.",
}


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    agent: str
    view: View
    seconds: int
    source: str | None
    rate: float | None
    once: bool
    yes: bool
    as_json: bool
    latency: bool = False


class Picture(Protocol):
    """A view as lines of text."""

    def take(self, update: Update) -> None:
        """Go on with this."""

    def lines(self, columns: int | None, rows: int | None) -> list[str]:
        """What is to be seen: on a screen when `rows` says how many lines it has, else to be printed below the last."""

    def end(self) -> list[str]:
        """No more comes: lines that were held back."""


class NewestPicture(ABC, Generic[UpdateT]):
    """A `Picture` of the newest update, which tells all there is."""

    def __init__(self) -> None:
        self._now: UpdateT | None = None

    def take(self, update: Update) -> None:
        """Show this from now on."""
        self._now = cast("UpdateT", update)  # a session has one view

    def lines(self, columns: int | None, rows: int | None) -> list[str]:
        """See Picture."""
        return [] if self._now is None else self._drawn(self._now, columns, rows)

    @abstractmethod
    def _drawn(self, now: UpdateT, columns: int | None, rows: int | None) -> list[str]:
        """As `lines`."""

    def end(self) -> list[str]:
        """Nothing is held back."""
        return []


def watch(site: Site, asked: Asked, picture: Picture, whole: Callable[[], str] | None = None) -> int:
    """Say what it costs, begin, show, and see to it that it ends. `whole`: what --once prints instead of the lines.

    The exit code. Raises PeerError, RemoteError, SourceUnavailable, TargetGone and CredentialsError.
    """
    client = LiveClient(site.profiler, operator_secret(site))
    found, _ = client.sources(asked.agent)
    offers = next((each for each in found.views if each.view is asked.view), None)
    if offers is None:
        raise PeerUnexpected(f"the profiler does not know the view {asked.view.value}.", "Are both of one version?")
    offer = _picked(asked, offers)
    told = offer.with_latency() if asked.latency else offer
    _announce(asked, found.pid, offers, offer, told)
    if told.slowdown > SLOW and not asked.yes and not _wanted(asked):
        click.echo("Nothing was begun.", err=True)
        return exits.OK
    session = client.begin(asked.agent, asked.view, asked.seconds, offer.name, asked.rate, asked.latency)
    ended: Session | None = None
    try:
        with _screen(asked) as moves:
            ended = _follow(client, session, asked, picture, moves, whole)
    finally:
        if ended is None:
            client.stop(session.id)
    return _told(ended)


def _picked(asked: Asked, offers: Offers) -> Offer:
    name = asked.source or offers.chosen
    for offer in offers.sources:
        if offer.name == name:
            if offer.unavailable:
                raise SourceUnavailable(f"{name} cannot watch {asked.agent}.", offer.unavailable)
            return offer
    if name is not None:
        known = ", ".join(offer.name for offer in offers.sources) or "none"
        raise BadRequest(f"the view {asked.view.value} has no source {name!r}.", f"Known: {known}.")
    reasons = " ".join(f"{offer.name}: {offer.unavailable}" for offer in offers.sources)
    raise SourceUnavailable(f"nothing here can show the view {asked.view.value} of {asked.agent}.", reasons or None)


def _announce(asked: Asked, pid: int, offers: Offers, offer: Offer, told: Offer) -> None:
    """`told`: the offer with what it costs as it is asked for."""
    head = f"{asked.agent} (pid {pid}), {asked.view.value} for {asked.seconds} s by {told.name}: {told.cost}"
    click.echo(f"{shown(head)} {shown(told.words)}", err=True)
    if asked.source is None:
        for better in offers.sources[: offers.sources.index(offer)]:
            click.echo(f"Not by {shown(better.name)}: {shown(better.unavailable or '')}", err=True)


def _wanted(asked: Asked) -> bool:
    if not asked_at_a_terminal():
        raise BadRequest(
            f"this would slow {asked.agent} more than {SLOW:g} times, and nobody is here to be asked.",
            "Say --yes, or name another --source.",
        )
    return click.confirm("Begin?", err=True)


@contextmanager
def _screen(asked: Asked) -> Iterator[bool]:
    """Whether to redraw in place. The terminal is left with its cursor, below the last picture, whatever happens."""
    moves = sys.stdout.isatty() and not asked.as_json and not asked.once
    if not moves:
        yield False
        return
    click.echo("\x1b[?25l\x1b[2J", nl=False, color=True)
    try:
        yield True
    finally:
        click.echo("\x1b[?25h", nl=False, color=True)


def _follow(
    client: LiveClient,
    session: Session,
    asked: Asked,
    picture: Picture,
    moves: bool,
    whole: Callable[[], str] | None,
) -> Session:
    """Show updates until the session ends; how it did."""
    last: dict[str, Any] | None = None
    for kind, document in client.events(session.id):
        if kind == "end":
            ended = client.read(document, Session)
            _finish(session, asked, picture, last, whole, ended)
            return ended
        if kind != "update":
            continue
        update: Update = client.read(document, Update)  # type: ignore[arg-type]  # a union of types, as msgspec has it
        if asked.as_json:
            last = _joined(last if asked.once else None, json.loads(document))
        else:
            picture.take(update)
        if not asked.once:
            _show(session, asked, picture, moves, last, update)
            sys.stdout.flush()
    raise PeerUnreachable("the profiler hung up before the session ended.", "See the log of voltscope.profiler.")


def _show(
    session: Session, asked: Asked, picture: Picture, moves: bool, last: dict[str, Any] | None, update: Update
) -> None:
    if asked.as_json:
        click.echo(_line(session, last))
        return
    if not moves:
        if lines := picture.lines(width(), None):
            click.echo("\n".join([*lines, ""] if asked.view is not View.FLOW else lines))
        return
    columns, rows = shutil.get_terminal_size((80, 24))
    how = "all seen" if session.exact else "samples"
    head = (
        f"{session.agent} · {session.view.value} by {session.source}, {how} · {session.seconds:.0f} s at most · Ctrl-C"
    )
    text = "\n".join([shown(head)[: columns - 1], "", *picture.lines(columns - 1, rows - 4)][: rows - 1])
    redraw(text if colours(sys.stdout) else click.unstyle(text))


def _finish(
    session: Session,
    asked: Asked,
    picture: Picture,
    last: dict[str, Any] | None,
    whole: Callable[[], str] | None,
    ended: Session,
) -> None:
    """What --once prints; else what was held back."""
    if not asked.once:
        for line in [] if asked.as_json else picture.end():
            click.echo(line)
    elif ended.ended == "failed":
        return  # the error says all there is
    elif asked.as_json:
        click.echo(_line(session, last))
    else:
        lines = [*picture.lines(width(), None), *picture.end()]
        click.echo(whole() if whole else "\n".join(lines or ["Nothing was seen."]))


def _line(session: Session, update: dict[str, Any] | None) -> str:
    told = {"agent": session.agent, "source": session.source, "exact": session.exact}
    return json.dumps({**told, **(update or {})})


def _joined(before: dict[str, Any] | None, update: dict[str, Any]) -> dict[str, Any]:
    """All of a flow so far; other views tell all there is each time."""
    if before is None or update.get("view") != View.FLOW.value:
        return update
    joined = {name: {**before[name], **update[name]} for name in ("places", "tracks")}
    return {**update, **joined, "steps": [*before["steps"], *update["steps"]]}


def _told(ended: Session) -> int:
    """The exit code of an end. Raises RemoteError and TargetGone for those that are none."""
    if ended.ended == "failed":
        raise failure({"error": ended.error, "words": "the session failed."})
    if ended.ended == "target-ended":
        raise TargetGone(f"{ended.agent} (pid {ended.pid}) has ended.", "Its log says why: voltscope logs --agent.")
    if ended.ended in _ENDS:
        click.echo(_ENDS[ended.ended], err=True)
    return exits.FINDING if ended.ended == "unwatched" else exits.OK
