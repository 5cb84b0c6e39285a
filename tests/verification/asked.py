"""`verify --json`, asked in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from el.cli.app import main


def tables(capsys: pytest.CaptureFixture[str], *arguments: str, code: int | None = None) -> dict[str, dict[str, Any]]:
    """What is said of each table, by its name without the schema. code: the exit code that it has to end with; None
    takes any.
    """
    return {table["table"].partition(".")[2]: table for table in asked(capsys, *arguments, code=code)}


def verified(capsys: pytest.CaptureFixture[str], *arguments: str, code: int | None = 0) -> dict[str, Any]:
    """What is said of the one table. code: as of `tables`."""
    (table,) = asked(capsys, *arguments, code=code)
    return table


def asked(capsys: pytest.CaptureFixture[str], *arguments: str, code: int | None) -> list[dict[str, Any]]:
    """What is said of each table and schema table, in order."""
    capsys.readouterr()
    found = main(["verify", "--json", *arguments])
    said = capsys.readouterr()
    assert code in (found, None), said
    return list(json.loads(said.out)["tables"])
