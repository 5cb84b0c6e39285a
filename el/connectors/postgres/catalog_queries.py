"""What is asked of PostgreSQL's catalog. {within} holds a query to the schemas that are wanted."""

from __future__ import annotations

SCHEMAS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' "
    "AND n.nspname NOT LIKE 'pg\\_temp\\_%'"
)
DATABASE = """SELECT current_database()::text, current_setting('server_version'), current_user::text,
pg_is_in_recovery(), (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
(SELECT datctype::text FROM pg_database WHERE datname = current_database())"""
# One of the cluster and of its physical copies alike.
IDENTITY = "SELECT system_identifier::text FROM pg_control_system()"

# Estimates of the last ANALYZE, which cost nothing; of a partitioned table those of its parts.
_SIZE = "(x.relpages::bigint + COALESCE(y.relpages, 0)) * current_setting('block_size')::bigint"
_OF_PARTS = """(SELECT {what} FROM pg_partition_tree(c.oid) AS p JOIN pg_class AS x ON x.oid = p.relid
LEFT JOIN pg_class AS y ON y.oid = x.reltoastrelid WHERE p.isleaf)"""
_ROWS = "CASE WHEN min(x.reltuples) >= 0 THEN sum(x.reltuples)::bigint END"
TABLES = f"""SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
CASE WHEN c.relkind = 'p' THEN {_OF_PARTS.replace("{what}", _ROWS)}
     WHEN c.reltuples >= 0 AND c.relkind IN ('r', 'm') THEN c.reltuples::bigint END,
CASE WHEN c.relkind = 'p' THEN {_OF_PARTS.replace("{what}", f"sum({_SIZE})::bigint")}
     WHEN c.relkind IN ('r', 'm') THEN (SELECT {_SIZE} FROM pg_class AS x
     LEFT JOIN pg_class AS y ON y.oid = x.reltoastrelid WHERE x.oid = c.oid) END,
obj_description(c.oid, 'pg_class'), c.relrowsecurity AND row_security_active(c.oid),
CASE WHEN c.relkind = 'p' THEN (SELECT md5(COALESCE(string_agg(p.relid::oid::text || x.oid::text ||
     COALESCE(pg_get_expr(x.relpartbound, x.oid), ''), ',' ORDER BY p.relid), ''))
     FROM pg_partition_tree(c.oid) AS p JOIN pg_class AS x ON x.oid = p.relid) END
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
AND has_schema_privilege(n.oid, 'USAGE') AND {{within}} ORDER BY 2, 3"""
_OF_TABLE = "JOIN pg_class AS c ON c.oid = {column} JOIN pg_namespace AS n ON n.oid = c.relnamespace"
# What a collation of no order of bytes is told by has another column from version to version.
_LOCALE = "COALESCE(o.said ->> 'colllocale', o.said ->> 'colliculocale', o.said ->> 'collcollate')"
COLUMNS = f"""SELECT a.attrelid::bigint, a.attname::text, a.attnum::int, NOT a.attnotnull, a.atttypid::bigint,
a.atttypmod, pg_get_expr(d.adbin, d.adrelid), a.attgenerated <> '', col_description(a.attrelid, a.attnum),
o.said ->> 'collname', (o.said ->> 'collisdeterministic')::boolean, {_LOCALE}
FROM pg_attribute AS a {_OF_TABLE.format(column="a.attrelid")}
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN LATERAL (SELECT to_jsonb(l) AS said FROM pg_collation AS l WHERE l.oid = a.attcollation) AS o ON true
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
AND {{within}} ORDER BY a.attrelid, a.attnum"""


def _names(numbers: str, of: str) -> str:
    return (
        f"ARRAY(SELECT a.attname::text FROM unnest({numbers}) WITH ORDINALITY AS k (number, place) "
        f"JOIN pg_attribute AS a ON a.attrelid = {of} AND a.attnum = k.number {{only}} ORDER BY k.place)"
    )


# One over an expression, or over some of the rows, is no key.
KEYS = f"""SELECT i.indrelid::bigint, x.relname::text, i.indisprimary, i.indisunique,
{_names("i.indkey::int2[]", "i.indrelid").format(only="WHERE k.place <= i.indnkeyatts")}
FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid {_OF_TABLE.format(column="i.indrelid")}
WHERE i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND {{within}} ORDER BY 1, 2"""
FOREIGN = f"""SELECT f.conrelid::bigint, f.conname::text, {_names("f.conkey", "f.conrelid").format(only="")},
t.nspname::text, r.relname::text, {_names("f.confkey", "f.confrelid").format(only="")},
f.convalidated AND COALESCE((to_jsonb(f) ->> 'conenforced')::boolean, true)
FROM pg_constraint AS f {_OF_TABLE.format(column="f.conrelid")} JOIN pg_class AS r ON r.oid = f.confrelid
JOIN pg_namespace AS t ON t.oid = r.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0 AND {{within}} ORDER BY 1, 2"""
CHECKS = f"""SELECT f.conrelid::bigint, f.conname::text, pg_get_expr(f.conbin, f.conrelid),
f.convalidated AND COALESCE((to_jsonb(f) ->> 'conenforced')::boolean, true)
FROM pg_constraint AS f {_OF_TABLE.format(column="f.conrelid")}
WHERE f.contype = 'c' AND {{within}} ORDER BY 1, 2"""
POLICIES = f"""SELECT p.polrelid::bigint, p.polname::text FROM pg_policy AS p
{_OF_TABLE.format(column="p.polrelid")} WHERE {{within}} ORDER BY 1, 2"""
# Who makes the tables of a schema.
OWNERS = f"""SELECT DISTINCT n.nspname::text, pg_get_userbyid(c.relowner)::text
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND {SCHEMAS} ORDER BY 1, 2"""
TYPES = """SELECT t.oid::bigint, t.typname::text, t.typtype::text, t.typcategory::text, t.typbasetype::bigint,
t.typtypmod FROM pg_type AS t WHERE t.oid IN ({oids})"""
