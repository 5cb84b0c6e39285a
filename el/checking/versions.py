"""Which el, which Python and which libraries these are."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from el import __version__
from el.connectors.base import Connector
from el.connectors.check import Check, fine, wrong
from el.connectors.registry import how_to_install


def of_el() -> Check:
    """This program."""
    return fine("version", f"el {__version__}, Python {platform.python_version()}, {platform.system()}")


def of_driver(connector: Connector) -> Iterator[Check]:
    """The packages that a connector is made of; one that is missing is named with the command that brings it."""
    found = []
    for package in connector.packages():
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            yield wrong("driver", f"{package} is not installed", how_to_install(connector.scheme, package))
    if found:
        yield fine("driver", ", ".join(found))
