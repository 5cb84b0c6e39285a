"""A way to sign in that its vendor ends is named, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from el.config.profiles import Output
from el.config.sign_in import sign_in_notes

ACCOUNT = {"type": "snowflake", "account": "a", "user": "u", "database": "d"}


@pytest.mark.parametrize(
    ("way", "warned"),
    [
        ({"password": "p"}, True),
        ({"password": "p", "authenticator": "Snowflake"}, True),
        ({"password": "p", "private_key_path": ""}, True),
        ({"password": "p", "private_key_path": "k.p8"}, False),
        ({"password": "p", "private_key": "k"}, False),
        ({"password": "p", "token": "t"}, False),
        ({"password": "p", "authenticator": "username_password_mfa"}, False),
        ({"password": "p", "authenticator": "https://acme.okta.com"}, False),
        ({"authenticator": "externalbrowser"}, False),
        ({"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "AWS"}, False),
    ],
)
def test_only_a_password_without_a_second_factor_is_warned_of(way: dict[str, Any], warned: bool) -> None:
    warehouse = Output("warehouse", "prod", {**ACCOUNT, **way})
    notes = sign_in_notes([warehouse, warehouse, Output("shop", "prod", {"type": "duckdb", "path": "x"})])
    assert [note.partition(": it signs in")[0] for note in notes] == (["warehouse.prod"] if warned else [])


def test_a_place_with_files_has_nothing_to_say() -> None:
    assert sign_in_notes([Output("lake", "prod", {"type": "files", "url": "."})]) == []
