"""The keepers of secrets that are asked over HTTP: their answers are given at that seam."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as found:
        yield found
