"""`python -m tests.standins.sqlserver --port 1433 --load DIR`: a stand-in to look at by hand."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
from pathlib import Path

from .server import SqlServerStandIn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.sqlserver", description=__doc__)
    parser.add_argument("--port", type=int, default=1433, help="0 takes a free one")
    parser.add_argument("--user", default="sa")
    parser.add_argument("--password", default="Stand_in_2026")
    parser.add_argument("--no-tls", action="store_true", help="offer no encryption")
    parser.add_argument(
        "--load", type=Path, metavar="DIR", help="run its .sql scripts in order of name; GO ends a batch"
    )
    parser.add_argument("--control", action="store_true", help="take faults as JSON lines on stdin; end with it")
    options = parser.parse_args()
    server = SqlServerStandIn({options.user: options.password}, tls=not options.no_tls, port=options.port)
    if options.load is not None:
        for path in sorted(options.load.glob("*.sql")):
            print(f"{path.name}: {server.load(path)} batches", flush=True)
    # What is imported is no garbage, and statements leave little that only a look through all of it would find.
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    with server:
        print(f"listens on {server.host}:{server.port} for {options.user}; Ctrl+C ends it", flush=True)
        try:
            if options.control:
                control(server)
            else:
                threading.Event().wait()
        except KeyboardInterrupt:
            print()
    # DuckDB's bindings report what Python would free a moment later; there is nothing left to do.
    sys.stdout.flush()
    os._exit(0)


def control(server: SqlServerStandIn) -> None:
    """Each line is [method of `Faults`, arguments, keywords]; "ok" answers when it is set."""
    for line in sys.stdin:
        name, arguments, keywords = json.loads(line)
        getattr(server.faults, name)(*arguments, **keywords)
        print("ok", flush=True)


if __name__ == "__main__":
    main()
