"""Every way to a receiver, and each of its keys, stands in docs/transports.md."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import msgspec
import pytest

from voltscope.logs.settings import Receiver
from voltscope.logs.transports import base

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "transports.md").read_text("utf-8")
RECEIVERS: list[type[msgspec.Struct]] = list(typing.get_args(Receiver))


def kind(receiver: type[msgspec.Struct]) -> str:
    return str(receiver.__struct_config__.tag)


@pytest.mark.parametrize("receiver", RECEIVERS, ids=kind)
def test_a_receiver_and_all_its_keys_are_documented(receiver: type[msgspec.Struct]) -> None:
    section = re.search(rf"^## {kind(receiver)}\n(.*?)(?=^## |\Z)", DOCUMENT, re.M | re.S)
    assert section is not None, f"docs/transports.md has no section {kind(receiver)}"
    missing = [field.encode_name for field in msgspec.structs.fields(receiver) if field.encode_name not in section[1]]
    assert missing == []


def test_there_is_a_transport_for_each_receiver() -> None:
    assert set(base._TRANSPORTS) == {kind(receiver) for receiver in RECEIVERS}
