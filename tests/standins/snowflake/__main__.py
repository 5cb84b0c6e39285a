"""`python -m tests.standins.snowflake`: one stand-in in the foreground; prints {"port": N} when it answers."""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from importlib.abc import MetaPathFinder
from pathlib import Path

import uvicorn


class _Unneeded(MetaPathFinder):
    """Hides what the connector imports if it can: that takes seconds, and this process has no use for it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in {"pandas", "boto3", "botocore"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.snowflake", description=main.__doc__)
    parser.add_argument("--port", type=int, default=8085, help="0 takes a free one")
    parser.add_argument("--db-path", help="keep databases in this directory; else in memory")
    parser.add_argument("--stages", help="where staged files are kept; else a temporary directory")
    parser.add_argument("--database", default="EL")
    parser.add_argument("--schema", default="PUBLIC")
    parser.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()

    sys.meta_path.insert(0, _Unneeded())
    warnings.simplefilter("ignore")
    from .server import build_app

    stages = options.stages or (Path(options.db_path) / "_stages" if options.db_path else tempfile.mkdtemp())
    app = build_app(
        Path(stages),
        Path(options.db_path) if options.db_path else None,
        options.database.upper(),
        options.schema.upper(),
        os.environ.get("SNOWFLAKE_STANDIN_PASSWORD"),
    )
    if options.until_stdin_closes:  # the process that started this one is gone
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    # the protocol is named, for asyncio turns Nagle's algorithm (40 ms a statement) off only where it is
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", options.port))
    listener.listen(128)
    # What is imported is no garbage, and statements leave little that only a look through all of it would find.
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")).run(sockets=[listener])
    os._exit(0)  # nothing is left to do, and DuckDB's extension complains at an orderly exit


if __name__ == "__main__":
    main()
