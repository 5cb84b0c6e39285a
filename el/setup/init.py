"""`python -m el init`: ask, write what is missing, and fill el.yml with what the source has.

Guarantees: what is there is not changed but by lines behind its end; run twice it changes nothing. Nothing is written
before all answers are well formed. A wrong answer that only a server can tell leaves files that are mended by hand, and
the next `init` goes on from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from el.codegen.project import FILE, find_project
from el.config.profiles import load_output
from el.config.settings import Config, load_config
from el.connectors.registry import connector_class, open_source, scheme_called, schemes
from el.errors import ConfigError
from el.loading.open import WAREHOUSES
from el.setup import files, keep, tables
from el.setup.answers import Interview, Told, asked, at_terminal
from el.setup.profiles import add_profiles, place_of_profiles, profiles_in

# What stands in front of a flag that is about the warehouse.
TO = "to-"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says. settings: of the two connections, by their flags; tables: patterns."""

    config: Path
    home: Path
    target: str
    profiles_dir: Path | None = None
    project_dir: str | None = None
    source: str | None = None
    to: str | None = None
    name: str | None = None
    tables: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


class Setup:
    """One call of `init`. say: takes a line for whoever called."""

    def __init__(self, wanted: Wanted, say: Callable[[str], None] = print) -> None:
        self.wanted = wanted
        self.say = say
        self.profiles = place_of_profiles(wanted.profiles_dir)
        self.known = profiles_in(self.profiles)
        self.project = find_project(wanted.project_dir)
        self.kinds = {"source": wanted.source, "to": wanted.to}

    def write(self) -> None:
        """Ask, and write what is missing. Raises `ConfigError`, and has written nothing then."""
        config = load_config(self.wanted.config) if self.wanted.config.is_file() else None
        project_profile = files.profile_of(self.project)
        destination = config.destination if config else project_profile or "warehouse"
        source = config.source if config else self._name_of_source(destination)
        told: dict[str, Told] = {}
        if self._is_to_be_made(source, "source"):
            told[source] = self._ask_source(source)
        if self._is_to_be_made(destination, "to"):
            told[destination] = self._ask_warehouse(destination)
        self._add_profiles(told)
        self._write_config(config, source, destination)
        if lines := files.add_ignored(Path(".gitignore")):
            self.say(f".gitignore: {', '.join(lines)} added")
        self._make_project(project_profile, destination)

    def complete(self) -> None:
        """An el.yml that waits for the source gets an entry for each of its tables. Raises what the source answers."""
        path = self.wanted.config
        config = tables.waits(path)
        if config is None:
            return
        output = load_output(self.profiles, config.source, config.target)
        with open_source(output.settings, str(output)) as source:
            if at_terminal() and not self.wanted.tables and [entry.name for entry in config.tables] == [*tables.ALL]:
                names = tables.names_in(source)
                self.say(f"{output} has {len(names)} tables: {_some(names)}")
                chosen = asked("which of them: patterns such as sales.*, with blanks between", "tables", "*.*").split()
                path.write_text(tables.waiting(config.source, config.destination, chosen), encoding="utf-8")
                config = load_config(path)
            text = tables.completed(config, source)
        self.say(f"{path}: {tables.write_tables(path, text)} tables")

    def _name_of_source(self, destination: str) -> str:
        kind = self._kind("source", sorted(schemes()))
        given = self.wanted.settings.get("database") or Path(self.wanted.settings.get("path", kind)).stem
        default = re.sub(r"\W+", "_", given.lower()).strip("_") or kind
        words = "a short name for the source, with which the raw schemas begin"
        name = self.wanted.name or asked(words, "name", default)
        if name == destination:
            raise ConfigError(f"--name {name}: the destination's profile is called so: name the source otherwise")
        return name

    def _kind(self, flag: str, known: list[str]) -> str:
        """The type of an end, which is asked once."""
        found = self.kinds[flag]
        if found is None:
            end = "source" if flag == "source" else "destination"
            found = self.kinds[flag] = asked(f"type of the {end}: {', '.join(known)}", flag)
        return found

    def _is_to_be_made(self, name: str, flag: str) -> bool:
        """Whether profiles.yml does not have it. Raises `ConfigError` where it has it of another type."""
        if name not in self.known:
            return True
        kind = self.kinds[flag]
        types = _types_of(self.known[name])
        if kind is not None and types and kind not in types and scheme_called(kind) not in types:
            raise ConfigError(
                f"{self.profiles}: there is a profile {name} already, of type {', '.join(sorted(types))}: name the "
                f"source otherwise with --name, or leave out what is not {kind}"
            )
        self.say(f"{self.profiles}: {name} is there, and is left as it is")
        return False

    def _ask_source(self, name: str) -> Told:
        kind = scheme_called(self._kind("source", sorted(schemes())))
        found = connector_class(kind)
        given = {flag: value for flag, value in self.wanted.settings.items() if not flag.startswith(TO)}
        if not getattr(found, "rules", ()):
            raise ConfigError(f"--source {kind}: it cannot be a source: its connector does not read for runs")
        return Interview(found.config_type, name).hold(given, kind, found.config_type.beside_source)

    def _ask_warehouse(self, name: str) -> Told:
        kind = self._kind("to", sorted(WAREHOUSES))
        if kind not in WAREHOUSES:
            raise ConfigError(f"--to {kind}: it cannot be a destination; there are: {', '.join(sorted(WAREHOUSES))}")
        config_type = connector_class(kind).config_type
        given = {f.removeprefix(TO): value for f, value in self.wanted.settings.items() if f.startswith(TO)}
        return Interview(config_type, name, TO).hold(given, kind, config_type.beside_warehouse)

    def _add_profiles(self, told: Mapping[str, Told]) -> None:
        if not told:
            return
        outputs = {name: {**each.settings, **self._kept(name, each)} for name, each in told.items()}
        add_profiles(self.profiles, self.wanted.target, outputs)
        self.say(f"{self.profiles}: {', '.join(f'{name}.{self.wanted.target}' for name in outputs)} added")
        for name, each in told.items():
            for setting, value in each.settings.items():
                if "DBT_ENV_SECRET_" in str(value):
                    self.say(f"  {name}: {setting} stands there by reference alone: {outputs[name][setting]}")

    def _kept(self, profile: str, told: Told) -> dict[str, str]:
        """The references to the secrets that were typed, once they are kept."""
        found: dict[str, str] = {}
        for setting, value in told.typed.items():
            variable = str(told.settings[setting]).split("'")[1]
            keep.in_this_process(variable, value)
            why = keep.can_be_stored()
            words = f"{profile}: keep the {setting} in the encrypted store secrets.yml (yes), or nowhere (no)"
            if why is None and asked(words, "secrets", "yes").lower() in ("y", "yes"):
                path = f"{profile}.{self.wanted.target}.{setting}"
                try:
                    file = keep.store(self.profiles, self.wanted.home, path, value)
                    found[setting] = f"{{{{ env_var('{variable}', 'secret:{path}') }}}}"
                    self.say(f"{file}: {path} is kept there, encrypted for you; commit the file")
                    continue
                except ConfigError as error:
                    why = str(error)
            beside = f" ({why})" if why else ""
            self.say(f"{profile}: the {setting} is kept nowhere{beside}: export {variable}=... before the next command")
        return found

    def _write_config(self, config: Config | None, source: str, destination: str) -> None:
        path = self.wanted.config
        if config is not None:
            self.say(f"{path}: is there, and is left as it is" if tables.waits(path) is None else f"{path}: goes on")
            return
        path.write_text(tables.waiting(source, destination, self.wanted.tables or tables.ALL), encoding="utf-8")

    def _make_project(self, profile: str | None, destination: str) -> None:
        if (self.project / FILE).is_file():
            if profile is not None and profile != destination:
                said = f"its profile is {profile}, and el.yml's destination {destination}: dbt reads another database"
                self.say(f"{self.project / FILE}: {said}, unless both are the same one")
            return
        files.make_project(self.project, destination)
        self.say(f"{self.project}: a dbt project is made; `python -m el codegen` fills it")


def _types_of(profile: Any) -> set[str]:
    outputs = profile.get("outputs") if isinstance(profile, dict) else None
    return {str(each.get("type")) for each in (outputs or {}).values() if isinstance(each, dict)}


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
