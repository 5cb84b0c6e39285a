"""Functions and @@variables that tell of the session and its server.

Microsoft Learn, "System functions", "Configuration functions", "Change data capture functions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from . import capture, cdc, lookup, rights
from .convert import Bound, convert, quote
from .engine import now_ticks
from .errors import SqlError
from .function_registry import FUNCTIONS
from .languages import LANGUAGES
from .packets import SERVER_VERSION
from .scan import Scanner
from .sqltypes import BIGINT, INT, SMALLINT, SYSNAME, TINYINT, VARIANT, SqlType

if TYPE_CHECKING:
    from .binder import Binder
    from .scope import Scope
    from .session import Session

VERSION_TEXT = "Microsoft SQL Server 2022 (stand-in for tests, over DuckDB) - {}.{}.{}.{} (X64)".format(*SERVER_VERSION)
BIN8, BIN10 = SqlType("binary", 8), SqlType("binary", 10)


def of_session(*names: str) -> Callable[[Callable[..., Bound]], Callable[..., Bound]]:
    """A function whose first parameter is the session, and the others its arguments."""

    def register(function: Callable[..., Bound]) -> Callable[..., Bound]:
        def handler(binder: Binder, args: list[exp.Expression], scope: Scope) -> Bound:
            return function(binder.session, *(binder.value(a, scope) for a in args))

        FUNCTIONS.update(dict.fromkeys(names, handler))
        return function

    return register


def variable_type(session: Session, name: str) -> SqlType:
    if name not in session.variables:
        raise SqlError(137, f'Must declare the scalar variable "@{name}".', 15, 2)
    return session.variables[name][0]


def global_variable(session: Session, name: str) -> Bound:
    def number(value: int | None, kind: SqlType = INT) -> Bound:
        return Bound("CAST(NULL AS BIGINT)" if value is None else f"CAST({value} AS {kind.stored})", kind)

    name = name.lstrip("@")
    values: dict[str, Callable[[], Bound]] = {
        "version": lambda: Bound(quote(VERSION_TEXT), SqlType("nvarchar", 300)),
        "spid": lambda: number(session.spid, SMALLINT),
        "trancount": lambda: number(session.depth),
        "rowcount": lambda: number(session.rowcount),
        "error": lambda: number(session.error),
        "identity": lambda: number(session.identity, SqlType("numeric", None, 38, 0)),
        "servername": lambda: Bound("'standin'", SYSNAME),
        "servicename": lambda: Bound("'MSSQLSERVER'", SYSNAME),
        "microsoftversion": lambda: number(SERVER_VERSION[0] << 24 | SERVER_VERSION[2]),
        "language": lambda: Bound(quote(session.language), SYSNAME),
        "langid": lambda: number(LANGUAGES[session.language][0], SMALLINT),
        "lock_timeout": lambda: number(session.lock_timeout),
        "options": lambda: number(5432),
        "datefirst": lambda: number(session.date_first, TINYINT),
        "textsize": lambda: number(2147483647),
        "max_precision": lambda: number(38, TINYINT),
        "fetch_status": lambda: number(0),
        "nestlevel": lambda: number(0),
        "procid": lambda: number(0),
        "max_connections": lambda: number(32767),
        "dbts": lambda: Bound(f"unhex('{session.database.rowversion:016x}')", SqlType("varbinary", 8)),
    }
    if name not in values:
        raise SqlError(137, f'Must declare the scalar variable "@@{name}".', 15, 2)
    return values[name]()


def niladic(session: Session, name: str) -> Bound | None:
    upper = name.upper()
    if upper == "CURRENT_TIMESTAMP":
        return convert(Bound(str(now_ticks()), SqlType("datetime2", None, None, 7)), SqlType("datetime"))
    if upper in ("CURRENT_USER", "SESSION_USER", "USER"):
        return Bound(quote(rights.user(session, session.database) or "guest"), SYSNAME)
    return Bound(quote(session.login), SYSNAME) if upper == "SYSTEM_USER" else None


@of_session("ROWCOUNT_BIG")
def rowcount_big(session: Session) -> Bound:
    return Bound(f"CAST({session.server.faults.told.get('rowcount_big', session.rowcount)} AS BIGINT)", BIGINT)


@of_session("DB_NAME")
def db_name(session: Session, value: Bound | None = None) -> Bound:
    if value is None:
        return Bound(quote(session.database.name), SYSNAME, session.database.name)
    cases = " ".join(f"WHEN {d.database_id} THEN {quote(d.name)}" for d in session.engine.databases.values())
    return Bound(f"CASE {value.sql} {cases} END", SYSNAME)


@of_session("DB_ID")
def db_id(session: Session, value: Bound | None = None) -> Bound:
    if value is None:
        return Bound(f"CAST({session.database.database_id} AS SMALLINT)", SMALLINT)
    cases = " ".join(f"WHEN {quote(n)} THEN {d.database_id}" for n, d in session.engine.databases.items())
    return Bound(f"CAST(CASE lower({value.sql}) {cases} END AS SMALLINT)", SMALLINT)


@of_session("SUSER_SNAME", "SUSER_NAME", "ORIGINAL_LOGIN")
def _login(session: Session, *_: Bound) -> Bound:
    return Bound(quote(session.login), SYSNAME, session.login)


@of_session("USER_NAME")
def user_name(session: Session, *_: Bound) -> Bound:
    name = rights.user(session, session.database) or "guest"
    return Bound(quote(name), SYSNAME, name)


@of_session("APP_NAME")
def app_name(session: Session) -> Bound:
    return Bound(quote(session.application), SYSNAME, session.application)


@of_session("HOST_NAME")
def host_name(session: Session) -> Bound:
    return Bound(quote(session.host), SYSNAME, session.host)


@of_session("SESSIONPROPERTY")
def _one(session: Session, *_: Bound) -> Bound:
    return Bound("1", INT, 1)


@of_session("DATABASE_PRINCIPAL_ID", "USER_ID")
def database_principal_id(session: Session, name: Bound | None = None) -> Bound:
    """NULL where the database has no such user or role ("DATABASE_PRINCIPAL_ID")."""
    return _id(name is None or rights.is_principal(session, str(_value(session, name))))


@of_session("SUSER_ID")
def suser_id(session: Session, name: Bound | None = None) -> Bound:
    """NULL where the server has no such login ("SUSER_ID")."""
    logins = {login.lower() for login in session.server.users}
    return _id(name is None or str(_value(session, name)).lower() in logins)


def _id(there: bool) -> Bound:
    return Bound("1" if there else "CAST(NULL AS INTEGER)", INT, 1 if there else None)


@of_session("IS_MEMBER")
def is_member(session: Session, role: Bound) -> Bound:
    """NULL where there is no such role ("IS_MEMBER")."""
    name = str(_value(session, role))
    if not rights.is_principal(session, name):
        return _id(False)
    value = int(rights.member(session, name))
    return Bound(str(value), INT, value)


@of_session("IS_ROLEMEMBER")
def is_rolemember(session: Session, role: Bound, principal: Bound | None = None) -> Bound:
    """Of the session's user, or of another principal ("IS_ROLEMEMBER")."""
    if principal is None:
        return is_member(session, role)
    name, who = str(_value(session, role)), str(_value(session, principal))
    if not rights.is_principal(session, name) or not rights.is_principal(session, who):
        return _id(False)
    value = int(name.lower() in rights.with_roles(session.database, {who.lower()}))
    return Bound(str(value), INT, value)


