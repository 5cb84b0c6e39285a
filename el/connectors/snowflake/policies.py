"""The tag and the masking policies under which personal data stands in staging (`dbt: {pii: policy}` of el.yml).

They are in a schema of their own, which dbt's role may use and not change. There is one policy for each type, for a
policy gives back the type that it takes. Who has the role EL_PII sees the values, everybody else NULL. Snowflake
documentation, "CREATE MASKING POLICY" (Enterprise Edition), "CREATE TAG", "Access control privileges".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from el.connectors.rights import PII_POLICIES, policy_name

READER = "EL_PII"
TAG = "EL_PII"


def schema_of(database: str) -> tuple[str, str]:
    """Where they are, as it is stored."""
    return database, PII_POLICIES.upper()


def policy_statements(database: str, types: Sequence[str]) -> Iterator[str]:
    """The statements that make them, each may run again. types: Snowflake's names of the types to be masked."""
    if not types:
        return
    place = ".".join(f'"{part}"' for part in schema_of(database))
    yield f"CREATE ROLE IF NOT EXISTS {READER}"
    yield f"CREATE SCHEMA IF NOT EXISTS {place}"
    yield f"CREATE TAG IF NOT EXISTS {place}.{TAG} COMMENT = 'Kinds of personal data, as el.yml names them'"
    for type_ in types:
        sql = type_.upper()
        yield (
            f"CREATE MASKING POLICY IF NOT EXISTS {place}.{policy_name(type_).upper()} AS (val {sql}) "
            f"RETURNS {sql} -> CASE WHEN IS_ROLE_IN_SESSION('{READER}') THEN val END"
        )


def applied(database: str, types: Sequence[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What the role that makes the views needs of them: privilege, kind, place."""
    if not types:
        return
    place = schema_of(database)
    yield "USAGE", "SCHEMA", place
    yield "APPLY", "TAG", (*place, TAG)
    for type_ in types:
        yield "APPLY", "MASKING POLICY", (*place, policy_name(type_).upper())
