"""python -m tests.real sqlserver|snowflake: ask a real server what nobody could, and print a report to send back."""

from __future__ import annotations

import sys
from typing import Any

from el.connectors.registry import open_connector
from el.connectors.sql.connector import SqlConnector
from tests.engines import real_snowflake, real_sqlserver
from tests.real.probes import PROBES, ask, report


def probe(server: str, output: dict[str, Any]) -> tuple[str, bool]:
    """The report, and whether every answer is the one hoped for."""
    with open_connector(output) as connector:
        assert isinstance(connector, SqlConnector)
        findings = [ask(connector, one) for one in PROBES[server]]
    told = ("account", "host", "server", "user", "password", "token", "private_key", "database")
    hide = [str(output[name]) for name in told if output.get(name)]
    return report(findings, f"el on a real server: {server}", hide), all(f.as_expected for f in findings)


def main(server: str) -> int:
    found = {"snowflake": real_snowflake, "sqlserver": real_sqlserver}[server]()
    if found is None:
        print(f"EL_TEST_{server.upper()} names none: see tests/real/README.md", file=sys.stderr)
        return 2
    text, good = probe(server, found)
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
