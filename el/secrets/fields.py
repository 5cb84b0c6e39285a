"""Which fields of a model are secrets, and settings with references in them as the model takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from el.secrets.references import Secret


def names_of(name: str, field: FieldInfo) -> set[str]:
    """The names by which a setting may be given."""
    choices = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else [name]
    return {field.alias or name, *(choice for choice in choices if isinstance(choice, str))}


def sealed_fields(model: type[BaseModel]) -> frozenset[str]:
    """The settings that the model holds by reference: those of type `SecretStr`."""
    fields = model.model_fields.items()
    sealed = {name for name, field in fields if SecretStr in (field.annotation, *get_args(field.annotation))}
    return frozenset(n for name, field in fields if name in sealed for n in names_of(name, field))


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """The settings that may be secrets: those of type `SecretStr`, and what no repr shows."""
    hidden = {n for name, field in model.model_fields.items() if not field.repr for n in names_of(name, field)}
    return sealed_fields(model) | hidden


def looked_up(settings: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The settings as the model takes them: references of its own fields that are no `SecretStr` become values."""
    mine = {n for name, field in model.model_fields.items() for n in names_of(name, field)} - sealed_fields(model)
    return {name: value_of(value) if name in mine else value for name, value in settings.items()}


def value_of(found: Any) -> Any:
    """A setting as it is written; of a reference, or of those in it, the values, looked up now."""
    if isinstance(found, Secret):
        return found.get_secret_value()
    if isinstance(found, dict):
        return {key: value_of(item) for key, item in found.items()}
    return [value_of(item) for item in found] if isinstance(found, list) else found
