"""`voltscope logs verify` on a real spool and a file that lost records."""

from __future__ import annotations

import json
from pathlib import Path

from cli_site import Cli, SiteParts
from spool_writer import SpoolWriter

from voltscope.logs.reconcile import remember
from voltscope.logs.settings import FileReceiver, SyslogReceiver
from voltscope.logs.transports.base import transport_for


def deliver(parts: SiteParts, writer: SpoolWriter, path: Path) -> None:
    """Six records, all sent to a file; a syslog receiver stands beside it."""
    receiver = FileReceiver(path=str(path))
    remember(parts.store.parent, [receiver, SyslogReceiver(host="logs", port=514)])
    transport = transport_for(receiver, parts.store.parent)
    for number in range(1, 7):
        writer.write(f"record {number}", agent="listener" if number < 5 else "platform.driver")
    for number in range(1, 7):
        batch = writer.spool.read(number - 1)
        assert batch is not None
        transport.send(batch)
    transport.close()
    writer.spool.save_cursor(transport.name, 6)
    writer.spool.close()


def test_all_is_there(cli: Cli, parts: SiteParts, store: SpoolWriter, tmp_path: Path) -> None:
    deliver(parts, store, tmp_path / "out")
    done = cli("logs", "verify", "--since", "1h")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"file://{tmp_path / 'out'}: all of 6 records are there\n"
    assert done.stderr == "syslog+tcp://logs:514 cannot be asked what is there.\n"


def test_gaps_are_named_and_the_exit_code_tells(cli: Cli, parts: SiteParts, store: SpoolWriter, tmp_path: Path) -> None:
    path = tmp_path / "out"
    deliver(parts, store, path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[2:3], lines[5]]))
    done = cli("logs", "verify")
    assert done.returncode == 1, done.stderr
    head, first, second = done.stdout.splitlines()
    assert head == f"file://{path}: 3 of 6 records are missing"
    assert first.startswith("  2: 20") and first.endswith(", listener (1)")
    assert second.startswith("  4 to 5: 20") and second.endswith(", listener (1), platform.driver (1)")
    (found,) = map(json.loads, cli("logs", "verify", "--receiver", "file", "--json").stdout.splitlines())
    assert (found["first"], found["last"], found["missing"], found["waiting"]) == (1, 6, 3, 0)
    assert [gap["agents"] for gap in found["gaps"]] == [{"listener": 1}, {"listener": 1, "platform.driver": 1}]


def test_what_cannot_be_verified_is_said(cli: Cli, parts: SiteParts, tmp_path: Path) -> None:
    done = cli("logs", "verify")
    assert done.returncode == 2 and "logship has no receivers" in done.stderr
    remember(parts.store.parent, [FileReceiver(path=str(tmp_path / "out"))])
    done = cli("logs", "verify")
    assert done.returncode == 3 and "there is no spool in" in done.stderr
    done = cli("logs", "verify", "--receiver", "nobody")
    assert done.returncode == 2 and "There are: file://" in done.stderr


def test_the_word_verify_can_still_be_searched(cli: Cli, store: SpoolWriter) -> None:
    store.write("please verify this")
    assert "please verify this" in cli("logs", '"verify"').stdout
