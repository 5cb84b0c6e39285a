"""What the server says of its binary log: whether changes can be read there, and where it is.

Guarantee: what would keep a change out of the log, or a part of it, is refused, with the statement that mends it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from el.connectors.catalog import TableName
from el.connectors.mysql import aurora
from el.connectors.mysql.log import Log
from el.connectors.mysql.log_position import Gtids, parse_gtids
from el.connectors.mysql.moment import gtid_of
from el.connectors.origin import in_words
from el.connectors.sql.select import Statement
from el.errors import ElError, NotPermitted, PlanError, ReadError

if TYPE_CHECKING:
    from el.connectors.mysql import MySql

_SETTINGS = (
    "SHOW GLOBAL VARIABLES WHERE variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', 'gtid_mode', "
    "'binlog_row_metadata', 'binlog_row_value_options', 'log_slave_updates', 'log_replica_updates', 'gtid_slave_pos', "
    "'aurora_version', 'innodb_read_only')"
)
# What must hold, and how it is made to hold.
_NEEDED = (
    ("binlog_format", "ROW", "SET GLOBAL binlog_format = 'ROW' (sessions that are open keep the former one)"),
    ("binlog_row_image", "FULL", "SET GLOBAL binlog_row_image = 'FULL' (sessions that are open keep the former one)"),
    ("binlog_row_metadata", "FULL", "SET GLOBAL binlog_row_metadata = 'FULL'"),
    ("binlog_row_value_options", "", "SET GLOBAL binlog_row_value_options = ''"),
    ("gtid_mode", "ON", "SET GLOBAL gtid_mode = 'ON', in the steps of MySQL's manual (\"Enabling GTID Transactions\")"),
)
# In what SHOW CREATE TABLE says, which shows them to whoever may read the table; information_schema does not.
_CASCADE = re.compile(r"^\s*CONSTRAINT (\S+) FOREIGN KEY .* ON (?:DELETE|UPDATE) (?:CASCADE|SET) ?", re.MULTILINE)


class ServerLog:
    """The binary log of a server, over a connection that is open."""

    def __init__(self, source: MySql) -> None:
        self.source = source
        self.is_mariadb = source.driver.is_mariadb
        self._why_not: str | None = None
        self._created: dict[str, int] = {}
        self._looked = False

    def require(self, table: TableName, accept: Collection[str] = ()) -> None:
        """Raise `PlanError` unless each change of this table's rows comes into the log whole, or el.yml accepts what
        does not."""
        if not self._looked:
            self._why_not, self._looked = self.obstacle(), True
        if self._why_not is not None:
            raise PlanError(f"{table}: the binary log cannot be followed: {self._why_not}")
        if (filtered := self._filtered(table)) is not None:
            raise PlanError(f"{table}: the binary log leaves out its schema: {filtered} in the server's configuration")
        if "cascades" not in accept and (key := self._cascade(table)) is not None:
            raise PlanError(
                f"{table}: rows that foreign key {key} deletes or changes in cascade do not come into the binary log: "
                "the key has to be made anew with RESTRICT; or take `strategy: cursor` with `deletes: keys`, or "
                "`strategy: full`; or `accept: [cascades]` if there are none"
            )

    def _cascade(self, table: TableName) -> str | None:
        """A foreign key by which the server changes rows of this table without a word in the log."""
        quoted = self.source.dialect.quote_table(table)
        try:
            said = str(self.source.fetch(Statement(f"SHOW CREATE TABLE {quoted}"))[0][1])
        except NotPermitted:
            raise PlanError(
                f"{table}: the login may not see its foreign keys: GRANT SELECT ON {quoted} TO {self._user()}"
            ) from None
        found = _CASCADE.search(said)
        return found[1].strip("`") if found else None

    def obstacle(self) -> str | None:
        """Why no table's changes can be read out of it, and what is to be done; None: they can."""
        found = {str(name): str(value) for name, value in self.source.fetch(Statement(_SETTINGS))}
        if "aurora_version" in found and found.get("innodb_read_only", "OFF") == "ON":
            return "this server is a reader, and the log is the writer's: `writer_host` in the profile names it"
        if found.get("log_bin", "OFF") != "ON":
            if "aurora_version" in found:
                return f"it is off: {aurora.parameter('binlog_format', 'ROW')}"
            return "it is off: `log_bin` in the server's configuration turns it on, at its next start"
        for name, wanted, statement in _NEEDED:
            if name in found and found[name].upper() != wanted:
                how = aurora.parameter(name, wanted) if "aurora_version" in found else statement
                return f"{name} is {found[name] or 'empty'}: {how}"
        if not self.is_mariadb and "gtid_mode" not in found:
            return "the server has no GTIDs"
        if "binlog_row_metadata" not in found:
            return "the server is too old to name columns in it (binlog_row_metadata)"
        passed_on = found.get("log_slave_updates", found.get("log_replica_updates", "ON"))
        if passed_on != "ON" and found.get("gtid_slave_pos", "unknown"):
            return "a replica's own log lacks what it replicates: `log_slave_updates = ON` in its configuration"
        return None

    def _filtered(self, table: TableName) -> str | None:
        # The second name is that of MySQL 8.2 on.
        for asked in ("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"):
            try:
                rows = self.source.fetch(Statement(asked))
                break
            except NotPermitted:
                raise PlanError(
                    f"{table}: the login may not see what the binary log leaves out: {self._grant()}"
                ) from None
            except ReadError:
                rows = []
        only, never = (str(value or "").split(",") for value in (rows[0][2:4] if rows else ("", "")))
        if any(only) and table.schema not in only:
            return f"binlog_do_db = {','.join(only)}"
        return f"binlog_ignore_db = {table.schema}" if table.schema in never else None

    def _grant(self) -> str:
        right = "BINLOG MONITOR" if self.is_mariadb else "REPLICATION CLIENT"
        return f"GRANT {right}, REPLICATION SLAVE ON *.* TO {self._user()}"

    def _user(self) -> str:
        user, _, host = str(self.source.fetch(Statement("SELECT CURRENT_USER()"))[0][0]).rpartition("@")
        return f"'{user}'@'{host}'"

    def now(self) -> Gtids:
        """All that is in the log."""
        asked = "@@GLOBAL.gtid_binlog_pos" if self.is_mariadb else "@@GLOBAL.gtid_executed"
        return self._parsed(self.source.fetch(Statement(f"SELECT {asked}"))[0][0])

    def seen(self) -> Gtids:
        """What every snapshot has that begins from now on: of MariaDB, whose log is ahead of its tables, less than
        `now`. MySQL counts a transaction once its tables have it."""
        if not self.is_mariadb:
            return self.now()
        with self.source.at_one_moment():
            found = self.of_snapshot()
        if found is None:
            raise ReadError("the server does not tell where in its log a snapshot is", retryable=True)
        return found

    def of_snapshot(self) -> Gtids | None:
        """Where in the log the snapshot is that this session reads; None where the server cannot tell just now."""
        place = self.source.place
        return None if place is None else self._parsed(gtid_of(place, self.source.fetch))

    def identity(self) -> str:
        """Which log it is: the server, its newest file, and when that was begun."""
        newest = self._files()[-1]
        return f"{self._id()}/{newest}@{self._begun(newest)}"

    def why_another(self, former: str | None) -> str | None:
        """Why it is not the log that it was, in words. Of another server of a cluster, GTIDs alone tell."""
        id_, _, rest = (former or "").partition("/")
        name, _, created = rest.rpartition("@")
        if not name or id_ != self._id():
            return None
        files = self._files()
        # One that is not there was purged, if all that are there are newer.
        purged = min(map(_numbered, files)) > _numbered(name)
        same = str(self._begun(name)) == created if name in files else purged
        return None if same else f"{name} of raw's position is another file now, or gone while older ones are there"

    def _files(self) -> list[str]:
        return [str(row[0]) for row in self.source.fetch(Statement("SHOW BINARY LOGS"))]

    def _id(self) -> str:
        asked = "@@server_id" if self.is_mariadb else "@@server_uuid"
        return str(self.source.fetch(Statement(f"SELECT {asked}"))[0][0])

    def _begun(self, file: str) -> int:
        if file not in self._created:
            log = self.open(file)
            try:
                self._created[file] = log.created()
            except Exception as error:
                raise self.translated(error) from None
            finally:
                log.close()
        return self._created[file]

    def _parsed(self, text: object) -> Gtids:
        try:
            return parse_gtids(str(text), is_mariadb=self.is_mariadb)
        except ValueError:
            raise PlanError(f"the server's GTIDs are of a form that el does not know: {str(text)[:200]}") from None

    def open(self, since: Gtids | str) -> Log:
        """The log behind there, or a file of it. Raises `PositionLost` where it is gone, `NotPermitted` with the right
        that lacks."""
        try:
            return Log(self.source.config, in_words(self.source.access), since)
        except Exception as error:
            raise self.translated(error) from None

    def look(self, since: Gtids) -> None:
        """Raise, as `open` and the first event do, unless it can be read from there on."""
        log = self.open(since)
        try:
            next(iter(log), None)
        except Exception as error:
            raise self.translated(error) from None
        finally:
            log.close()

    def translated(self, error: Exception) -> ElError:
        found = self.source.translate(error)
        if isinstance(found, NotPermitted):
            return NotPermitted(f"the login may not read the binary log: {self._grant()}")
        return found


def _numbered(file: str) -> int:
    number = file.rpartition(".")[2]
    return int(number) if number.isdigit() else 0
