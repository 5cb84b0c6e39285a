"""A command imports no library that el has no use for, and takes it from nobody else."""

from __future__ import annotations

import subprocess
import sys


def _python(text: str) -> str:
    """In a process that has imported nothing yet."""
    return subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True).stdout.strip()


def test_values_and_the_warehouse_are_had_without_pandas_and_sqlalchemy() -> None:
    said = _python(
        "import sys\n"
        "from el.cli.imports import importing_little\n"
        "with importing_little(with_dlt=True):\n"
        "    import el.pipeline\n"
        "import dlt, pyarrow as pa\n"
        "from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials\n"
        "pa.array(['a']), pa.Table.from_pylist([{'a': 1}])\n"
        "DuckDbCredentials('a.duckdb', global_config={})\n"
        "print(sorted({'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    assert said == "[]"


def test_another_package_still_has_pandas_and_what_it_makes() -> None:
    said = _python(
        "from el.cli.imports import importing_little\n"
        "with importing_little(with_dlt=True):\n"
        "    import pyarrow as pa\n"
        "import pandas, sqlalchemy\n"
        "frame = pandas.DataFrame({'a': [1, None], 'b': ['x', None]})\n"
        "table = pa.Table.from_pandas(frame, preserve_index=False)\n"
        "print(table.to_pylist(), pa.array(frame['b']).to_pylist(), table.to_pandas().equals(frame))"
    )
    assert said == "[{'a': 1.0, 'b': 'x'}, {'a': None, 'b': None}] ['x', None] True"


def test_garbage_is_looked_for_again_once_all_is_imported() -> None:
    said = _python(
        "import gc\n"
        "from el.cli.imports import importing_little\n"
        "try:\n"
        "    with importing_little():\n"
        "        print(gc.isenabled())\n"
        "        raise ImportError\n"
        "except ImportError:\n"
        "    print(gc.isenabled())"
    )
    assert said.split() == ["False", "True"]
