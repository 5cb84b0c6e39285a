"""What a login of each role needs of Redis: the ACL that gives it, and whether this login holds it.

Redis, "ACL": rules are taken from left to right, so that what takes away stands behind what gives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import ResponseError

from el.connectors.access import Access
from el.connectors.check import Check, fine, warn, wrong
from el.connectors.redis.config import KeyTable, KeyType, RedisConfig
from el.connectors.redis.errors import said
from el.connectors.rights import SourceNeeds, WarehouseNeeds, as_comment, collected

READ = "+@read -@dangerous +@connection +scan +info|server +dbsize +time +acl|whoami +xinfo|stream"
WRITE = "+eval +hexists +type +set +hset +hdel +pexpireat"
_PARTS = re.compile(r"(\\.)|([*?])|\[((?:\\.|[^\]])+)\]|(.)", re.DOTALL)
_PROBES: tuple[tuple[str, tuple[str | int, ...]], ...] = (
    ("SCAN", (0, "MATCH", "{key}", "COUNT", 1)),
    ("TYPE", ("{key}",)),
    ("PTTL", ("{key}",)),
    ("DBSIZE", ()),
    ("TIME", ()),
)
_OF_TYPE: dict[KeyType, tuple[tuple[str, tuple[str | int, ...]], ...]] = {
    KeyType.STRING: (("GET", ("{key}",)), ("STRLEN", ("{key}",))),
    KeyType.HASH: (("HGETALL", ("{key}",)), ("HSCAN", ("{key}", 0))),
    KeyType.LIST: (("LRANGE", ("{key}", 0, 0)),),
    KeyType.SET: (("SMEMBERS", ("{key}",)), ("SSCAN", ("{key}", 0))),
    KeyType.ZSET: (("ZRANGE", ("{key}", 0, 0, "WITHSCORES")), ("ZSCAN", ("{key}", 0))),
    KeyType.STREAM: (("XRANGE", ("{key}", "-", "+", "COUNT", 1)), ("XINFO", ("STREAM", "{key}"))),
}


def script(config: RedisConfig, needs: SourceNeeds | WarehouseNeeds) -> str:
    """The ACL of a role. The keys are those of the tables that el.yml takes; without any, all of the profile's."""
    user = needs.user or config.user or "el"
    lines = [as_comment(f"Redis: what {needs.access} needs; ACL SAVE or the ACL file keeps it.")]
    if needs.access is Access.STAGING:
        return "\n".join([*lines, as_comment("Redis holds no staging data: nothing is granted.")]) + "\n"
    patterns = [f"~{each}" for each in _patterns(config, needs)]
    rules = f"ACL SETUSER {user} on resetkeys resetchannels -@all {' '.join(map(_word, patterns))} {READ}"
    writes = tuple(getattr(needs, "writes", ()))
    if writes or needs.access is Access.ENGINEER:
        rules += f" ~_el_writes* {WRITE}"
        lines.append(as_comment("With write_buffer; leave out what begins with ~_el_writes for one that only reads."))
    lines.append(as_comment("Give it a password with one more rule: >password"))
    return "\n".join([*lines, rules]) + "\n"


def checks(
    do: Callable[..., Any], config: RedisConfig, needs: SourceNeeds | WarehouseNeeds, tables: dict[str, KeyTable]
) -> Sequence[Check]:
    """Each command that a read asks, tried with a key that is not there."""
    return collected(_checks(do, config, tables, needs.access))


def _checks(
    do: Callable[..., Any], config: RedisConfig, tables: dict[str, KeyTable], access: Access
) -> Iterator[Check]:
    user = config.user or "default"
    lacking = []
    for table in tables.values():
        key = table.stream or matching(str(table.match))
        for command, arguments in (*_PROBES, *_OF_TYPE.get(table.kind or KeyType.STRING, ())):
            told = [key if each == "{key}" else each for each in arguments]
            if _refused(do, command, *told):
                lacking.append((command, key))
    if lacking:
        command, key = lacking[0]
        patterns = sorted({_word(f"~{_pattern(table)}") for table in tables.values()})
        yield wrong(
            "rights",
            f"user {user} may not {command} keys such as {key!r}",
            f"ACL SETUSER {user} {' '.join(patterns)} {READ}",
        )
    else:
        yield fine("rights", f"user {user} may read the keys of {len(tables)} tables")
    if not _refused(do, "CONFIG", "GET", "el_probe"):
        yield warn(
            "rights", f"user {user} may more than el needs: CONFIG among it", "give it a user of its own: `grants`"
        )
    if not config.encrypt and not config.unix_socket and config.host not in ("localhost", "127.0.0.1", "::1"):
        yield warn("line", "the line is not encrypted: the password and all values can be read on it", "encrypt: true")


def clock(do: Callable[..., Any]) -> datetime:
    """The server's time."""
    seconds, micros = (int(each) for each in do("TIME"))
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros, tzinfo=None)


def _refused(do: Callable[..., Any], *command: str | int) -> bool:
    try:
        do(*command)
    except ResponseError as error:
        return said(error).startswith("NOPERM") or "no permissions" in said(error).lower()
    return False


def _patterns(config: RedisConfig, needs: SourceNeeds | WarehouseNeeds) -> list[str]:
    named = {need.name.name for need in getattr(needs, "tables", ())}
    tables = [table for name, table in config.tables.items() if not named or name in named]
    return sorted({_pattern(table) for table in tables})


def _pattern(table: KeyTable) -> str:
    """As a rule of an ACL has it, which takes no blank: any one sign in its place. A stream's key is no pattern."""
    pattern = re.sub(r"([*?\[\]\\])", r"\\\1", table.stream) if table.stream else str(table.match)
    return re.sub(r"\s", "?", pattern)


def _word(rule: str) -> str:
    """A rule as redis-cli takes it: in quotes where it has quotes or backslashes."""
    return rule if re.fullmatch(r"[^'\"\\]+", rule) else json.dumps(rule, ensure_ascii=False)


def matching(pattern: str) -> str:
    """A key that a pattern matches, for a probe."""
    found = ""
    for backslash, one, inside, other in _PARTS.findall(pattern):
        if backslash:
            found += backslash[1]
        elif one:
            found += {"*": "el_probe", "?": "x"}[one]
        elif inside.startswith("^"):
            found += next(each for each in "xyz0123456789" if re.match(f"[{inside}]", each))
        else:
            found += inside.removeprefix("\\")[:1] or other
    return found