@of_session("IS_SRVROLEMEMBER")
def is_srvrolemember(session: Session, role: Bound) -> Bound:
    value = int(rights.sysadmin(session))
    return Bound(str(value), INT, value)


def _value(session: Session, bound: Bound) -> object:
    if bound.constant is not None:
        return bound.constant
    return session.run_sql(f"SELECT {bound.sql}", set(session.variables))[0][0]


@of_session("HAS_PERMS_BY_NAME")
def has_perms_by_name(session: Session, *args: Bound) -> Bound:
    """NULL where the securable is not there, or is of another class ("HAS_PERMS_BY_NAME")."""
    if args[0].constant is None and str(args[1].constant).upper() == "OBJECT":
        return _perms_of_each(session, *args)
    given = [_value(session, arg) for arg in args]
    securable, kind, permission = given[0], str(given[1] or "SERVER").upper(), str(given[2]).upper()
    database, found = session.database, None
    if kind == "SERVER":
        found = rights.server(session, permission)
    elif kind == "DATABASE":
        found = rights.has(session, database, permission)
    elif kind == "SCHEMA":
        found = rights.has(session, database, permission, Scanner(str(securable)).names()[-1])
    elif kind == "OBJECT" and (table := lookup.find(session, Scanner(str(securable)).names())) is not None:
        column = str(given[3]) if len(given) > 3 and given[3] else ""
        found = rights.has(session, database, permission, table.schema, table.name, column)
    return Bound(
        "CAST(NULL AS INTEGER)" if found is None else str(int(found)), INT, None if found is None else int(found)
    )


