"""`local`: the sample shop on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from el.cli.arguments import positive

if TYPE_CHECKING:
    from el.cli.arguments import Commands


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "local", parents=[common], help="the sample shop: the whole demo, or make it, or let a day pass"
    )
    command.add_argument("action", choices=("demo", "create", "day"))
    command.add_argument("--path", default="local/shop.duckdb", metavar="FILE", help="default: local/shop.duckdb")
    command.add_argument("--day", type=positive, default=1, metavar="N", help="which day (default: 1)")
    command.set_defaults(command=_local)


def _local(arguments: argparse.Namespace) -> int:
    from el.sample import demo
    from el.sample import shop as sample

    path = Path(arguments.path)
    if arguments.action == "demo":
        demo.demo()
    elif arguments.action == "create":
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.create(path)
    else:
        sample.business_day(path, arguments.day)
    return 0
