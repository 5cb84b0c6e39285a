"""The values that cut a column of DuckDB into parts of as many rows each, by some thousands of them."""

from __future__ import annotations

from dataclasses import replace

from el.connectors.catalog import Column
from el.connectors.request import ColumnRead, Condition, Op, ReadRequest
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.select import Statement, build_select

# Of so many for each part its size is within a tenth of what was asked for.
_LOOKED_AT = 1000


def build_quantiles(request: ReadRequest, by: Column, wanted: int, dialect: Dialect) -> Statement:
    """SELECT the values, in canonical text, ascending; none of a column without values."""
    where = (*request.where, Condition(by.name, Op.NOT_NULL))
    values = build_select(replace(request, columns=(ColumnRead(by.name, "v"),), where=where), dialect)
    shares = ", ".join(str(number / wanted) for number in range(1, wanted))
    sample = f"SELECT v FROM ({values.sql}) AS el_values USING SAMPLE reservoir({wanted * _LOOKED_AT} ROWS)"
    cuts = f"SELECT unnest(quantile_disc(v, [{shares}])) AS v FROM ({sample}) AS el_sample"
    return Statement(f"SELECT {dialect.as_text('v', by.type)} FROM ({cuts}) AS el_cuts", values.parameters)
