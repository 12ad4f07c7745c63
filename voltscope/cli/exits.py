"""What the command line ends with: its exit codes, and how an error is said."""

from __future__ import annotations

import json

import click

from voltscope.cli.terminal import shown
from voltscope.errors import QueryError, VoltscopeError

OK = 0
FINDING = 1
USAGE = 2
UNREACHABLE = 3
REFUSED = 4
INTERRUPTED = 130

MEANING = {
    OK: "all is well",
    FINDING: "something is wrong: an agent is down, a check or a capture failed",
    USAGE: "the command cannot be understood: an option, a query, a name or a file's content",
    UNREACHABLE: "a part of the site does not answer, or the log store is not there",
    REFUSED: "not allowed: no secret, a wrong one, or the kernel refuses",
    INTERRUPTED: "stopped with Ctrl-C",
}

# Errors whose HTTP status says less than their code.
_BY_CODE = {"bad-credentials-file": REFUSED, "log-store": UNREACHABLE, "log-spool": UNREACHABLE, "wrong-host": REFUSED}
_BY_STATUS = {
    400: USAGE, 401: REFUSED, 403: REFUSED, 404: USAGE, 413: USAGE, 502: UNREACHABLE, 503: UNREACHABLE, 504: UNREACHABLE
}  # fmt: skip


def exit_code(error: VoltscopeError) -> int:
    """The exit code an error stands for; what is neither usage, reach nor permission is a finding."""
    return _BY_CODE.get(error.code) or _BY_STATUS.get(error.status, FINDING)


def report(error: VoltscopeError, *, as_json: bool, query: str | None = None) -> int:
    """Say `error`: one sentence and the remedy on stderr, with `as_json` also `{"error": …}` on stdout."""
    if as_json:
        body = error.as_dict()
        if isinstance(error, QueryError):
            body["position"] = error.position
        click.echo(json.dumps({"error": body}))
    click.secho("Error: ", nl=False, err=True, fg="red", bold=True)
    click.echo(shown(str(error)), err=True)
    if isinstance(error, QueryError) and query is not None and error.position is not None:
        click.echo(f"  {shown(query)}", err=True)
        before = shown(query[: error.position])
        click.secho(f"  {' ' * len(before)}^", err=True, fg="red", bold=True)
    return exit_code(error)


def report_usage(error: click.ClickException, *, as_json: bool) -> int:
    """The same for what click finds wrong with the arguments."""
    message = error.format_message()
    if not message.endswith((".", "?", "!")):
        message += "."
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "voltscope"
    remedy = f"See: {path} --help"
    if as_json:
        click.echo(json.dumps({"error": {"code": "usage", "message": message, "remedy": remedy}}))
    click.secho("Error: ", nl=False, err=True, fg="red", bold=True)
    click.echo(f"{message} {remedy}", err=True)
    return USAGE
