"""Secrets out of the environment, which is what dbt's `env_var` reads."""

from __future__ import annotations

import os

from el.secrets.form import Name


def read(name: Name) -> str:
    """The variable's value."""
    value = os.environ.get(name.path)
    if value is None:
        raise name.gone(f"environment variable {name.path} is not set")
    return value
