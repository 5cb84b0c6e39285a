"""What `init` is told: flags, and what is asked at a terminal, of the settings that a connector's config names.

Guarantees: no secret is taken from the command line; what is typed for one is not shown. Without a terminal, what is
missing is one line that names the flag.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from el.config.profiles_file import render, variables
from el.connectors.base import ConnectionConfig
from el.connectors.question import Question
from el.errors import ConfigError
from el.secrets.fields import names_of, sealed_fields
from el.secrets.references import is_reference


@dataclass(frozen=True, slots=True)
class Told:
    """An output as it is to be written, and the secrets that were typed for it, by their settings."""

    settings: dict[str, Any]
    typed: dict[str, str] = field(default_factory=dict, repr=False)


def flags_of(arguments: Iterable[str]) -> dict[str, str]:
    """`--name value` and `--name=value`, by name. Raises `ConfigError` for what is no such pair."""
    found: dict[str, str] = {}
    left = list(arguments)
    while left:
        flag = left.pop(0)
        if not flag.startswith("--") or flag == "--":
            raise ConfigError(f"{flag!r} belongs to no flag: write --name value; python -m el init --help")
        name, given, value = flag[2:].partition("=")
        if not given:
            if not left or left[0].startswith("--"):
                raise ConfigError(f"{flag} needs a value")
            value = left.pop(0)
        if name in found:
            raise ConfigError(f"--{name} stands twice")
        found[name] = value
    return found


def at_terminal() -> bool:
    """Whether there is somebody to be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def asked(words: str, flag: str, default: str | None = None, *, optional: bool = False) -> str:
    """An answer typed at the terminal. Raises `ConfigError`, naming the flag, where there is none."""
    if not at_terminal():
        if default is not None or optional:
            return default or ""
        raise ConfigError(f"--{flag} is missing ({words}), and there is no terminal to ask at")
    shown = f" [{default}]" if default else " (may be empty)" if optional else ""
    try:
        while True:
            answer = input(f"{words}{shown}: ").strip() or default or ""
            if answer or optional:
                return answer
    except EOFError:
        raise ConfigError(f"--{flag} is missing ({words}): nothing was typed; nothing was written") from None


class Interview:
    """The questions for one output. prefix: of its flags; profile: what variables of its secrets are named after."""

    def __init__(self, config_type: type[ConnectionConfig], profile: str, prefix: str = "") -> None:
        self.config_type = config_type
        self.profile = profile
        self.prefix = prefix
        self.secret = sealed_fields(config_type)
        self.fields = {
            name: (own, info) for own, info in config_type.model_fields.items() for name in names_of(own, info)
        }

    def hold(self, given: Mapping[str, str], kind: str, beside: Mapping[str, Any]) -> Told:
        """Ask what is not given; what comes of it as the connector takes it. Raises `ConfigError`."""
        settings = self._known(given)
        typed: dict[str, str] = {}
        for question in self.config_type.asks:
            if question.setting not in settings and not any(name in settings for name in question.unless):
                self._ask(question, settings, typed)
        settings = {**settings, **{name: value for name, value in beside.items() if name not in settings}}
        settings = {name: value for name, value in settings.items() if value != ""}
        return Told({"type": kind, **self._typed_as_meant(settings)}, typed)

    def _known(self, given: Mapping[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for flag, value in given.items():
            name = flag.replace("-", "_")
            if name not in self.fields:
                known = ", ".join(f"--{self.prefix}{each.setting.replace('_', '-')}" for each in self.config_type.asks)
                raise ConfigError(f"--{self.prefix}{flag}: unknown setting of this connection; it asks for {known}")
            if name in self.secret:
                value = self._without_secret(flag, name, value)
            found[self._own(name)] = value
            if (problem := self._problem({self._own(name): value})) is not None:
                raise ConfigError(f"--{self.prefix}{flag}: {problem}")
        return found

    def _own(self, name: str) -> str:
        """One name of those that a setting may be given by."""
        own, info = self.fields[name]
        return info.alias or own

    def _without_secret(self, flag: str, name: str, value: str) -> str:
        if is_reference(value):
            return f"{{{{ env_var('{self.variable(name)}', '{value}') }}}}"
        if "{{" in value and variables(value):
            return value
        raise ConfigError(
            f"--{self.prefix}{flag}: a secret on the command line stands in the shell's history and in the list of "
            f"processes; leave it out and type it when asked, set {self.variable(name)}, or give a reference such as "
            "secret:PROFILE.TARGET.FIELD"
        )

    def variable(self, setting: str) -> str:
        """The environment variable of a secret; dbt takes what has this prefix out of its logs."""
        return f"DBT_ENV_SECRET_{re.sub(r'[^A-Z0-9]+', '_', f'{self.profile}_{setting}'.upper())}"

    def _ask(self, question: Question, settings: dict[str, Any], typed: dict[str, str]) -> None:
        name, flag = question.setting, f"{self.prefix}{question.setting.replace('_', '-')}"
        if name in self.secret:
            self._ask_secret(question, settings, typed)
            return
        default = self._default(question)
        while answer := asked(f"{self.profile}: {question.words}", flag, default, optional=question.optional):
            settings[name] = answer
            problem = self._problem({name: answer})
            if problem is None:
                return
            if not at_terminal():
                raise ConfigError(f"--{flag}: {problem}")
            print(f"  {problem}")

    def _ask_secret(self, question: Question, settings: dict[str, Any], typed: dict[str, str]) -> None:
        """By reference to a variable, whose value is typed where nobody has set it."""
        name, variable = question.setting, self.variable(question.setting)
        value = ""
        if variable not in os.environ and at_terminal():
            try:
                value = getpass.getpass(f"{self.profile}: {question.words} (not shown; empty: from {variable}): ")
            except EOFError:
                value = ""
        if value:
            typed[name] = value
        if value or variable in os.environ or not question.optional:
            settings[name] = f"{{{{ env_var('{variable}') }}}}"

    def _default(self, question: Question) -> str | None:
        if question.default is not None:
            return question.default if self.prefix else None
        info = self.fields[question.setting][1]
        return None if info.is_required() or info.default is None else str(info.default)

    def _problem(self, settings: Mapping[str, Any], *, whole: bool = False) -> str | None:
        """Why the connector does not take these, in its own words. whole: they are all that it is given."""
        rendered = {
            name: "unknown" if name in self.secret else render(value, "an answer") for name, value in settings.items()
        }
        try:
            self.config_type.model_validate(rendered)
        except ValidationError as error:
            for each in error.errors(include_input=False, include_url=False):
                place = [str(part) for part in each["loc"]]
                if whole or (place and place[0] in settings and each["type"] != "missing"):
                    said = each["msg"].removeprefix("Value error, ")
                    return f"{'.'.join(place)}: {said}" if whole and place else said
        return None

    def _typed_as_meant(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Numbers and yes or no as such. Raises `ConfigError` for what the connector does not take."""
        if (problem := self._problem(settings, whole=True)) is not None:
            raise ConfigError(f"{self.profile}: {problem}")
        shown = {name: "unknown" if name in self.secret else render(value, "") for name, value in settings.items()}
        model = self.config_type.model_validate(shown)
        found = {}
        for name, value in settings.items():
            taken = getattr(model, self.fields[name][0], None) if name in self.fields else value
            meant = isinstance(taken, bool | int) and not (isinstance(value, str) and "{{" in value)
            found[name] = taken if meant else value
        return found
