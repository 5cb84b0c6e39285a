"""The probes for real servers run on the stand-ins as well: their wiring, and that no secret is in what they print."""

from __future__ import annotations

from typing import Any

from tests.real.__main__ import probe
from tests.real.probes import Finding, Probe, report
from tests.standins.snowflake import SnowflakeStandIn
from tests.standins.sqlserver.process import StandInProcess


def test_the_probes_of_snowflake_run_and_tell_nothing_of_who_asked() -> None:
    with SnowflakeStandIn() as standin:
        output = standin.dbt_output()
        text, good = probe("snowflake", output)
    assert good, text
    assert str(output["password"]) not in text


def test_the_probes_of_sql_server_run(sqlserver_standin: StandInProcess) -> None:
    output = sqlserver_standin.output()
    text, good = probe("sqlserver", output)
    assert good, text
    assert str(output["password"]) not in text


def test_another_answer_than_the_one_hoped_for_is_a_no_and_secrets_are_hidden() -> None:
    found: list[Finding] = [Finding(Probe("p", "w", ("SELECT 1",), [(1,)]), "login for bob | x", False)]
    text = report(found, "t", ["bob"])
    assert "| p | NO | login for *** \\| x | w |" in text


def test_an_answer_that_differs_is_seen(sqlserver: dict[str, Any]) -> None:
    from tests.engines import connected
    from tests.real.probes import ask

    with connected(sqlserver) as server:
        assert not ask(server, Probe("p", "w", ("SELECT 1",), [(2,)])).as_expected
        assert not ask(server, Probe("p", "w", ("SELECT nothing",), [(2,)])).as_expected