def _perms_of_each(
    session: Session, name: Bound, kind: Bound, permission: Bound, column: Bound | None = None, _: Bound | None = None
) -> Bound:
    """The same for an object, and a column, that differ from row to row."""
    database, asked = session.database, str(permission.constant).upper()
    rows = session.execute(f"SELECT body FROM {database.quoted}.cat.objects WHERE body IS NOT NULL")
    listed = []
    for table in (lookup.from_json(body) for (body,) in rows):
        for of in ["", *(c.name for c in table.columns)] if column is not None else [""]:
            held = int(rights.has(session, database, asked, table.schema, table.name, of))
            listed.append(f"({quote(f'[{table.schema}].[{table.name}]')}, {quote(of)}, {held})")
    of = column.sql if column is not None else "''"
    return Bound(
        f"(SELECT held FROM (VALUES {', '.join(listed) or '(NULL, NULL, 0)'}) v(place, of, held) "
        f"WHERE place = {name.sql} AND of = {of})",
        INT,
    )


@of_session("SUSER_SID")
def suser_sid(session: Session, *_: Bound) -> Bound:
    return Bound("unhex('01')", SqlType("varbinary", 85))


@of_session("COLLATIONPROPERTY")
def collationproperty(session: Session, collation: Bound, name: Bound) -> Bound:
    """Every collation here is Latin1_General, whose code page is 1252."""
    known = "1252" if str(name.constant).lower() == "codepage" else "CAST(NULL AS INTEGER)"
    return convert(Bound(f"CASE WHEN {collation.sql} IS NOT NULL THEN {known} END", INT), VARIANT)


@of_session("SESSION_CONTEXT", "CONNECTIONPROPERTY", "DATABASEPROPERTY")
def session_context(session: Session, *_: Bound) -> Bound:
    return convert(Bound("CAST(NULL AS VARCHAR)", SYSNAME), VARIANT)


@of_session("SERVERPROPERTY")
def serverproperty(session: Session, name: Bound) -> Bound:
    version = ".".join(map(str, SERVER_VERSION))
    known: dict[str, str | int] = {
        "productversion": version,
        "productlevel": "RTM",
        "edition": "Stand-in (64-bit)",
        "engineedition": 3,
        "productmajorversion": str(SERVER_VERSION[0]),
        "productminorversion": "0",
        "servername": "standin",
        "machinename": "standin",
        "collation": "Latin1_General_BIN2",
        "isclustered": 0,
        "ishadrenabled": 0,
        "isintegratedsecurityonly": 0,
        "lcid": 1033,
        "productbuild": str(SERVER_VERSION[2]),
    }
    asked = str(name.constant).lower()
    value = session.server.faults.told.get(asked, known.get(asked))
    if value is None:
        return session_context(session)
    return convert(Bound(str(value), INT) if isinstance(value, int) else Bound(quote(value), SYSNAME), VARIANT)


@of_session("DATABASEPROPERTYEX")
def databasepropertyex(session: Session, database: Bound, name: Bound) -> Bound:
    found = session.engine.databases.get(str(database.constant).lower())
    known = {"collation": "Latin1_General_BIN2", "status": "ONLINE", "updateability": "READ_WRITE", "recovery": "FULL"}
    asked = str(name.constant).lower()
    value = session.server.faults.told.get(asked, known.get(asked)) if found else None
    return convert(Bound(quote(str(value)) if value else "CAST(NULL AS VARCHAR)", SYSNAME), VARIANT)


@of_session("SCOPE_IDENTITY")
def scope_identity(session: Session) -> Bound:
    return global_variable(session, "@@identity")


@of_session("IDENT_CURRENT")
def ident_current(session: Session, name: Bound) -> Bound:
    table = lookup.table(session, Scanner(str(name.constant)).names())
    value = session.engine.identities.get(table.object_id)
    return Bound(
        "CAST(NULL AS DECIMAL(38,0))" if value is None else f"CAST({value} AS DECIMAL(38,0))",
        SqlType("numeric", None, 38, 0),
    )


@of_session("MIN_ACTIVE_ROWVERSION")
def min_active_rowversion(session: Session) -> Bound:
    return Bound(f"unhex('{session.engine.min_active_rowversion(session.database):016x}')", BIN8)


@of_session("CHANGE_TRACKING_CURRENT_VERSION")
def change_tracking_current_version(session: Session) -> Bound:
    if session.database.tracking is None:
        return Bound("CAST(NULL AS BIGINT)", BIGINT)
    return Bound(f"(SELECT coalesce(max(version), 0) FROM {session.quoted_database}.cat.versions)", BIGINT)


@of_session("CHANGE_TRACKING_MIN_VALID_VERSION")
def change_tracking_min_valid_version(session: Session, object_id: Bound) -> Bound:
    return Bound(
        f"(SELECT min_valid_version FROM {session.quoted_database}.cat.tracked WHERE object_id = {object_id.sql})",
        BIGINT,
    )


