"""What tests of dumps share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dumps.workspace import Dumps


@pytest.fixture
def dumps(folder: Path, capsys: pytest.CaptureFixture[str]) -> Dumps:
    """A folder for files, with an entry of CSV."""
    return Dumps(folder, capsys).entry()
