"""python -m tests.conformance.killed: a write whose process is killed at its commit, for `test_targets`."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from el.connectors.catalog import TableName
from el.connectors.registry import open_connector
from tests.conformance.conftest import numbered


def main() -> None:
    said: dict[str, Any] = json.loads(sys.argv[1])
    with open_connector(said["output"]) as connector:
        # Every statement was made, and none of them is committed.
        type(connector)._commit = lambda self: os.kill(os.getpid(), signal.SIGKILL)
        connector.write_buffer(TableName(*said["table"]), numbered(2, 3), run_id="same")


if __name__ == "__main__":
    main()
