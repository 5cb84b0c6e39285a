"""python -m tests.wait_for_sqlserver: returns when the server of EL_TEST_SQLSERVER signs in; fails after 2 minutes."""

from __future__ import annotations

import sys
import time

from el.errors import ConnectError
from tests.engines import connected, real_sqlserver

SECONDS = 120


def main() -> int:
    output = real_sqlserver()
    if output is None:
        print("EL_TEST_SQLSERVER names no server", file=sys.stderr)
        return 2
    until = time.monotonic() + SECONDS
    while True:
        try:
            with connected({**output, "database": "master"}) as server:
                print(server.ping().version)
                return 0
        except ConnectError as error:
            # While it starts, it also refuses its own administrator.
            if time.monotonic() > until:
                print(error, file=sys.stderr)
                return error.exit_code
            time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
