"""MySQL and MariaDB, through PyMySQL's connection and a reader of their packets of el's own.

Guarantees: a value arrives as the server writes it, and a type says where that is less; a read is one statement, and so
of one moment where the table is InnoDB's; a stream that is closed halfway is ended at the server, not drained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from el.connectors.base import Identity, OneMomentSource, Pressure, PressureSource, Writer
from el.connectors.buffer import Buffer
from el.connectors.catalog import Catalog, Column, SourceType
from el.connectors.certificate import CertificateSource
from el.connectors.check import Check
from el.connectors.mysql import changes as changes
from el.connectors.mysql.catalog import read_catalog
from el.connectors.mysql.changes import BinaryLog, LoggedChanges
from el.connectors.mysql.checks import MySqlChecks, log_checks
from el.connectors.mysql.collation import text_rule
from el.connectors.mysql.config import MySqlConfig
from el.connectors.mysql.dialect import LOCAL_TIME, MYSQL
from el.connectors.mysql.driver import Driver
from el.connectors.mysql.errors import connect_error, only_reads, statement_error
from el.connectors.mysql.estimate import by_index, steps_between
from el.connectors.mysql.held import held_by
from el.connectors.mysql.log_server import ServerLog
from el.connectors.mysql.moment import Place, see_one_moment, tells_of_each_commit
from el.connectors.mysql.pressure import STATE_RIGHT, read_pressure, seconds_waited_for
from el.connectors.mysql.rights import script
from el.connectors.mysql.types import RULES
from el.connectors.origin import in_words
from el.connectors.request import Position, ReadRequest
from el.connectors.rights import RightsSource, SourceNeeds, WarehouseNeeds, collected
from el.connectors.sql.cluster import Cluster
from el.connectors.sql.connector import Stream
from el.connectors.sql.dialect import Dialect
from el.connectors.sql.over_driver import OverDriver
from el.connectors.sql.scale import Scale
from el.connectors.sql.select import Statement
from el.connectors.sql.split import balanced_cuts
from el.errors import ElError
from el.types.key_text import TextRule

if TYPE_CHECKING:
    from el.connectors.mysql.write import MySqlWrite

_IN_UTC = frozenset({"UTC", "ETC/UTC", "+00:00", "ZULU", "UCT"})


class MySql(OverDriver[Driver], Cluster, OneMomentSource, PressureSource, RightsSource, CertificateSource):
    """A server of MySQL 8 or MariaDB 10.6, or later."""

    scheme = "mysql"
    answers_to = ("mariadb", "aurora")
    product = "MySQL"
    config_type = MySqlConfig
    config: MySqlConfig
    rules = RULES
    dialect: ClassVar[Dialect] = MYSQL
    writer_right = "PROCESS"
    shares_moment = True
    shows_all_columns = False
    has_version_store = False
    state_right = STATE_RIGHT
    feeds = (BinaryLog,)
    reads_only = "SELECT @@innodb_read_only"

    def __init__(self, config: MySqlConfig) -> None:
        super().__init__(config)
        self.in_moment = False  # a transaction of `at_one_moment` is open
        self.place: Place | None = None  # in the log, of what it sees; None where the server does not tell
        self._binary_log: ServerLog | None = None

    def packages(self) -> tuple[str, ...]:
        return ("pymysql",)

    def _open(self) -> Driver:
        return Driver(self.config, in_words(self.access))

    def _why_refused(self, error: Exception) -> ElError:
        return connect_error(error, self.config)

    def close(self) -> None:
        self._leave_writer()
        self._binary_log = None
        super().close()

    @property
    def binary_log(self) -> ServerLog:
        """What this session knows of the server's binary log."""
        if self._binary_log is None:
            self._binary_log = ServerLog(self)
        return self._binary_log

    def ping(self) -> Identity:
        row = self.fetch(Statement("SELECT @@hostname, VERSION(), COALESCE(DATABASE(), ''), CURRENT_USER()"))[0]
        server, version, database, user = (str(each) for each in row)
        return Identity(server, version, database, user)

    def describe(self, schemas: Sequence[str] | None = None, *, brief: bool = False) -> Catalog:
        return read_catalog(self.fetch, schemas, brief=brief, is_mariadb=self.driver.is_mariadb)

    def text_rule(self, column: Column) -> TextRule | None:
        return text_rule(column)

    def read_buffer(self, request: ReadRequest) -> Buffer:
        if (other := self._reader_of(request)) is not self:
            return other.read_buffer(request)
        if isinstance(request.changes, LoggedChanges):
            return changes.read(self, request, request.changes)
        return self._placed(request) if request.placed else super().read_buffer(self._by_rules(request))

    def _placed(self, request: ReadRequest) -> Buffer:
        """A snapshot that knows where in the binary log it is."""
        with ExitStack() as undone:
            if not self.in_moment:
                undone.enter_context(self.at_one_moment())
            reached = self.binary_log.of_snapshot()
            buffer = super().read_buffer(request)
            ended = undone.pop_all()
        batches = iter(buffer)

        def close() -> None:
            buffer.close()
            ended.close()

        at = Position(reached.text) if reached is not None else None
        return Buffer(buffer.schema, batches, close=close, reached=at)

    def _cuts(self, request: ReadRequest, by: Column, wanted: int) -> Sequence[str]:
        """By what the server estimates of ranges of an index: that reads no row of them."""
        scale = Scale.of(self.facts(by.type))
        least, greatest = (found(request, by.name, by.type) for found in (self.min_value, self.max_value))
        if request.table is None or scale is None or least is None or greatest is None:
            return ()
        estimate = by_index(self.fetch, request, by, is_mariadb=self.driver.is_mariadb)
        steps = steps_between(scale, least.text, greatest.text, wanted, estimate)
        return balanced_cuts(steps, wanted, scale)

    def query_columns(self, query: str) -> tuple[tuple[str, SourceType], ...]:
        try:
            return self.driver.describe(query)
        except Exception as error:
            raise self.translate(error) from None

    def _stream(self, statement: Statement, request: ReadRequest) -> Stream:
        return self.driver.stream(statement, request)

    def _is_useless(self, error: Exception) -> bool:
        return only_reads(error)

    def _begin(self) -> None:
        self.execute(Statement("START TRANSACTION"))

    def _commit(self) -> None:
        self.execute(Statement("COMMIT"))

    def _rollback(self) -> None:
        self.execute(Statement("ROLLBACK"))

    def can_share_moment(self) -> bool:
        return tells_of_each_commit(self.fetch, is_mariadb=self.driver.is_mariadb)

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        with self.share_moment(()):
            yield

    @contextmanager
    def share_moment(self, others: Sequence[MySql]) -> Iterator[Sequence[MySql]]:
        asked = (self, *others)
        places = see_one_moment([each.fetch for each in asked], is_mariadb=self.driver.is_mariadb)
        try:
            for each, place in zip(asked, places, strict=True):
                each.place, each.in_moment = place, True
            yield tuple(each for each in asked if each is self or (each.place is not None and each.place == self.place))
        finally:
            for each in asked:
                each.place, each.in_moment = None, False
                with suppress(ElError):
                    each._rollback()

    @property
    def session(self) -> str | None:  # type: ignore[override]
        return str(self.driver.connection.thread_id()) if self.is_open else None

    def pressure(self) -> Pressure:
        return read_pressure(self.fetch)

    def waiting_for(self, session: str) -> int | None:
        return seconds_waited_for(self.fetch, session)

    def local_clock(self) -> bool:
        zone, system = self.fetch(Statement("SELECT @@GLOBAL.time_zone, @@system_time_zone"))[0]
        return str(system if str(zone).upper() == "SYSTEM" else zone).upper() not in _IN_UTC

    def oldest_writer(self) -> Writer | None:
        # InnoDB tells times by the clock of the machine, whatever the server's zone.
        found, at = self._sees_writers().fetch(
            Statement(
                "SELECT TIMESTAMPDIFF(SECOND, MIN(trx_started), CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')), "
                f"CAST(LEAST(UTC_TIMESTAMP(), {LOCAL_TIME}) AS CHAR) "
                "FROM information_schema.innodb_trx WHERE trx_rows_modified > 0"
            )
        )[0]
        if found is None:
            return None
        age = timedelta(seconds=max(0, int(str(found))))
        since = datetime.fromisoformat(str(at)) - age - timedelta(seconds=1)
        return Writer(age, since.isoformat(timespec="seconds"))

    def rights(self, needs: SourceNeeds | WarehouseNeeds) -> str:
        signed_in = None
        # Whoever may give rights to others is nobody to be given some.
        if self.is_open and not any(held.name == "GRANT OPTION" for held in held_by(self.fetch)):
            signed_in = self.ping().user
        return script(needs, signed_in, by_iam=self.config.auth == "iam")

    def checks(self, needs: SourceNeeds | WarehouseNeeds) -> Sequence[Check]:
        assert isinstance(needs, SourceNeeds)
        found = MySqlChecks(self.fetch, self.config, needs, is_mariadb=self.driver.is_mariadb)
        return collected(chain(found.all(), self._writer_checks(), log_checks(ServerLog(self), needs)))

    def certificate(self) -> bytes | None:
        return self.driver.certificate()

    def utc_now(self) -> datetime | None:
        return datetime.fromisoformat(str(self.fetch(Statement("SELECT CAST(UTC_TIMESTAMP(3) AS CHAR)"))[0][0]))

    def writer(self) -> type[MySqlWrite]:
        from el.connectors.mysql.write import MySqlWrite

        return MySqlWrite

    def translate(self, error: Exception, *, writing: bool = False) -> ElError:
        return statement_error(error, writing=writing)
