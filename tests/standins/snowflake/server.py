"""The HTTP side: fakesnow's routes, with logins, several statements in one call, query tags, and errors as answers.

No request ends in HTTP 500: the connector retries those for minutes. Statements of one session run one after another.
"""

from __future__ import annotations

import gzip
import json
import re
import uuid
from pathlib import Path
from typing import Any

import fakesnow.server as fake
import sqlglot
from snowflake.connector.errors import Error
from sqlglot.tokens import TokenType
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import patches
from .engine import Account, Session
from .errors import unsupported
from .running import RunningStatements

Answer = dict[str, Any]


async def _same_checksums(_request: Request) -> Response:
    """Stages are encrypted by the server from now on: see `Statement._forget_replaced_files`."""
    Session.same_checksums = True
    return Response()


async def _misread(request: Request) -> Response:
    """COPY reads delimited text otherwise from now on: one of `delimited.MISREADINGS`, or as documented."""
    Session.misreads = (await _json_body(request))["how"]
    return Response()


def build_app(stages: Path, db_path: Path | None, database: str, schema: str, password: str | None) -> Starlette:
    """The ASGI application of one stand-in; `password` None accepts every password."""
    patches.install(stages)
    server = _Server(Account(db_path, database, schema), password)
    routes = [
        Route("/session/v1/login-request", server.login, methods=["POST"]),
        Route("/session", server.session, methods=["POST"]),
        Route("/session/heartbeat", fake.session, methods=["POST"]),
        Route("/session/heartbeat-request", fake.session, methods=["POST"]),
        Route("/queries/v1/query-request", server.query, methods=["POST"]),
        Route("/queries/v1/abort-request", server.abort, methods=["POST"]),
        Route("/queries/{id}/result", server.result, methods=["GET"]),
        Route("/monitoring/queries/{sfqid}", fake.monitoring_query, methods=["GET"]),
        Route("/telemetry/send", lambda _: JSONResponse({"success": True, "data": None}), methods=["POST"]),
        Route("/standin/queries", server.list_queries, methods=["GET"]),
        Route("/standin/logins", server.list_logins, methods=["GET"]),
        Route("/standin/end-sessions", server.end_sessions, methods=["POST"]),
        Route("/standin/fail", server.add_failure, methods=["POST"]),
        Route("/standin/same-checksums", _same_checksums, methods=["POST"]),
        Route("/standin/misread", _misread, methods=["POST"]),
        Route("/standin/slow", server.add_slowness, methods=["POST"]),
        Route("/standin/refuse-login", server.refuse_login, methods=["POST"]),
    ]
    return Starlette(routes=routes)


def split_statements(sql: str) -> list[str]:
    """The statements of `sql`, which semicolons part, without those that are only comments."""
    starts, statements = 0, []
    ends = [t.start for t in sqlglot.tokenize(sql, read="snowflake") if t.token_type is TokenType.SEMICOLON]
    for end in [*ends, len(sql)]:
        part = sql[starts:end]
        if sqlglot.tokenize(part, read="snowflake"):
            statements.append(part.strip())
        starts = end + 1
    return statements


async def _json_body(request: Request) -> Answer:
    body = await request.body()
    return json.loads(gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body)


def _failure(code: int, sqlstate: str | None, message: str) -> Answer:
    text = f"{code:06d}"
    return {
        "success": False,
        "code": text,
        "message": message,
        "data": {"errorCode": text, "sqlState": sqlstate},
    }


