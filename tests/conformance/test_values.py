"""Every value comes back as it was written: what `write_buffer` took is what `read_buffer` gives."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from el.connectors.catalog import SourceType
from el.connectors.request import ReadRequest
from tests.conformance.conftest import Place
from tests.conformance.facts import Held


def shown(values: list[Any]) -> list[str]:
    """By their repr, which tells -0.0 from 0.0 and lets NaN equal itself."""
    return [repr(value) for value in values]


def test_edge_values_of_every_type_come_back(place: Place, held: Held) -> None:
    table = place.create("edges", {"id": place.facts.whole, "value": held.declared})
    written = held.array()
    data = pa.table({"id": pa.array(range(len(written)), pa.int64()), "value": written})
    assert place.write(table, data).rows == len(written)
    type_ = place.type_of(held.declared)
    columns = (place.read_as("id", SourceType("bigint")), place.read_as("value", type_))
    read = place.connector.read_buffer(ReadRequest(table=table, columns=columns, order_by=("id",))).to_arrow()
    assert shown(read.column("value").cast(held.arrow).to_pylist()) == shown(written.to_pylist())
    assert read.column("value").null_count == 1


def test_an_instant_is_the_same_moment_in_whichever_zone_it_is_told(place: Place) -> None:
    (held,) = [held for held in place.facts.held if held.arrow == pa.timestamp("us", "UTC")]
    table = place.create("instants", {"value": held.declared})
    written = held.array().drop_null()
    place.write(table, pa.table({"value": written.cast(pa.timestamp("us", "Asia/Kolkata"))}))
    columns = (place.read_as("value", place.type_of(held.declared)),)
    read = place.connector.read_buffer(ReadRequest(table=table, columns=columns)).to_arrow()
    assert sorted(read.column("value").cast(held.arrow).to_pylist()) == sorted(written.to_pylist())
