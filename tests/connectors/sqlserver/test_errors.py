"""What is said where there is no connection to SQL Server: each cause its own line, exit code 3, both readers."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest

from el.connectors.registry import open_connector
from el.connectors.sqlserver.config import SqlServerConfig
from el.connectors.sqlserver.errors import clean, connect_error, statement_error
from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConfigError,
    ConnectError,
    DatabaseMissing,
    DriverMissing,
    NotPermitted,
    ReadError,
    ServerUnreachable,
    WriteError,
)

READERS = ("mssql-python", "pyodbc")
SECRET = "Gehe1m;und=lang}{"


def refused(output: dict[str, Any]) -> ConnectError:
    connector = open_connector(output)
    with pytest.raises(ConnectError) as failed, connector:
        pass
    error = failed.value
    assert error.exit_code == 3
    assert "\n" not in str(error)
    assert SECRET not in str(error)
    return error


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"password": SECRET}, AuthenticationFailed, "refused user 'sa': check user and password"),
        ({"database": "no_such_database"}, DatabaseMissing, "database 'no_such_database' does not exist"),
        ({"port": 1, "login_timeout": 1}, ServerUnreachable, "nobody answers as SQL Server at 127.0.0.1:1"),
        ({"trust_cert": False}, CertificateUntrusted, "its certificate is not trusted here"),
    ],
    ids=["wrong password", "no database", "no server", "untrusted certificate"],
)
def test_each_refusal_has_its_own_words(
    sqlserver_server: dict[str, Any], reader: str, changes: dict[str, Any], kind: type[ConnectError], says: str
) -> None:
    error = refused({**sqlserver_server, "reader": reader, **changes})
    assert type(error) is kind
    assert says in str(error)


@pytest.mark.parametrize("reader", READERS)
def test_a_driver_that_is_not_installed_is_named_with_what_installs_it(
    sqlserver_server: dict[str, Any], reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = reader.replace("-", "_")
    monkeypatch.setitem(sys.modules, module, None)
    error = refused({**sqlserver_server, "reader": reader})
    assert isinstance(error, DriverMissing)
    assert str(error).startswith(reader)
    assert 'pip install "el-loader[sqlserver]"' in str(error)


@pytest.mark.parametrize(
    ("reader", "library", "package"),
    [
        ("mssql-python", "libltdl.so.7", "libltdl7"),
        ("mssql-python", "libgssapi_krb5.so.2", "libgssapi-krb5-2"),
        ("pyodbc", "libodbc.so.2", "unixodbc"),
    ],
)
def test_a_missing_system_library_is_named_with_its_package(
    sqlserver_server: dict[str, Any], reader: str, library: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, original = reader.replace("-", "_"), builtins.__import__

    def importing(name: str, *rest: Any, **more: Any) -> Any:
        if name == module:
            # As the dynamic linker says it.
            raise ImportError(f"{library}: cannot open shared object file: No such file or directory")
        return original(name, *rest, **more)

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(builtins, "__import__", importing)
    error = connect_error_of(reader, sqlserver_server)
    assert isinstance(error, DriverMissing)
    assert f"apt-get install {package}" in str(error)


def connect_error_of(reader: str, output: dict[str, Any]) -> ConnectError:
    connector = open_connector({**output, "reader": reader})
    with pytest.raises(ConnectError) as failed:
        connector.connect()
    return failed.value


def test_an_odbc_driver_that_is_not_there_is_named_with_those_that_are(sqlserver_server: dict[str, Any]) -> None:
    error = refused({**sqlserver_server, "reader": "pyodbc", "driver": "No Such Driver 99"})
    assert isinstance(error, DriverMissing)
    assert "there is no ODBC driver 'No Such Driver 99' here; installed are: " in str(error)


def test_a_data_source_name_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODBCINI", str(tmp_path / "odbc.ini"))
    error = refused({"type": "sqlserver", "reader": "pyodbc", "dsn": "nowhere", "user": "sa", "password": SECRET})
    assert "DSN nowhere" in str(error)


def test_a_data_source_name_over_freetds_reads(
    sqlserver_server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = sorted(Path("/usr/lib").glob("*/odbc/libtdsodbc.so"))
    if not libraries:
        pytest.skip("FreeTDS is not installed: apt-get install tdsodbc")
    host, port = sqlserver_server["host"], sqlserver_server["port"]
    (tmp_path / "odbc.ini").write_text(
        f"[shop]\nDriver={libraries[0]}\nServer={host}\nPort={port}\nTDS_Version=7.4\nClientCharset=UTF-8\n"
    )
    monkeypatch.setenv("ODBCINI", str(tmp_path / "odbc.ini"))
    output = {"type": "sqlserver", "reader": "pyodbc", "dsn": "shop", "database": "master"}
    signed_in = {name: sqlserver_server[name] for name in ("user", "password")}
    with open_connector({**output, **signed_in}) as connector:
        assert connector.ping().database == "master"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"host": None}, "give `host`"),
        ({"user": None}, "give `user` and `password`"),
        ({"dsn": "shop"}, "a `dsn` needs `reader: pyodbc`"),
        ({"reader": "jdbc"}, "reader"),
    ],
)
def test_a_profile_that_cannot_work_is_refused_before_any_connection(changes: dict[str, Any], says: str) -> None:
    output = {"type": "sqlserver", "host": "db", "user": "sa", "password": SECRET, **changes}
    with pytest.raises(ConfigError, match=says) as failed:
        open_connector(output)
    assert SECRET not in str(failed.value)


def test_encryption_is_on_and_certificates_are_checked_unless_the_profile_says_otherwise() -> None:
    keywords = SqlServerConfig(host="db", user="sa").keywords()
    assert (keywords["Encrypt"], keywords["TrustServerCertificate"]) == ("yes", "no")


@pytest.mark.parametrize(
    ("text", "writing", "kind", "retryable"),
    [
        ("Transaction (Process ID 5) was deadlocked on lock resources (1205)", False, ReadError, True),
        ("Transaction (Process ID 5) was deadlocked on lock resources (1205)", True, WriteError, True),
        ("Lock request time out period exceeded.", False, ReadError, True),
        ("The SELECT permission was denied on the object 'T'", False, NotPermitted, False),
        ("Invalid object name 'T'.", False, ReadError, False),
    ],
)
def test_a_statements_error_says_whether_to_try_again(
    text: str, writing: bool, kind: type[Exception], retryable: bool
) -> None:
    error = statement_error(RuntimeError("42000", f"[42000] [Microsoft][SQL Server]{text}"), writing=writing)
    assert type(error) is kind
    assert error.retryable is retryable
    assert "[" not in str(error)


def test_a_connection_string_in_a_drivers_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("08001", "[08001] cannot open Server=db;UID=sa;PWD={Gehe1m;und=lang}}{};Encrypt=yes")
    assert clean(error).endswith("PWD=***;Encrypt=yes")
    config = SqlServerConfig(host="db", user="sa", password=SECRET)  # type: ignore[arg-type]
    assert "Gehe1m" not in str(connect_error(error, config))
