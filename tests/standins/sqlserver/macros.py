"""What DuckDB lacks, as macros and functions: ticks, bytes of text, hashes, user-defined types."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa

from .spatial import hierarchy_bytes, hierarchy_text, spatial_bytes, spatial_text, well_known_binary
from .wire import CODE_PAGE, from_utf16, to_utf16

_WHEN = (
    r"^\s*(?:(\d{4})[-/.]?(\d{2})[-/.]?(\d{2}))?[T\s]*(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:[.:](\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d{2}:\d{2})?\s*$"
)
NOT_A_TIME = "#241:Conversion failed when converting date and/or time from character string."

MACROS = [
    "tds_ts(t) AS make_timestamp(t // 10 - 62135596800000000)",
    "tds_ticks(ts) AS (epoch_us(ts) + 62135596800000000) * 10",
    "tds_day(t) AS DATE '0001-01-01' + CAST(t // 864000000000 AS INTEGER)",
    "tds_midnight(d) AS CAST(d - DATE '0001-01-01' AS BIGINT) * 864000000000",
    "tds_round(t, unit) AS CASE WHEN unit <= 1 THEN t ELSE ((t + unit // 2) // unit) * unit END",
    "tds_datetime(t) AS (t // 864000000000) * 864000000000 + "
    "((((t % 864000000000) * 3 + 50000) // 100000) * 200000 + 3) // 6",
    "tds_fraction(t, n) AS CASE WHEN n = 0 THEN '' ELSE '.' || left(lpad(CAST(t % 10000000 AS VARCHAR), 7, '0'), n) "
    "END",
    "tds_clock(t) AS strftime(tds_ts(t), '%H:%M:%S')",
    "tds_offset(o) AS printf('%s%02d:%02d', CASE WHEN o < 0 THEN '-' ELSE '+' END, abs(o) // 60, abs(o) % 60)",
    f"tds_parts(s) AS regexp_extract(s, '{_WHEN}', ['y', 'm', 'd', 'h', 'i', 's', 'f', 'z'])",
    "tds_number(s) AS CASE WHEN s = '' THEN 0 ELSE CAST(s AS BIGINT) END",
    "tds_sum(p) AS CASE WHEN tds_number(p.h) > 23 OR tds_number(p.i) > 59 OR tds_number(p.s) > 59 THEN NULL ELSE "
    "CASE WHEN p.y = '' THEN 599266080000000000 ELSE tds_midnight(TRY_CAST(p.y || '-' || p.m || '-' || p.d AS DATE)) "
    "END + tds_number(p.h) * 36000000000 + tds_number(p.i) * 600000000 + tds_number(p.s) * 10000000 + "
    "CASE WHEN p.f = '' THEN 0 ELSE CAST(rpad(left(p.f, 7), 7, '0') AS BIGINT) END END",
    f"tds_try_parse(s) AS CASE WHEN regexp_matches(s, '{_WHEN}') THEN tds_sum(tds_parts(s)) END",
    f"tds_parse(s) AS CASE WHEN s IS NOT NULL AND tds_try_parse(s) IS NULL THEN error('{NOT_A_TIME}') "
    "ELSE tds_try_parse(s) END",
    "tds_zone(s) AS CASE WHEN tds_parts(s).z IN ('', 'Z') THEN 0 ELSE CAST(tds_parts(s).z[1] || '1' AS INTEGER) * "
    "(CAST(tds_parts(s).z[2:3] AS INTEGER) * 60 + CAST(tds_parts(s).z[5:6] AS INTEGER)) END",
    "tds_try_guid(s) AS CASE WHEN regexp_matches(s, "
    "'^\\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\\}?\\s*$') "
    "THEN upper(trim(s, ' {}')) END",
    "tds_guid(s) AS CASE WHEN s IS NOT NULL AND tds_try_guid(s) IS NULL THEN error('#8169:Conversion failed when "
    "converting from a character string to uniqueidentifier.') ELSE tds_try_guid(s) END",
    "tds_hex8(n) AS lpad(hex(CAST(n AS BIGINT)), 16, '0')",
    "tds_signed(u) AS CAST(CASE WHEN u > 9223372036854775807 THEN CAST(u AS HUGEINT) - 18446744073709551616 "
    "ELSE CAST(u AS HUGEINT) END AS BIGINT)",
    "tds_long(b) AS tds_signed(CAST('0x' || right('0' || hex(b), 16) AS UBIGINT))",
    "tds_swap(h) AS h[7:8] || h[5:6] || h[3:4] || h[1:2] || h[11:12] || h[9:10] || h[15:16] || h[13:14] || h[17:32]",
    "tds_dash(h) AS h[1:8] || '-' || h[9:12] || '-' || h[13:16] || '-' || h[17:20] || '-' || h[21:32]",
    # uniqueidentifier sorts by its last six bytes first, as SqlGuid does.
    "tds_guid_key(g) AS g[25:36] || g[20:23] || g[17:18] || g[15:16] || g[12:13] || g[10:11] || g[7:8] || g[5:6] || "
    "g[3:4] || g[1:2]",
    "tds_exponent(s) AS regexp_replace(s, 'e([+-])(\\d\\d)$', 'e\\10\\2')",
    "tds_units(s) AS length(s) + length(regexp_replace(s, '[^\\x{10000}-\\x{10F7FF}]', '', 'g'))",
    "tds_am(t) AS strftime(tds_ts(t), '%b ') || lpad(CAST(day(tds_ts(t)) AS VARCHAR), 2, ' ') || "
    "strftime(tds_ts(t), ' %Y ') || lpad(ltrim(strftime(tds_ts(t), '%I'), '0'), 2, ' ') || strftime(tds_ts(t), "
    "':%M%p')",
]


def _vectorised(function: Callable[..., Any], out: pa.DataType, arity: int) -> Callable[..., pa.Array]:
    """A Python function over each value as a function over Arrow arrays; DuckDB counts its parameters."""

    def run(*arrays: pa.Array) -> pa.Array:
        rows = zip(*(a.to_pylist() for a in arrays), strict=True)
        return pa.array([None if any(v is None for v in row) else function(*row) for row in rows], out)

    return (lambda a: run(a)) if arity == 1 else (lambda a, b: run(a, b))


def _hash(algorithm: str, data: bytes) -> bytes:
    names = {"MD5": "md5", "SHA": "sha1", "SHA1": "sha1", "SHA2_256": "sha256", "SHA2_512": "sha512"}
    return hashlib.new(names[algorithm.upper()], data, usedforsecurity=False).digest()


FUNCTIONS = [
    ("tds_utf16", to_utf16, ["VARCHAR"], "BLOB", pa.binary()),
    ("tds_from_utf16", from_utf16, ["BLOB"], "VARCHAR", pa.string()),
    ("tds_narrow", lambda s: s.encode(CODE_PAGE, "replace"), ["VARCHAR"], "BLOB", pa.binary()),
    ("tds_from_narrow", lambda b: b.decode(CODE_PAGE, "replace"), ["BLOB"], "VARCHAR", pa.string()),
    ("tds_hash", _hash, ["VARCHAR", "BLOB"], "BLOB", pa.binary()),
    ("tds_hierarchy", hierarchy_bytes, ["VARCHAR"], "BLOB", pa.binary()),
    ("tds_from_hierarchy", hierarchy_text, ["BLOB"], "VARCHAR", pa.string()),
    ("tds_shape", spatial_bytes, ["VARCHAR", "VARCHAR"], "BLOB", pa.binary()),
    ("tds_from_shape", lambda b, n: spatial_text(b, n == "geography"), ["BLOB", "VARCHAR"], "VARCHAR", pa.string()),
    ("tds_wkb", well_known_binary, ["VARCHAR"], "BLOB", pa.binary()),
]


def install(connection: duckdb.DuckDBPyConnection) -> None:
    for name, function, parameters, result, arrow in FUNCTIONS:
        run = _vectorised(function, arrow, len(parameters))
        connection.create_function(name, run, parameters, result, type="arrow", null_handling="special")
    for macro in MACROS:
        connection.execute(f"CREATE MACRO {macro}")
