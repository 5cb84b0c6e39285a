"""How fast the rows of a bacpac become Arrow: megabytes of payload (uncompressed parts) for each second of one core.

`python -m benchmarks.bacpac [MEGABYTES]`. Processor time is counted, so that a busy machine does not blur it; unpacking
is part of it. The bacpac is written by the tests' stand-in, each part the same rows again.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from el.dumps.formats.bacpac import Bacpac
from tests.standins.bacpac import Table, write_bacpac
from tests.standins.bcp import Column

ROWS = 20_000


@dataclass(frozen=True)
class Rate:
    """What a table took."""

    table: str
    rows: int
    values: int
    megabytes: float
    seconds: float

    def __str__(self) -> str:
        speed = f"{self.megabytes / self.seconds:.0f} MB/s, {self.values / self.seconds / 1e6:.1f} M values/s"
        return f"{self.table}: {self.megabytes:.0f} MB, {self.rows:,} rows in {self.seconds:.2f} s: {speed}"


def payload_rates(megabytes: int = 64, folder: Path | None = None) -> Iterator[Rate]:
    """The rate of each of the tables, of so many megabytes each."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        bacpac = Bacpac(_repeated(Path(place), megabytes))
        for table in bacpac.tables():
            began = time.process_time()
            rows = sum(batch.num_rows for batch in bacpac.read(table.name).batches)
            seconds = time.process_time() - began
            assert table.schema is not None
            yield Rate(table.name, rows, rows * len(table.schema), table.size / 1e6, seconds)


def _repeated(folder: Path, megabytes: int) -> Path:
    once = write_bacpac(folder / "once.bacpac", [Table("dbo", *table, part_rows=ROWS) for table in _tables()])
    path = folder / "many.bacpac"
    with zipfile.ZipFile(once) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for info in source.infolist():
            data = source.read(info)
            if not info.filename.startswith("Data/"):
                out.writestr(info.filename, data)
                continue
            for part in range(max(1, megabytes * 1_000_000 // len(data))):
                out.writestr(info.filename.replace("TableData-000", f"TableData-{part:03d}"), data)
    return path


def _tables() -> list[tuple[str, Sequence[Column], list[tuple[Any, ...]]]]:
    drawn = random.Random(7)
    words = [
        "the",
        "quick",
        "brown",
        "fox",
        "jumps",
        "over",
        "a",
        "lazy",
        "dog",
        "and",
        "Çelik",
        "Ömer",
        "naïve",
        "北京",
    ]

    def text(most: int) -> str:
        return " ".join(drawn.choices(words, k=drawn.randint(1, most)))

    def or_null(value: Any) -> Any:
        return value if drawn.random() > 0.2 else None

    def rows(of: Callable[[int], tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [of(number) for number in range(ROWS)]

    start = datetime(2020, 1, 1)
    orders = [
        Column("id", "int", nullable=False),
        Column("customer", "nvarchar", length=80),
        Column("total", "money", nullable=False),
        Column("ordered", "datetime", nullable=False),
        Column("changed", "datetime2", scale=7),
        Column("rate", "decimal", precision=18, scale=6),
        Column("open", "bit", nullable=False),
        Column("token", "uniqueidentifier"),
        Column("note", "nvarchar", length=200),
    ]
    made = rows(
        lambda n: (
            n,
            text(4),
            Decimal(drawn.randrange(10**7)) / 100,
            start + timedelta(minutes=n),
            or_null((737_424 + n % 900, drawn.randrange(864_000_000_000), 0)),
            or_null(Decimal(drawn.randrange(10**9)).scaleb(-6)),
            n % 2,
            or_null(uuid.UUID(int=drawn.getrandbits(128))),
            or_null(text(12)),
        )
    )
    numbers = [Column(f"n{n}", "int") for n in range(20)]
    texts = [Column(f"t{n}", "nvarchar", length=100) for n in range(8)]
    log = [Column("id", "bigint", nullable=False), Column("message", "nvarchar", length=-1)]
    return [
        ("orders", orders, made),
        ("numbers", numbers, rows(lambda n: tuple(or_null(drawn.randrange(2**31)) for _ in numbers))),
        ("texts", texts, rows(lambda n: tuple(or_null(text(6)) for _ in texts))),
        ("log", log, rows(lambda n: (n, text(40)))),
    ]


if __name__ == "__main__":
    for rate in payload_rates(int(sys.argv[1]) if len(sys.argv) > 1 else 64):
        print(rate, flush=True)
