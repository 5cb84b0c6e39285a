"""What a run works on, as one value."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from el.config.executor import Where
from el.config.files_profile import FILES
from el.config.profiles import Output
from el.config.settings import Config
from el.connectors.registry import connector_class

# What says in a profile's output which database it is; who signs in, and how, may change.
_WHERE = ("type", "host", "server", "port", "dsn", "account", "database", "path")


def _names(output: Output) -> tuple[str, ...]:
    if output.type == FILES:
        return (*_WHERE, "url")
    return (*_WHERE, *connector_class(output.type).config_type.names_database)


@dataclass(frozen=True, slots=True)
class Job:
    """What a run works on. `home`: the folder for what is under way; it may be lost between two runs."""

    config: Config
    source: Output
    destination: Output
    home: Path = Path(".el")
    files: Mapping[str, Output] = field(default_factory=dict)  # of the profiles that entries of `dumps` name
    select: tuple[str, ...] = ()
    full_refresh: bool = False
    confirm_deletes: tuple[str, ...] = ()
    workers: int | None = None
    executor: Where | None = None  # by default what el.yml says
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    propose: bool = False  # a plan that says what else documents have

    @property
    def where(self) -> Where:
        """Where its slices are read."""
        return self.executor or self.config.defaults.executor

    @property
    def readers(self) -> int:
        """Slices that are read at once, as far as the source allows."""
        return self.where.processes or self.workers or self.config.defaults.workers

    def outputs(self) -> tuple[Output, ...]:
        """All that it connects to."""
        return (self.source, self.destination, *self.files.values())

    @property
    def work(self) -> Path:
        """What is under way from this source to this destination: no other pair may ever load it.

        A path counts as it lies beside `home`: two projects may share one, and a project may be moved as a whole.
        """
        outputs = (self.source, self.destination)
        named = [self._where(name, output.settings.get(name)) for output in outputs for name in _names(output)]
        mark = hashlib.sha256("\n".join(named).encode()).hexdigest()[:8]
        return self.home / re.sub(r"[^\w.-]", "_", f"{self.source}-{self.destination}-{mark}")

    @property
    def reader(self) -> str:
        """Who reads the source, as text without secrets: the same for this pair and this raw, and for no other.

        Unlike `work` it must not be the same on two machines that each have a warehouse of their own in a file.
        """
        named = [str(self.config.raw)]
        for output in (self.source, self.destination):
            for name in (*_names(output), "user"):
                value = output.settings.get(name)
                named.append(os.path.abspath(str(value)) if name == "path" and value else str(value))
        return hashlib.sha256("\n".join(named).encode()).hexdigest()

    def _where(self, name: str, value: object) -> str:
        if name != "path" or value is None:
            return str(value)
        try:
            return os.path.relpath(str(value), self.home)
        except ValueError:
            # On another drive.
            return os.path.abspath(str(value))
