"""Names in the dbt project: a target schema's, and the words that none may be, so that nobody ever has to quote one.

dbt's style guide ("How we style our SQL models"): avoid reserved words as column names. The words are those that
Snowflake ("Reserved & limited keywords") or DuckDB (`duckdb_keywords()`) reserve in any place of a query.
"""

from __future__ import annotations

from el.config.settings import Config
from el.config.tables import ModelSettings
from el.connectors.catalog import TableName
from el.planning.naming import normalise

_SNOWFLAKE = """
account all alter and any as asof between by case cast check column connect connection constraint create cross current
current_date current_time current_timestamp current_user database delete distinct drop else exists false following for
from full grant group gscluster having ilike in increment inner insert intersect into is issue join lateral left like
localtime localtimestamp match_condition minus natural not null of on or order organization qualify regexp revoke right
rlike row rows sample schema select set some start table tablesample then to trigger true try_cast union unique update
using values view when whenever where with
"""

_DUCKDB = """
all analyse analyze and anti any array as asc asof asymmetric at authorization between bigint binary bit boolean both by
case cast char character check coalesce collate collation column columns concurrently constraint create cross dec
decimal default deferrable desc describe distinct do else end except exists extract false fetch float for foreign freeze
from full generated glob group grouping grouping_id having ilike in initially inner inout int integer intersect interval
into is isnull join lambda lateral leading left like limit map national natural nchar none not notnull null nullif
numeric offset on only or order out outer overlaps overlay pivot pivot_longer pivot_wider placing position positional
precision primary qualify real references returning right row select semi setof show similar smallint some struct
substring summarize symmetric table tablesample then time timestamp to trailing treat trim true try_cast tuple union
unique unpack unpivot using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
"""

RESERVED = frozenset((_SNOWFLAKE + _DUCKDB).split())


def free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name_` where it is reserved, with as many more "_" as it takes not to be one of `taken`."""
    found = name
    while found in RESERVED or found in taken:
        found += "_"
    return found


def target_schema(config: Config, name: TableName, settings: ModelSettings) -> str:
    """The target schema of the models of a table."""
    schema = settings.schema_ or config.dbt.schema_.format(
        source=normalise(config.source), schema=normalise(name.schema)
    )
    return free_name(schema, set())
