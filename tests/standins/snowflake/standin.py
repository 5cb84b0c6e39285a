"""The client's side of the stand-in: starts one server process, says how to connect to it, and always ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.request import Request, urlopen

_PROJECT = Path(__file__).resolve().parents[3]


class Query(NamedTuple):
    """A statement that reached the server: its QUERY_TAG ('' if none), its text, its error ('' if it succeeded).

    bindings: its parameters as JSON.
    """

    tag: str
    sql: str
    error: str
    bindings: str = ""


class SnowflakeStandIn:
    """One stand-in server with its own data, in a process of its own.

    db_path: a directory that keeps databases and stages between starts; None keeps everything in memory.
    database, schema: exist from the start. No other database does; CREATE DATABASE makes more.
    password: any other is refused with Snowflake's error 390100; key pairs and tokens are accepted unchecked.
    """

    def __init__(
        self,
        *,
        db_path: str | Path | None = None,
        database: str = "EL",
        schema: str = "PUBLIC",
        user: str = "EL_USER",
        password: str = "stand-in password",
        port: int = 0,
    ) -> None:
        self.db_path, self.database, self.schema = db_path, database, schema
        self.user, self.password, self.port = user, password, port
        self._process: subprocess.Popen[str] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server. Raises RuntimeError with its output if it does not come up."""
        self._scratch = tempfile.TemporaryDirectory(prefix="snowflake_standin_")
        command = [
            sys.executable,
            "-m",
            "tests.standins.snowflake",
            "--port",
            str(self.port),
            "--until-stdin-closes",
        ]
        command += ["--database", self.database, "--schema", self.schema]
        command += ["--stages", str(Path(self.db_path or self._scratch.name) / "_stages")]
        if self.db_path is not None:
            Path(self.db_path).mkdir(parents=True, exist_ok=True)
            command += ["--db-path", str(self.db_path)]
        log = Path(self._scratch.name) / "server.log"
        with log.open("w") as stderr:
            self._process = subprocess.Popen(
                command,
                cwd=_PROJECT,
                env={**os.environ, "SNOWFLAKE_STANDIN_PASSWORD": self.password},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        if not ready:
            output = log.read_text()
            self.stop()
            raise RuntimeError(f"the Snowflake stand-in did not start:\n{output}")
        self.port = int(json.loads(ready)["port"])

    def stop(self) -> None:
        """Ends the server, whatever it is doing; open transactions are rolled back."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def connection_parameters(self, **changes: Any) -> dict[str, Any]:
        """Keyword arguments for `snowflake.connector.connect`; `changes` are laid over them."""
        return {
            "account": "standin",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "schema": self.schema,
            "warehouse": "LOADING",
            "role": "LOADER",
            "login_timeout": 10,
            "network_timeout": 20,
            "session_parameters": {
                "CLIENT_TELEMETRY_ENABLED": False,
                "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
            },
            **changes,
        }

    def dbt_output(self, **changes: Any) -> dict[str, Any]:
        """A dbt profile output of type snowflake."""
        names = (
            "account",
            "host",
            "port",
            "protocol",
            "user",
            "password",
            "database",
            "schema",
            "warehouse",
            "role",
        )
        parameters = self.connection_parameters()
        return {
            "type": "snowflake",
            **{name: parameters[name] for name in names},
            "threads": 4,
            "connect_retries": 0,
            **changes,
        }

    def dlt_credentials(self, **changes: Any) -> dict[str, Any]:
        """Credentials for `dlt.destinations.snowflake`. dlt's `host` is the account; the address is in `query`."""
        parameters = self.connection_parameters()
        extra = ("host", "port", "protocol", "login_timeout", "network_timeout")
        return {
            "database": self.database,
            "host": parameters["account"],
            "username": self.user,
            "password": self.password,
            "warehouse": parameters["warehouse"],
            "role": parameters["role"],
            "query": {name: parameters[name] for name in extra},
            **changes,
        }

    @property
    def queries(self) -> list[Query]:
        """Every statement since the start, oldest first."""
        with urlopen(f"http://127.0.0.1:{self.port}/standin/queries", timeout=10) as answer:
            return [Query(*entry) for entry in json.load(answer)]

    @property
    def logins(self) -> list[dict[str, str]]:
        """Every login since the start, oldest first: its session parameters, and AUTHENTICATOR."""
        with urlopen(f"http://127.0.0.1:{self.port}/standin/logins", timeout=10) as answer:
            found: list[dict[str, str]] = json.load(answer)
            return found

    def fail(
        self,
        pattern: str,
        *,
        times: int = 1,
        after: bool = False,
        message: str = "injected failure",
        number: int = 603,
    ) -> None:
        """The next `times` statements that match the regular expression end in an error, by default 000603 (internal).

        after: False fails before the statement runs; True lets it run, and commit, and loses the answer.
        """
        self._tell("fail", {"pattern": pattern, "times": times, "after": after, "message": message, "number": number})

    def slow(self, pattern: str, seconds: float, *, times: int = 1) -> None:
        """The next `times` statements that match take so long before they do anything, and can be ended meanwhile."""
        self._tell("slow", {"pattern": pattern, "seconds": seconds, "times": times})

    def keep_checksums(self) -> None:
        """From now on a file that is put again is the same to COPY, which then skips it unless FORCE is said."""
        self._tell("same-checksums", {})

    def misread(self, how: str | None) -> None:
        """COPY reads text otherwise than documented from now on: `delimited.MISREADINGS`; None ends it."""
        self._tell("misread", {"how": how})

    def refuse_login(self, number: int, message: str) -> None:
        """The next login is refused with this error of Snowflake's."""
        self._tell("refuse-login", {"number": number, "message": message})

    def _tell(self, what: str, body: dict[str, Any]) -> None:
        url = f"http://127.0.0.1:{self.port}/standin/{what}"
        urlopen(Request(url, data=json.dumps(body).encode(), method="POST"), timeout=10).close()

    def end_sessions(self) -> None:
        """Ends every session that runs nothing now and rolls it back, as Snowflake does hours after a client died."""
        url = f"http://127.0.0.1:{self.port}/standin/end-sessions"
        urlopen(Request(url, data=b"", method="POST"), timeout=30).close()
