"""A connector opens and closes as often as one likes, and is never left half open."""

from __future__ import annotations

import pytest

from el.connectors.request import ReadRequest
from el.connectors.sql.select import Statement
from el.errors import ElError, ReadError
from tests.conformance.conftest import Place, numbered


def test_it_opens_and_closes_twice(place: Place) -> None:
    connector = place.another()
    for _ in range(2):
        with connector:
            assert connector.ping().version
    connector.close()
    connector.close()


def test_constructing_does_no_io_and_shows_no_secret(place: Place) -> None:
    shown = repr(place.another())
    assert place.output.get("password", "no password") not in shown


def test_it_closes_after_an_error_and_opens_again(place: Place) -> None:
    connector = place.another()
    with pytest.raises(ElError), connector:
        connector.fetch(Statement("SELECT no_such_column FROM no_such_table"))
    with connector:
        assert connector.fetch(Statement("SELECT 1"))[0][0] == 1


def test_it_goes_on_after_a_statement_that_failed(place: Place) -> None:
    with pytest.raises(ElError):
        place.connector.fetch(Statement("SELECT no_such_column FROM no_such_table"))
    assert place.connector.fetch(Statement("SELECT 1"))[0][0] == 1


def test_a_read_that_is_closed_halfway_leaves_the_connection_usable(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(*range(2000)))
    buffer = place.connector.read_buffer(ReadRequest(table=table, batch_rows=100))
    assert next(iter(buffer)).num_rows <= 100
    buffer.close()
    buffer.close()
    assert len(place.rows(table)) == 2000


def test_closing_halfway_through_a_read_does_not_hang(place: Place) -> None:
    table = place.plain()
    place.write(table, numbered(*range(2000)))
    with place.another() as connector:
        first = next(iter(connector.read_buffer(ReadRequest(table=table, batch_rows=100))))
    assert first.num_rows <= 100


def test_a_buffer_is_read_once(place: Place) -> None:
    buffer = place.connector.read_buffer(ReadRequest(table=place.plain()))
    buffer.to_arrow()
    with pytest.raises(ReadError, match="read or closed already"):
        buffer.to_arrow()


def test_used_after_closing_it_says_so(place: Place) -> None:
    table = place.plain()
    connector = place.another()
    for use in (
        connector.ping,
        connector.describe,
        lambda: connector.read_buffer(ReadRequest(table=table)).to_arrow(),
        lambda: connector.write_buffer(table, numbered(1), run_id="closed"),
    ):
        with pytest.raises(ElError, match="closed"):
            use()
