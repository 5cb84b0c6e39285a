"""A connection that is refused says why in one line, with exit code 3, and no secret stands anywhere."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from el.connectors.registry import open_connector
from el.connectors.sql.select import Statement
from el.errors import ElError
from tests.conformance.conftest import Place
from tests.conformance.facts import Facts


def refused(output: dict[str, Any]) -> ElError:
    connector = open_connector(output)
    with pytest.raises(ElError) as failed, connector:
        pass
    connector.close()
    return failed.value


def test_each_refusal_has_its_class_its_words_and_exit_code_3(
    facts: Facts, outputs: Callable[[Facts], dict[str, Any]]
) -> None:
    for changes, kind, says in facts.refused:
        error = refused({**outputs(facts), **changes})
        assert type(error) is kind, error
        assert says in str(error)
        assert error.exit_code == 3
        assert "\n" not in str(error)


def everything_said(error: BaseException) -> str:
    """The error and all that hangs on it, also what `from None` hides, with every local variable of every frame."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is not None and found not in seen:
            seen.append(found)
            waiting += [found.__context__, found.__cause__]
    texts = []
    for found in seen:
        one = traceback.TracebackException.from_exception(found, capture_locals=True)
        # The test's own frames hold the secret, for they gave it.
        frames = [frame for frame in one.stack if "/tests/" not in frame.filename]
        texts += [repr(found), str(found), repr(getattr(found, "args", "")), *traceback.format_list(frames)]
        texts += [f"{name}={value}" for frame in frames for name, value in (frame.locals or {}).items()]
    return "\n".join(texts)


def test_no_secret_is_in_repr_log_error_or_traceback(
    facts: Facts, outputs: Callable[[Facts], dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    output = outputs(facts)
    assert "password" in output, "there is no secret to look for"
    secret = "Gehe1m;und=lang}{"
    with caplog.at_level(logging.DEBUG):
        for changes in ({"password": secret}, {"password": secret, "port": 1, "login_timeout": 1}):
            connector = open_connector({**output, **changes})
            with pytest.raises(ElError) as failed, connector:
                pass
            assert secret not in repr(connector)
            assert secret not in str(connector.config)
            assert secret not in everything_said(failed.value)
            assert secret.replace("}", "}}") not in everything_said(failed.value)
    assert secret not in caplog.text


def test_no_token_of_a_duckdb_path_or_setting_is_in_repr_error_or_traceback() -> None:
    secret = "Gehe1m"
    for path, settings in (("/no/such/x.duckdb?motherduck_token=" + secret, {}), ("/no/such/x", {"s3_secret": secret})):
        connector = open_connector({"type": "duckdb", "path": path, "settings": settings})
        with pytest.raises(ElError, match=r"DuckDB file /no/such/x[^?]* cannot be opened") as failed, connector:
            pass
        for said in (repr(connector), str(connector.config), everything_said(failed.value)):
            assert secret not in said
    assert "path='/no/such/x'" in repr(connector)


def test_a_statement_that_fails_shows_no_secret(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ElError) as failed:
        place.connector.fetch(Statement("SELECT no_such_column FROM no_such_table"))
    secret = str(place.output.get("password", "no password here"))
    assert secret not in str(failed.value)
    assert secret not in "".join(traceback.format_exception(failed.value))
    assert secret not in caplog.text
    assert "\n" not in str(failed.value)
