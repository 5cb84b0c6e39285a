"""Which role a connection has."""

from __future__ import annotations

from typing import Any

import pytest

from el.config.access import Access, Operation, access_of, require
from el.config.profiles import Output
from el.connectors.registry import open_connector
from el.errors import AccessDenied, ConfigError


def output(**settings: Any) -> Output:
    return Output("shop", "it", {"type": "duckdb", **settings})


@pytest.mark.parametrize(
    ("access", "role", "holds"),
    [
        (None, None, Access.OWNER),
        (None, "", Access.OWNER),
        ("staging", None, Access.STAGING),
        (None, "engineer", Access.ENGINEER),
        ("staging", "owner", Access.STAGING),
        ("owner", "staging", Access.STAGING),
        ("engineer", "owner", Access.ENGINEER),
        ("is_data_engg", None, Access.ENGINEER),
        (None, "is_staging_data_access", Access.STAGING),
        ("is_admin", "is_admin", Access.OWNER),
    ],
)
def test_of_the_environment_and_the_profile_the_weaker_role_counts(
    access: str | None, role: str | None, holds: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EL_ROLE", raising=False)
    if role is not None:
        monkeypatch.setenv("EL_ROLE", role)
    found = output(**({} if access is None else {"access": access}))
    assert access_of(found) is holds
    assert open_connector(found.settings).access is holds


def test_a_word_that_is_no_role_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="'stagin' is no role; there are: owner, engineer, staging"):
        access_of(output(access="stagin"))
    with pytest.raises(ConfigError, match="access: Input should be 'owner', 'engineer' or 'staging'"):
        open_connector(output(access="stagin").settings)
    monkeypatch.setenv("EL_ROLE", "root")
    with pytest.raises(ConfigError, match="EL_ROLE: 'root' is no role"):
        open_connector(output().settings).connect()


@pytest.mark.parametrize("operation", Operation)
def test_a_stronger_role_may_all_that_a_weaker_one_may(operation: Operation) -> None:
    allowed = [_may(operation, access) for access in (Access.STAGING, Access.ENGINEER, Access.OWNER)]
    assert allowed in ([False, False, True], [False, True, True])


def _may(operation: Operation, access: Access) -> bool:
    try:
        require(operation, access)
    except AccessDenied:
        return False
    return True