@of_session("FN_CDC_GET_MIN_LSN")
def cdc_get_min_lsn(session: Session, instance: Bound) -> Bound:
    db = session.quoted_database
    # 0x0 too where the caller is not a member of the gating role ("sys.fn_cdc_get_min_lsn").
    return Bound(
        f"coalesce((SELECT start_lsn FROM {db}.cat.captures WHERE lower(capture_instance) = lower({instance.sql}) AND "
        f"{cdc.gate(session)}), "
        "unhex('00000000000000000000'))",
        BIN10,
    )


@of_session("FN_CDC_GET_MAX_LSN")
def cdc_get_max_lsn(session: Session) -> Bound:
    return Bound(f"(SELECT max(start_lsn) FROM {session.quoted_database}.cat.lsn_time_mapping)", BIN10)


@of_session("FN_CDC_INCREMENT_LSN")
def cdc_increment_lsn(session: Session, lsn: Bound) -> Bound:
    return Bound(f"unhex(left(hex({lsn.sql}), 4) || tds_hex8(tds_long({lsn.sql}) + 1))", BIN10)


@of_session("FN_CDC_DECREMENT_LSN")
def cdc_decrement_lsn(session: Session, lsn: Bound) -> Bound:
    return Bound(f"unhex(left(hex({lsn.sql}), 4) || tds_hex8(tds_long({lsn.sql}) - 1))", BIN10)


@of_session("FN_CDC_MAP_LSN_TO_TIME")
def cdc_map_lsn_to_time(session: Session, lsn: Bound) -> Bound:
    return Bound(
        f"(SELECT tran_end_time FROM {session.quoted_database}.cat.lsn_time_mapping WHERE start_lsn = {lsn.sql})",
        SqlType("datetime"),
    )


@of_session("FN_CDC_MAP_TIME_TO_LSN")
def cdc_map_time_to_lsn(session: Session, how: Bound, moment: Bound) -> Bound:
    ticks = convert(moment, SqlType("datetime")).sql
    op, function = {
        "largest less than": ("<", "max"),
        "largest less than or equal": ("<=", "max"),
        "smallest greater than": (">", "min"),
        "smallest greater than or equal": (">=", "min"),
    }[str(how.constant).lower()]
    found = (
        f"(SELECT {function}(start_lsn) FROM {session.quoted_database}.cat.lsn_time_mapping WHERE tran_end_time "
        f"{op} {ticks})"
    )
    if function == "min" and not session.database.capture_stopped:
        # Where nothing happens the job notes how far it is, all the same ("cdc.lsn_time_mapping").
        noted = f"CASE WHEN {now_ticks()} {op} {ticks} THEN {capture.lsn(session.database.lsn)} END"
        found = f"coalesce({found}, {noted})"
    return Bound(found, BIN10)


@of_session("FN_CDC_IS_BIT_SET")
def cdc_is_bit_set(session: Session, position: Bound, mask: Bound) -> Bound:
    at = f"2 * (octet_length({mask.sql}) - ({position.sql} - 1) // 8) - 1"
    byte = f"CAST('0x' || substr(hex({mask.sql}), CAST({at} AS BIGINT), 2) AS INTEGER)"
    return Bound(f"(({byte} >> CAST(({position.sql} - 1) % 8 AS INTEGER)) & 1)", INT)


@of_session("XACT_STATE")
def xact_state(session: Session) -> Bound:
    return Bound(str(0 if session.depth == 0 else 1), SMALLINT)


def _caught(session: Session, value: Any, kind: SqlType) -> Bound:
    if session.caught is None:
        return Bound(f"CAST(NULL AS {kind.stored})", kind)
    return Bound(quote(value) if isinstance(value, str) else str(value), kind)


@of_session("ERROR_NUMBER")
def error_number(session: Session) -> Bound:
    return _caught(session, session.caught and session.caught.number, INT)


@of_session("ERROR_MESSAGE")
def error_message(session: Session) -> Bound:
    return _caught(session, session.caught and session.caught.message, SqlType("nvarchar", 4000))


@of_session("ERROR_SEVERITY")
def error_severity(session: Session) -> Bound:
    return _caught(session, session.caught and session.caught.severity, INT)


@of_session("ERROR_STATE")
def error_state(session: Session) -> Bound:
    return _caught(session, session.caught and session.caught.state, INT)


@of_session("ERROR_LINE")
def error_line(session: Session) -> Bound:
    return _caught(session, 1, INT)


@of_session("PARSENAME")
def parsename(session: Session, name: Bound, part: Bound) -> Bound:
    return Bound(
        f"list_extract(list_reverse(string_split(replace(replace({name.sql}, '[', ''), ']', ''), '.')), {part.sql})",
        SYSNAME,
    )
