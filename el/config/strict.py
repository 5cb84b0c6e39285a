"""What every setting of el.yml is made of: models that refuse an unknown key, and values that have one reading."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

from el.config.yaml_file import Written

_WHOLE = r"0|-?[1-9]\d*"
_NUMBER = rf"({_WHOLE})(\.\d+)?"
_YES_NO = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _duration(value: Any) -> Any:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)\s*([smhd])", value.strip())):
        return timedelta(**{units[found[2]]: int(found[1])})
    if isinstance(value, timedelta):
        return value
    raise ValueError("a duration is a number and one of s, m, h, d, such as 30m")


Duration = Annotated[timedelta, BeforeValidator(_duration)]


def _lag(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(_WHOLE, value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return _duration(value)


Lag = Annotated[int | timedelta, BeforeValidator(_lag)]


def _template(value: Any) -> Any:
    try:
        made = value.format(source="s", schema="s") if isinstance(value, str) else value
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ValueError(f"{value!r}: {{source}} and {{schema}} are all that can stand in braces") from None
    if made == "":
        raise ValueError("a schema needs a name")
    return value


Template = Annotated[str, BeforeValidator(_template)]


class Strict(BaseModel):
    """Frozen; a key that is not known is an error, and so is a value that could be read two ways, such as 010."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Written):
            return value
        text, wanted = str(value), _wanted(cls, info.field_name or "")
        if bool in wanted:
            if text.lower() not in _YES_NO:
                raise ValueError(f"{text!r} is neither true nor false")
            return _YES_NO[text.lower()]
        if wanted & {int, float} and str not in wanted and timedelta not in wanted:
            if not re.fullmatch(_NUMBER if float in wanted else _WHOLE, text):
                raise ValueError(f"{text!r} is not a number in plain digits, such as 20")
            return float(text) if float in wanted else int(text)
        return text


@cache
def _wanted(model: type[BaseModel], field: str) -> frozenset[Any]:
    """The types that a setting can have; of a literal, those of its values."""
    annotation = model.model_fields[field].annotation
    parts = get_args(annotation) or (annotation,)
    return frozenset(part if isinstance(part, type) else type(part) for part in parts)
