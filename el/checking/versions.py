"""Which el, which Python and which libraries these are."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, version

from el import __version__
from el.connectors.base import Connector
from el.connectors.check import Check, fine, warn, wrong
from el.connectors.registry import how_to_install
from el.errors import to_install

_ALWAYS = ("dlt", "pyarrow", "sqlglot")


def of_el() -> Check:
    """This program."""
    return fine("version", f"el {__version__}, Python {platform.python_version()}, {platform.system()}")


def of_libraries(warehouse: str) -> Iterator[Check]:
    """What loads, and what builds the models. Without dbt a run works: dbt Cloud, or another machine, may build."""
    yield fine("libraries", ", ".join(f"{package} {version(package)}" for package in _ALWAYS))
    adapter = f"dbt-{warehouse}"
    missing = [package for package in ("dbt-core", adapter) if not _there(package)]
    if missing:
        extra = adapter if adapter in _extras() else "dbt"
        text = f"{' and '.join(missing)} not installed: `dbt build` needs it, a run does not"
        yield warn("dbt", text, to_install(extra))
    else:
        yield fine("dbt", ", ".join(f"{package} {version(package)}" for package in ("dbt-core", adapter)))


def _there(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _extras() -> list[str]:
    try:
        return metadata("el-loader").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return []


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
