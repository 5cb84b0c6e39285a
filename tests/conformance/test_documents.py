"""What every store without a schema owes to a run: each document once as it is, a log without a gap, writes whole."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from el.connectors.base import Source, Target, WriteMode
from el.connectors.catalog import TableName
from el.connectors.documents import DOCUMENT, DocumentSource
from el.connectors.registry import open_connector
from el.connectors.request import Condition, Op, ReadRequest
from el.errors import ElError, ReadError, WriteError
from tests.conformance.documents import DocumentFacts, DocumentStock
from tests.conformance.facts.dynamodb import DYNAMODB
from tests.conformance.facts.mongodb import MONGODB
from tests.conformance.facts.redis import REDIS
from tests.connectors.documents.shop import DocumentShop


class Shop(DocumentShop):
    """A store, and a warehouse that takes it."""

    def __init__(
        self, of: DocumentFacts, stock: DocumentStock, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        super().__init__(stock.schema, folder, capsys)
        self.of, self.stock = of, stock

    def take(self, *entries: str) -> None:
        """el.yml with these tables; one by its name alone as the store has it."""
        self.el_yml(self.stock.entry(entry) if entry.isalpha() else entry for entry in entries)


@pytest.fixture(params=(*REDIS, MONGODB, DYNAMODB), ids=str)
def shop(request: pytest.FixtureRequest, folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shop]:
    of: DocumentFacts = request.param
    with of.opened() as stock:
        made = Shop(of, stock, folder, capsys)
        made.profiles(stock.output)
        yield made


def needs(shop: Shop, *, log: bool = False, target: bool = False) -> None:
    """Skip what this store does not have."""
    if (log and not shop.of.has_log) or (target and not shop.of.is_target):
        pytest.skip(f"{shop.of} has no {'log' if log else 'writes'} in this suite")


def test_every_value_stands_in_raw_as_it_is_and_comes_out_of_the_document_again(shop: Shop) -> None:
    for number, value in enumerate(shop.of.values):
        shop.stock.put(number, value)
    shop.take("things", shop.stock.entry("documents", promote="{v: {path: v, type: binary}}"))
    assert {table["status"] for table in shop.run().values()} == {"loaded"}
    wanted = {shop.stock.key(number): value for number, value in enumerate(shop.of.values)}
    key = shop.stock.key_column
    assert dict(shop.raw(f"SELECT {key}, value FROM raw.things")) == wanted
    assert dict(shop.raw(f"SELECT {key}, v FROM raw.documents")) == wanted
    assert shop.raw("SELECT count(*) FROM raw.documents WHERE json_valid(document)") == [(len(wanted),)]
    # The next snapshot of what did not change is not loaded again.
    assert {table["status"] for table in shop.run().values()} == {"unchanged"}


def test_raws_columns_do_not_depend_on_what_is_held(shop: Shop) -> None:
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'documents' ORDER BY ALL"
    shop.stock.put(1, b"1")
    shop.take("documents")
    shop.run()
    before = shop.raw(columns)
    shop.stock.put(2, b'{"another": [1, "2", {"a": null}]}')
    assert shop.run()["documents"]["status"] == "loaded"
    assert shop.raw(columns) == before


def test_what_is_gone_is_not_in_the_next_snapshot(shop: Shop) -> None:
    for number in range(5):
        shop.stock.put(number, b"1")
    shop.take("things")
    shop.run()
    shop.stock.remove(3)
    assert shop.run()["things"]["rows"] == 4
    newest = "_dlt_load_id = (SELECT max(_dlt_load_id) FROM raw.things)"
    assert {key for (key,) in shop.raw(f"SELECT {shop.stock.key_column} FROM raw.things WHERE {newest}")} == {
        shop.stock.key(number) for number in (0, 1, 2, 4)
    }


def test_a_field_of_two_kinds_loses_neither(shop: Shop) -> None:
    shop.stock.put(1, b"12.5")
    shop.stock.put(2, b"a dozen")
    shop.take(shop.stock.entry("documents", promote="{v: {path: v, type: 'decimal(9,2)'}}"))
    taken = shop.run()["documents"]
    assert shop.raw("SELECT misfits FROM raw._el_ledger") == [('{"v": 1}',)]
    assert sum("does not fit" in note for note in taken["notes"]) == 1
    assert sorted(text for (text,) in shop.raw(f"SELECT document ->> '{shop.stock.text_of_v}' FROM raw.documents")) == [
        "12.5",
        "a dozen",
    ]


def test_a_log_is_followed_without_a_gap_through_any_history(shop: Shop) -> None:
    needs(shop, log=True)
    chance, wanted, order = random.Random(11), [], shop.stock.order_column
    shop.take("log")
    for _ in range(3):
        for _ in range(chance.choice((0, 1, 7))):
            wanted.append(b"%d" % len(wanted))
            shop.stock.log(wanted[-1])
        assert shop.run()["log"]["status"] in ("loaded", "nothing new")
    assert [value for (value,) in shop.raw(f"SELECT value FROM raw.log ORDER BY _dlt_load_id, {order}")] == wanted


def test_a_log_that_forgot_is_loud_and_no_entry_is_passed_over(shop: Shop) -> None:
    needs(shop, log=True)
    shop.take("log")
    shop.stock.log(b"1")
    shop.run()
    shop.stock.log(b"2")
    shop.stock.forget()
    shop.stock.log(b"3")
    taken = shop.run()["log"]
    assert (taken["status"], "--full-refresh" in taken["error"]) == ("failed", True)
    assert shop.raw("SELECT value FROM raw.log") == [(b"1",)]


def test_a_request_is_a_value_and_what_cannot_be_read_so_is_an_error(shop: Shop) -> None:
    shop.stock.put(1, b"1")
    with open_connector(shop.stock.output) as source:
        assert isinstance(source, DocumentSource)
        table = source.describe().table(TableName(shop.stock.schema, "documents"))
        assert table is not None
        request = pickle.loads(pickle.dumps(ReadRequest(table=table.name)))
        assert source.read_buffer(request).to_arrow().num_rows == 1
        document = table.column(DOCUMENT)
        assert document is not None
        assert not any(source.supports(op, document) for op in Op)
        with pytest.raises(ReadError):
            source.read_buffer(ReadRequest(table=table.name, where=(Condition(DOCUMENT, Op.NOT_NULL),))).to_arrow()
    with pytest.raises(ElError):
        source.read_buffer(request)


def written(shop: Shop, numbers: range, mode: WriteMode = WriteMode.APPEND, run_id: str = "one") -> Any:
    with open_connector(shop.stock.output) as target:
        assert isinstance(target, Target)
        data = pa.table(shop.stock.rows_to_write(numbers))
        return target.write_buffer(TableName(shop.stock.schema, "things"), data, mode, run_id=run_id)


def keys(shop: Shop) -> set[Any]:
    with open_connector(shop.stock.output) as source:
        assert isinstance(source, Source)
        read = source.read_buffer(ReadRequest(table=TableName(shop.stock.schema, "things"))).to_arrow()
        return set(read.column(shop.stock.key_column).to_pylist())


def test_a_write_is_whole_or_not_there_and_the_same_run_has_one_effect(shop: Shop) -> None:
    needs(shop, target=True)
    assert (written(shop, range(3)).rows, written(shop, range(3)).already_done) == (3, True)
    with pytest.raises(WriteError):
        written(shop, range(2, 6), run_id="two")
    assert keys(shop) == {shop.stock.key(number) for number in range(3)}
    assert written(shop, range(2, 6), WriteMode.MERGE, run_id="two").rows == 4
    assert keys(shop) == {shop.stock.key(number) for number in range(6)}
