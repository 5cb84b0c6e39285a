"""From Python: a connector out of profiles.yml, to read into memory and to write back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from el.config.profiles import find_profiles, load_output
from el.connectors.base import WriteMode
from el.connectors.catalog import TableName
from el.connectors.registry import open_connector
from el.connectors.request import ReadRequest

__all__ = ["ReadRequest", "TableName", "WriteMode", "connect"]


def connect(profile: str, target: str | None = None, *, profiles_dir: str | Path | None = None) -> Any:
    """The connector of a profile's output, not connected until it is entered by `with`: a Source, a Target, or both.

    target: the output's name; by default the profile's own. profiles_dir: where profiles.yml is; by default where dbt
    looks. Raises `ConfigError`; entering it raises a `ConnectError`.
    """
    output = load_output(find_profiles(Path(profiles_dir) if profiles_dir is not None else None), profile, target)
    return open_connector(output.settings, str(output))
