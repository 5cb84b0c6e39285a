"""el.yml as frozen values, every default in one place; an unknown key is an error that names its line.

Guarantees: a `Config` that was loaded is complete and well formed. Whether its tables exist is the plan's matter.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from el.config.defaults import DbtSettings, Defaults, LimitSettings, RawSettings
from el.config.dumps import FORMATS, DumpSettings
from el.config.mask_key import MaskKey
from el.config.source_limits import SourceLimits
from el.config.strict import Strict
from el.config.tables import ColumnSettings, TableSettings
from el.config.telling import LineageSettings, NotifySettings
from el.config.text_file import read_text
from el.config.yaml_file import YamlFile, read_yaml
from el.errors import ConfigError


def _mask_key(value: Any) -> Any:
    return MaskKey(value) if isinstance(value, str) else value


class Config(Strict):
    """el.yml. `source` and `destination` name profiles of profiles.yml, `target` the output of both."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    version: Literal[1]
    """The version of this file's form: 1."""
    source: str
    """The profile of profiles.yml that tables are taken from."""
    destination: str
    """The profile of profiles.yml that they are brought to."""
    target: str | None = None
    """Which output of both profiles; each profile's own where nothing is said. `EL_TARGET` and `--target` override it.
    """
    mask_key: Annotated[MaskKey, BeforeValidator(_mask_key)] | None = None
    """Where the key of `mask: hmac` is, such as `env:EL_MASK_KEY`. The key itself stands in no file of el's."""
    raw: RawSettings = RawSettings()
    """The raw schemas."""
    defaults: Defaults = Defaults()
    """What holds where a table says nothing."""
    limits: LimitSettings = LimitSettings()
    """The largest value that the warehouse takes."""
    source_limits: SourceLimits = SourceLimits()
    """How gently the source is read."""
    dbt: DbtSettings = DbtSettings()
    """What `codegen` writes into the dbt project."""
    tables: tuple[TableSettings, ...] = ()
    """Which tables are taken, and how. Of several entries that match a table, later ones win, setting by setting and
    column by column. A mask, a kind of personal data or an exclusion is only taken away by name: `mask: none`,
    `pii: none`, `exclude: false`.
    """
    dumps: tuple[DumpSettings, ...] = ()
    """Which files are taken, and how."""
    notify: NotifySettings | None = None
    """Who is told of failures, differences and late tables."""
    lineage: LineageSettings | None = None
    """That lineage is told, and in which namespaces."""
    path: Path = Field(default=Path("el.yml"), exclude=True)

    @model_validator(mode="after")
    def _takes_something(self) -> Config:
        if not self.tables and not self.dumps:
            raise ValueError("name what is taken: `tables`, `dumps`, or both")
        return self

    def line_of(self, index: int, part: str = "tables") -> int:
        """The line in el.yml at which entry `index` of `tables`, or of another part, begins."""
        return _read(self.path, read_text(self.path)).line((part, index))


def load_config(path: Path) -> Config:
    """Read el.yml. Raises `ConfigError`: "el.yml line 7: tables[1].stratgy: unknown key; did you mean strategy?"."""
    try:
        file = _read(path, read_text(path))
    except OSError:
        raise ConfigError(f"{path} is not there; `python -m el.run --config FILE` names another one") from None
    if "path" in file.content:
        raise ConfigError(f"{path} line {file.line(('path',))}: path: unknown key")
    try:
        config = Config.model_validate({**file.content, "path": path}, context={"folder": path.parent})
    except ValidationError as error:
        raise ConfigError(_explain(file, error)) from None
    target = os.environ.get("EL_TARGET")
    return config.model_copy(update={"target": target}) if target else config


@lru_cache(maxsize=1)
def _read(path: Path, text: str) -> YamlFile:
    """The file while it is of this text: each of its entries is asked for its line, and to read it takes a while."""
    return read_yaml(path, null_is_a_text=frozenset({"mask"}))


def _explain(file: YamlFile, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = tuple(part for part in first["loc"] if not str(part).startswith(("function-", "constrained-")))
    kind = None
    if len(place) > 3 and place[0] == "dumps" and place[2] == "format":
        # Which of the formats it is stands in no key of its own.
        kind, place = str(place[3]), (*place[:3], *place[4:])
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "unknown key" + _FORMER.get(place, _suggestion(str(place[-1]), place, kind))
    elif first["type"] == "missing":
        message = "this key is required"
        place = place[:-1]
    return f"{file.path} line {file.line(place)}: {shown}: {message}"


_FORMER: dict[tuple[Any, ...], str] = {
    ("dbt", "large_rows"): "; no table is clustered by its size any more: where one gains by it, say so in its entry "
    "of tables, `model: {cluster_by: [column]}`"
}
"""What earlier versions had, and what is there instead."""


def _suggestion(key: str, place: tuple[Any, ...], kind: str | None = None) -> str:
    models: dict[str, type[BaseModel]] = {
        "raw": RawSettings,
        "defaults": Defaults,
        "limits": LimitSettings,
        "source_limits": SourceLimits,
        "dbt": DbtSettings,
        "tables": TableSettings,
        "dumps": DumpSettings,
        "notify": NotifySettings,
        "lineage": LineageSettings,
    }
    model = ColumnSettings if "columns" in place[:-1] else models.get(str(place[0]), Config)
    model = FORMATS.get(kind or "", model)
    known = [field.alias or name for name, field in model.model_fields.items() if name != "path"]
    close = get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are: {', '.join(known)}"
