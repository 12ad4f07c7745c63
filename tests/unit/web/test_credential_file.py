"""The credential file is watched for as long as it is used."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from voltscope.errors import CredentialsError
from voltscope.web import Access

SECRET = "a secret of some length"


def test_a_file_opened_to_others_later_is_refused_until_it_is_closed_again(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    users = [{"name": "operator", "role": "operator", "secret": SECRET}]
    file.write_text(json.dumps({"version": 1, "users": users}))
    file.chmod(0o600)
    access = Access(file)
    when = file.stat().st_mtime_ns
    file.chmod(0o644)
    os.utime(file, ns=(when, when))
    with pytest.raises(CredentialsError, match="can be read by others"):
        access.by_authorization(f"Bearer {SECRET}")
    file.chmod(0o600)
    assert access.by_authorization(f"Bearer {SECRET}") is not None
