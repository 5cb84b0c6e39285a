"""HMAC-SHA256 over a column of digests, as Arrow: `mask: hmac` of el.yml.

The source gives SHA-256 of each value, so that no clear value leaves it; the key is applied here, so that it never goes
to the source. Guarantees: equal digests get equal masks, NULL stays NULL, and the key stands in no SQL text.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from el.connectors.sql.engine import session

_BLOCK = 64
_INNER, _OUTER = 0x36, 0x5C
# RFC 2104: H(key ^ opad, H(key ^ ipad, message)). DuckDB hashes a million in a second on one processor; Python's hmac
# takes half as long again, and an object for each value.
_HMAC = "SELECT sha256($outer || unhex(sha256($inner || unhex(d)))) AS d FROM digests"


class KeyedMask:
    """Masks digests with one key; one of its own for each thread that does."""

    def __init__(self, key: bytes) -> None:
        whole = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
        block = whole.ljust(_BLOCK, b"\0")
        self._pads = {
            "inner": bytes(byte ^ _INNER for byte in block),
            "outer": bytes(byte ^ _OUTER for byte in block),
        }
        self._connection = session()

    def of(self, digests: pa.Array) -> pa.Array:
        """The masks, as 64 hex digits, of digests that are written as hex digits; in their order."""
        self._connection.register("digests", pa.table({"d": digests.cast(pa.string())}))
        try:
            found = self._connection.sql(_HMAC, params=self._pads).to_arrow_table()
        finally:
            self._connection.unregister("digests")
        masked = found.column("d").combine_chunks()
        return masked.cast(pa.string())

    def close(self) -> None:
        self._connection.close()
