"""One client's connection from PRELOGIN to its end ([MS-TDS] 3.3: server details), and the answers to its requests.

Guarantees: every request gets exactly one message in answer, ended by a DONE without MORE; an attention is
acknowledged once; a statement's error goes out under SQL Server's number.
"""

from __future__ import annotations

import socket
import struct
import traceback
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from . import bulk, packets, rpc, tokens
from .errors import INTERRUPTED, SqlError, from_duckdb
from .faults import FaultyWire
from .languages import ENGLISH, told
from .packets import Channel, Disconnected, Login
from .session import Session
from .wire import Column, column_metadata
from .wire_read import Reader
from .wire_write import encode_rows

if TYPE_CHECKING:
    from .server import SqlServerStandIn

SERVER_NAME = "standin"
# Bytes of rows that go out between two looks at what the client wants.
SLICE = 1 << 18
BEGIN, COMMIT, ROLLBACK, SAVE = 5, 7, 8, 9


class Cancelled(Exception):
    """The client sent an attention."""


class Connection:
    """Is the session's `Output`."""

    def __init__(self, server: SqlServerStandIn, sock: socket.socket) -> None:
        self.server = server
        self.wire = FaultyWire(server.faults)
        self.channel = Channel(sock, self.wire.sent)
        self.session: Session | None = None
        self.done_token = tokens.DONE
        self._held: tuple[int, int, str, int | None] | None = None
        self._failing = False
        self._bulk: bulk.Target | None = None

    def serve(self) -> None:
        try:
            if self._open():
                while True:
                    self._answer(*self.channel.message())
        except Disconnected:
            pass
        except Exception:
            # A defect of the stand-in: the client sees a cut line, the test's output the reason.
            if not self.server.stopping:
                traceback.print_exc()
        finally:
            self.channel.cut()
            if self.session is not None:
                self.session.close()

    # --- opening

    def _open(self) -> bool:
        kind, _, body = self.channel.message()
        if kind != packets.PRELOGIN:
            raise Disconnected("not a PRELOGIN")
        asked = packets.parse_prelogin(body).get(1, b"\x02")[0]
        agreed = packets.agree_encryption(asked, self.server.context is not None)
        self.channel.write(packets.prelogin_answer(agreed))
        self.channel.end()
        if agreed != packets.ENCRYPT_NOT_SUP and self.server.context is not None:
            self.channel.start_tls(self.server.context)
        kind, _, body = self.channel.message()
        if kind != packets.LOGIN7:
            raise Disconnected("not a LOGIN7")
        if agreed == packets.ENCRYPT_OFF:
            self.channel.stop_tls()
        return self._login(packets.parse_login7(body), agreed == packets.ENCRYPT_ON)

    def _login(self, login: Login, encrypted: bool) -> bool:
        """The answer to LOGIN7 ([MS-TDS] 3.3.5.3)."""
        refused = self._refusal(login)
        if refused:
            for problem in refused:
                self.channel.write(tokens.error(told(problem, self._language()), SERVER_NAME))
            self.channel.write(tokens.done(tokens.DONE, tokens.ERROR))
            self.channel.end()
            return False
        database = self.server.engine.database(login.database or "master").name
        session = self.session = Session(self.server, self, login.user, database)
        session.application, session.host, session.encrypted = login.application, login.host, encrypted
        self._first_database = database
        changed = SqlError(5701, f"Changed database context to '{database}'.", 0, 2)
        language = SqlError(5703, "Changed language setting to us_english.", 0)
        self.channel.write(
            tokens.database_changed(database, "master")
            + tokens.error(changed, SERVER_NAME)
            + tokens.collation_changed()
            + tokens.language_changed()
            + tokens.error(language, SERVER_NAME)
            + tokens.login_ack(login.tds_version)
            + tokens.packet_size_changed(login.packet_size, self.channel.packet_size)
            + (tokens.feature_ext_ack() if login.features else b"")
            + tokens.done(tokens.DONE, tokens.FINAL)
        )
        self.channel.end()
        self.channel.packet_size = login.packet_size
        return True

    def _refusal(self, login: Login) -> list[SqlError]:
        failed = SqlError(18456, f"Login failed for user '{login.user}'.", 14)
        if login.integrated:
            text = (
                "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication."
            )
            return [SqlError(18452, text, 14)]
        known = {name.lower(): password for name, password in self.server.users.items()}
        if known.get(login.user.lower()) != login.password:
            return [failed]
        if problem := self.server.faults.login_error(failed):
            return [problem]
        if login.database and login.database.lower() not in self.server.engine.databases:
            text = f'Cannot open database "{login.database}" requested by the login. The login failed.'
            return [SqlError(4060, text, 11), failed]
        if login.database and login.user.lower() not in self.server.sysadmins:
            database = self.server.engine.database(login.database)
            if database.name not in ("master", "tempdb") and login.user.lower() not in database.users.values():
                text = f'Cannot open database "{login.database}" requested by the login. The login failed.'
                return [SqlError(4060, text, 11), failed]
        return []

    # --- requests

    def _answer(self, kind: int, status: int, body: bytes) -> None:
        assert self.session is not None
        if kind == packets.ATTENTION:
            self._acknowledge()
            return
        if status & 0x18:
            self._reset(keep_transaction=bool(status & 0x10))
        self._held, self._failing, self.done_token = None, False, tokens.DONE
        try:
            if kind == packets.BATCH:
                self._batch(Reader(body, headers_end(body)).rest().decode("utf-16-le"))
            elif kind == packets.RPC:
                rpc.answer(self, self.session, Reader(body, headers_end(body)))
            elif kind == packets.BULK and self._bulk is not None:
                target, self._bulk = self._bulk, None
                self.done("BULK", bulk.load(self.session, target, body))
            elif kind == packets.TRANSACTION:
                self._transaction(Reader(body, headers_end(body)))
            else:
                raise Disconnected(f"message type {kind} is not known")
        except Cancelled:
            self._cancelled()
            return
        except SqlError as problem:
            if problem.number == INTERRUPTED:
                self._cancelled()
                return
            self.failed(problem)
        except duckdb.Error as error:
            self.failed(from_duckdb(error))
        except (EOFError, ValueError, OverflowError) as error:
            text = f"The incoming tabular data stream (TDS) protocol stream is incorrect: {error}"
            self.failed(SqlError(8016, text, 16))
        if self.channel.attended():
            self._cancelled()
            return
        self._release(more=False)
        self.channel.end()

    def _batch(self, sql: str) -> None:
        assert self.session is not None
        self.wire.statement(sql, self.wait)
        if sql.startswith("sp_"):
            # A procedure that comes first in a batch needs no EXECUTE (Microsoft Learn, "EXECUTE").
            sql = f"EXEC {sql}"
        target = bulk.parse_insert_bulk(sql)
        if target is not None:
            self._bulk = target
            self.done("", None)
            return
        if not bulk.destination(self.session, sql):
            self.session.run(sql)
        if self._held is None:
            self.done("", None)

    def _transaction(self, reader: Reader) -> None:
        """Transaction manager requests ([MS-TDS] 2.2.6.9)."""
        session = self.session
        assert session is not None
        request = reader.ushort()

        def begin() -> None:
            level = reader.byte()
            if level:
                session.isolation = level
            session.begin()

        if request == BEGIN:
            begin()
        elif request in (COMMIT, ROLLBACK):
            name = reader.b_varchar()
            if request == COMMIT:
                session.commit()
            else:
                session.rollback(*[name] if name else [])
            if reader.byte() & 1:
                begin()
        elif request == SAVE:
            session.savepoint(reader.b_varchar())
        else:
            raise SqlError(40000, f"The stand-in does not know transaction manager request {request}.")
        self.done("", None)

    def _reset(self, keep_transaction: bool) -> None:
        """RESETCONNECTION, RESETCONNECTIONSKIPTRAN ([MS-TDS] 2.2.3.1.2): a pooled connection is handed out again."""
        session = self.session
        assert session is not None
        if session.depth and not keep_transaction:
            session.rollback()
        session.reset()
        session.database = self.server.engine.database(self._first_database)
        self.channel.write(tokens.reset_acknowledged())

    def _cancelled(self) -> None:
        if self.channel.attended(wait=True):
            # What stands in the queue ends with a whole token; the statement's own DONE is dropped.
            self._held = None
            self._acknowledge()

    def _acknowledge(self) -> None:
        self.channel.attention = False
        self.channel.write(tokens.done(tokens.DONE, tokens.ATTENTION))
        self.channel.end()

    def wait(self, seconds: float) -> None:
        """Waits as long as the client does not ask to stop."""
        if self.channel.readable(seconds) and self.channel.attended():
            raise Cancelled

    # --- the session's Output

    def rows(self, columns: list[Column], reader: pa.RecordBatchReader) -> int:
        self.write(column_metadata(columns))
        count = 0
        try:
            while True:
                try:
                    batch = self.server.interruptible(self.session, reader.read_next_batch)
                except StopIteration:
                    return count
                if not batch.num_rows:
                    continue
                data, ends = encode_rows(columns, batch)
                for start, stop, rows in self.wire.slices(ends, SLICE):
                    if self.channel.attended():
                        raise Cancelled
                    self.channel.write(data[start:stop])
                    count += rows
                    self.wire.rows_sent(self.channel, rows, self.wait)
        finally:
            reader.close()

    def done(self, command: str, count: int | None) -> None:
        self._release(more=True)
        self._held = (self.done_token, tokens.ERROR if self._failing else 0, command, count)
        self._failing = False

    def info(self, problem: SqlError) -> None:
        if problem.number == INTERRUPTED:
            raise Cancelled
        self.write(tokens.error(told(problem, self._language()), SERVER_NAME))
        self._failing = problem.severity > 10

    def _language(self) -> str:
        """The session's, or the server's own before there is a session."""
        return self.session.language if self.session else str(self.server.faults.told.get("language", ENGLISH))

    def env(self, token: bytes) -> None:
        self.write(token)

    def write(self, data: bytes) -> None:
        """Tokens of the answer, after the DONE of the statement before."""
        self._release(more=True)
        self.channel.write(data)

    def failed(self, problem: SqlError) -> None:
        """An error that ends the request, and its DONE."""
        self.write(tokens.error(told(problem, self._language()), SERVER_NAME))
        self._held = (self.done_token, tokens.ERROR, "", None)

    def _release(self, more: bool) -> None:
        if self._held is not None:
            token, status, command, count = self._held
            self._held = None
            self.channel.write(
                tokens.done(token, status | (tokens.MORE if more else 0), tokens.COMMANDS.get(command, 0), count)
            )


def headers_end(body: bytes) -> int:
    """Where ALL_HEADERS ([MS-TDS] 2.2.5.3) end."""
    return int(struct.unpack_from("<I", body)[0])
