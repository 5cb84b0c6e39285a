"""`secrets`: the encrypted store and its commands, put together. What they do: `secrets_store`, `secrets_exec`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from el.cli import secrets_exec
from el.cli import secrets_store as does
from el.cli.grants import ROLES
from el.errors import ConfigError, to_install

if TYPE_CHECKING:
    from el.cli.arguments import Commands

    Command = Callable[[argparse.Namespace], int]


def add(commands: Commands, common: argparse.ArgumentParser, job: argparse.ArgumentParser) -> None:
    """The command and those under it."""
    command = commands.add_parser("secrets", help="the encrypted store secrets.yml: init, set, list, grant, ...")
    under = command.add_subparsers(required=True, metavar="ACTION")
    place = argparse.ArgumentParser(add_help=False, parents=[common])
    place.add_argument(
        "--profiles-dir", metavar="DIR", help="where secrets.yml is, beside profiles.yml (or EL_SECRETS)"
    )
    made = under.add_parser("init", parents=[place], help="make an identity and a store, where there is none")
    made.add_argument("--keyring", action="store_true", help="put the identity into the operating system's keyring")
    made.set_defaults(command=_needs_library(does.init))
    under.add_parser("list", parents=[place], help="what is set, and who can read it").set_defaults(
        command=_needs_library(does.show)
    )
    _changes(under, place)
    secrets_exec.add(under, job)
    check = under.add_parser(
        "check",
        parents=[job],
        help="who can read what, how old each value is, and which secrets lie open",
        epilog="exit codes: 0 no error; 2 an error",
    )
    check.add_argument("--max-age", type=int, default=365, metavar="DAYS", help="warn of older values (default: 365)")
    check.add_argument("--json", action="store_true", help="what was found as one JSON object, nothing else")
    check.set_defaults(command=_needs_library(does.check))


def _changes(under: Commands, place: argparse.ArgumentParser) -> None:
    change = argparse.ArgumentParser(add_help=False, parents=[place])
    change.add_argument("--yes", action="store_true", help="agree to recipients that this machine has not seen")
    some = argparse.ArgumentParser(add_help=False, parents=[change])
    some.add_argument("--connection", nargs="+", metavar="PROFILE.TARGET", help="of these alone (default: of all)")
    put = under.add_parser("set", parents=[change], help="set a value, asked for hidden or taken from standard input")
    put.add_argument("path", metavar="PROFILE.TARGET.FIELD", help="such as shop.prod.password")
    put.add_argument(
        "--like", metavar="PROFILE.TARGET", help="a new connection is read by the owners and engineers of this"
    )
    put.set_defaults(command=_needs_library(does.put))
    grant = under.add_parser("grant", parents=[some], help="let a recipient read connections")
    grant.add_argument("role", choices=ROLES, metavar="ROLE", help=", ".join(ROLES))
    grant.add_argument("recipient", metavar="RECIPIENT", help="age1..., or a key of a cloud's KMS")
    grant.add_argument("--config", default="el.yml", metavar="FILE", help="says which connection is the source")
    grant.set_defaults(command=_needs_library(does.grant))
    revoke = under.add_parser("revoke", parents=[some], help="take a recipient out, with a new encrypt_key")
    revoke.add_argument("recipient", metavar="RECIPIENT", help="as `list` shows it")
    revoke.set_defaults(command=_needs_library(does.revoke))
    rotate = under.add_parser("rotate", parents=[some], help="give each connection a new encrypt_key")
    rotate.set_defaults(command=_needs_library(does.rotate))


def _needs_library(command: Command) -> Command:
    def checked(arguments: argparse.Namespace) -> int:
        if find_spec("pyrage") is None or find_spec("cryptography") is None:
            raise ConfigError(f"secrets: a library is missing: {to_install('secrets')}")
        return command(arguments)

    return checked