class _Server:
    def __init__(self, account: Account, password: str | None) -> None:
        self.account, self.password = account, password
        self.queries: list[tuple[str, str, str, str]] = []
        self.logins: list[Answer] = []
        self.running = RunningStatements()
        self.refusals: list[Answer] = []
        self.failures: list[Answer] = []
        self.results: dict[str, Answer] = {}

    async def login(self, request: Request) -> JSONResponse:
        data = (await _json_body(request))["data"]
        # a key pair (SNOWFLAKE_JWT) and a token come as TOKEN and are accepted unchecked
        if self.password is not None and not data.get("TOKEN") and data.get("PASSWORD") != self.password:
            return JSONResponse(_failure(390100, "08001", "Incorrect username or password was specified."))
        if self.refusals:
            refusal = self.refusals.pop(0)
            return JSONResponse(_failure(refusal["number"], "08001", refusal["message"]))
        query, parameters = request.query_params, data.get("SESSION_PARAMETERS") or {}
        names = {key: value and fake.normalise_ident(value) for key, value in query.items()}
        user, role = str(data.get("LOGIN_NAME", "")).upper(), names.get("roleName") or "PUBLIC"
        if not self.account.rights.may_take(user, role):
            text = f"Role '{role}' specified in the connect string is not granted to this user."
            return JSONResponse(_failure(390189, "08001", text))
        session = await run_in_threadpool(
            self.account.open,
            names.get("databaseName"),
            (names.get("schemaName") or "").rpartition(".")[2].strip('"') or None,
            user=user,
            role=role,
            warehouse=names.get("warehouse") or "",
            autocommit=parameters.get("AUTOCOMMIT", True),
        )
        session.parameters = {str(k).upper(): str(v) for k, v in parameters.items()}
        self.logins.append(session.parameters | {"AUTHENTICATOR": str(data.get("AUTHENTICATOR", ""))})
        token = uuid.uuid4().hex
        fake.sessions[token] = session
        answer = {
            "token": token,
            "masterToken": uuid.uuid4().hex,
            "validityInSeconds": 86400,
            "masterValidityInSeconds": 86400,
            "sessionId": int(session.id, 16),
            "serverVersion": fake.SERVER_VERSION,
            "parameters": [
                {"name": "AUTOCOMMIT", "value": session._autocommit},
                {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
            ],
            "sessionInfo": {
                "databaseName": session.database if session.database_set else None,
                "schemaName": session.schema if session.schema_set else None,
                "warehouseName": session.warehouse or None,
                "roleName": session.role,
            },
        }
        return JSONResponse({"data": answer, "success": True})

    async def session(self, request: Request) -> JSONResponse:
        if request.query_params.get("delete"):
            session = fake.sessions.pop(fake.to_token(request), None)
            if isinstance(session, Session):
                await run_in_threadpool(session.end)
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    async def abort(self, request: Request) -> JSONResponse:
        self.running.abort(str((await _json_body(request)).get("requestId")))
        if session := fake.sessions.get(fake.to_token(request)):
            session._duck_conn.interrupt()
        return JSONResponse({"data": None, "success": True})

    async def query(self, request: Request) -> JSONResponse:
        session = fake.sessions.get(fake.to_token(request))
        if not isinstance(session, Session):
            return JSONResponse(_failure(390111, "08003", "Session no longer exists. New login required."))
        body = await _json_body(request)
        await run_in_threadpool(session.lock.acquire)
        try:
            return JSONResponse(await self._run_all(request, session, body))
        finally:
            session.lock.release()

    async def _run_all(self, request: Request, session: Session, body: Answer) -> Answer:
        sql, parameters = body["sqlText"], body.get("parameters") or {}
        tag = str(parameters.get("QUERY_TAG") or session.parameters.get("QUERY_TAG", ""))
        try:
            statements = split_statements(sql)
        except Exception as error:
            return self._record(tag, body, _failure(1003, "42000", f"SQL compilation error:\n{error}"))
        wanted = int(parameters.get("MULTI_STATEMENT_COUNT", 1))
        if len(statements) != wanted and wanted != 0:
            message = f"Actual statement count {len(statements)} did not match the desired statement count {wanted}."
            return self._record(tag, body, _failure(8, "0A000", message))
        if len(statements) <= 1:
            return self._record(tag, body, await self._run(request, session, {**body, "sqlText": sql.rstrip("; \n\t")}))
        ids = []
        for statement in statements:
            one = {**body, "sqlText": statement}
            answer = self._record(tag, one, await self._run(request, session, one))
            if not answer["success"]:  # such errors come without their own number
                return _failure(100132, "P0000", f"JavaScript execution error: {answer['message']}")
            ids.append(answer["data"].setdefault("queryId", str(uuid.uuid4())))
            self.results[ids[-1]] = answer
        last = {**answer["data"], "resultIds": ",".join(ids), "resultTypes": ",".join(["0"] * len(ids))}
        return {"data": last, "success": True}

    def _record(self, tag: str, body: Answer, answer: Answer) -> Answer:
        error = "" if answer["success"] else answer["message"]
        self.queries.append((tag, body["sqlText"], error, json.dumps(body.get("bindings") or {})))
        return answer

    async def _run(self, request: Request, session: Session, body: Answer) -> Answer:
        """One statement through fakesnow's own handler. Every failure becomes an answer."""
        sql = body["sqlText"]
        parameters = {**session.parameters, **(body.get("parameters") or {})}
        limit = float(parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", 0))
        request_id = request.query_params.get("requestId", "")
        ended = await self.running.take_its_time(sql, str(parameters.get("QUERY_TAG", "")), request_id, limit)
        if ended is not None:
            return _failure(*ended)
        body = {**body, "sqlText": self.running.rewritten(sql)}
        failure = next((f for f in self.failures if re.search(f["pattern"], sql, re.IGNORECASE)), None)
        if failure:
            failure["times"] -= 1
            self.failures = [f for f in self.failures if f["times"] > 0]
        injected = failure and _failure(failure["number"], "XX000", f"SQL execution error: {failure['message']}")
        if injected and not failure["after"]:
            return injected
        headers = [
            (k, v) for k, v in request.scope["headers"] if k.lower() not in {b"content-encoding", b"content-length"}
        ]

        async def receive() -> Answer:
            return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

        try:
            response = await fake.query_request(Request({**request.scope, "headers": headers}, receive))
            answer: Answer = json.loads(bytes(response.body))
            if response.status_code != 200:
                answer = _failure(2, "0A000", str(unsupported(answer.get("message"), sql).msg))
        except Exception as error:
            known = error if isinstance(error, Error) else unsupported(f"{type(error).__name__}: {error}", sql)
            answer = _failure(known.errno or 2, known.sqlstate, str(known.msg))
        return injected or answer

    async def result(self, request: Request) -> JSONResponse:
        return JSONResponse(
            self.results.pop(request.path_params["id"], None) or _failure(709, "02000", "Statement not found")
        )

    async def list_queries(self, request: Request) -> JSONResponse:
        return JSONResponse(self.queries)

    async def list_logins(self, request: Request) -> JSONResponse:
        return JSONResponse(self.logins)

    async def end_sessions(self, _request: Request) -> Response:
        for token, session in list(fake.sessions.items()):
            if isinstance(session, Session) and session.lock.acquire(blocking=False):
                fake.sessions.pop(token, None)
                await run_in_threadpool(session.end)
                session.lock.release()
        return Response()

    async def add_slowness(self, request: Request) -> Response:
        self.running.slow.append(await _json_body(request))
        return Response()

    async def refuse_login(self, request: Request) -> Response:
        self.refusals.append(await _json_body(request))
        return Response()

    async def add_failure(self, request: Request) -> Response:
        self.failures.append(await _json_body(request))
        return Response()
