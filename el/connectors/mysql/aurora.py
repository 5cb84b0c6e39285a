"""What Aurora MySQL, and MySQL in RDS, say otherwise: settings of a parameter group, and how long the log is kept.

Amazon Aurora User Guide, "Configuring enhanced binlog", "Replication with Amazon Aurora MySQL"; Amazon RDS User Guide,
"mysql.rds_set_configuration".
"""

from __future__ import annotations

from collections.abc import Iterator

from el.connectors.check import Check, fine, warn
from el.connectors.mysql.held import Fetch
from el.connectors.sql.select import Statement
from el.errors import ElError

_SAYS = "SHOW GLOBAL VARIABLES WHERE variable_name IN ('aurora_version', 'aurora_server_id', 'innodb_read_only')"
_KEPT = "CALL mysql.rds_show_configuration"
_HOURS = "binlog retention hours"


def parameter(name: str, wanted: str) -> str:
    """How a setting is made: SET GLOBAL is not for users of Aurora."""
    value = wanted or "empty"
    return f"set {name} = {value} in the cluster parameter group, then restart the writer"


def checks(fetch: Fetch, *, follows: bool) -> Iterator[Check]:
    """What this server is in its cluster, and whether it keeps its log. follows: tables of el.yml follow it."""
    told = {str(name): str(value) for name, value in fetch(Statement(_SAYS))}
    version = told.get("aurora_version")
    if version is None:
        return
    reader = told.get("innodb_read_only", "OFF").upper() in ("ON", "1")
    what = f"Aurora MySQL {version}, {told.get('aurora_server_id', 'server')}, a {'reader' if reader else 'writer'}"
    yield fine("Aurora", what)
    if follows:
        yield _kept(fetch)


def _kept(fetch: Fetch) -> Check:
    """Aurora takes its log away as soon as it likes, unless it is told for how long to keep it."""
    remedy = f"CALL mysql.rds_set_configuration('{_HOURS}', 168)"
    try:
        rows = {str(row[0]): row[1] for row in fetch(Statement(_KEPT))}
    except ElError as error:
        return fine("binary log", f"how long it is kept is not told to this login: {error}", remedy)
    hours = rows.get(_HOURS)
    if hours in (None, "", "NULL"):
        return warn("binary log", f"`{_HOURS}` is not set: the log may be gone before the next run", remedy)
    return fine("binary log", f"it is kept for {hours} hours, which has to be longer than the longest pause of runs")
