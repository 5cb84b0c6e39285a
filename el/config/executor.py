"""Where the slices of a run are read: `executor` of el.yml, and of the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORMS = "threads, processes:N, or dask://HOST:PORT"
_DASK = re.compile(r"dask://(\[[^\]\s/]+\]|[^\s:/\[\]]+):([1-9]\d{0,4})")


@dataclass(frozen=True, slots=True)
class Where:
    """In threads of this process, in processes beside it, or at a Dask cluster."""

    processes: int | None = None  # how many
    dask: str | None = None  # host and port of the scheduler

    @classmethod
    def parse(cls, text: str) -> Where:
        """ "processes:4"; `ValueError` where it is of no form."""
        if text == "threads":
            return cls()
        scheme, _, rest = text.partition(":")
        if scheme == "processes":
            if not re.fullmatch(r"[1-9]\d?", rest) or int(rest) > 64:
                raise ValueError(f"{text!r}: say how many processes, from 1 to 64, such as processes:4")
            return cls(processes=int(rest))
        if scheme == "dask":
            found = _DASK.fullmatch(text)
            if found is None or int(found[2]) > 65535:
                raise ValueError(f"{text!r}: say where the scheduler is, such as dask://scheduler:8786")
            return cls(dask=text.removeprefix("dask://"))
        raise ValueError(f"{text!r} is no executor; there are: {_FORMS}")

    @property
    def here(self) -> bool:
        """Whether the slices are read in this process."""
        return self == Where()

    def __str__(self) -> str:
        if self.processes is not None:
            return f"processes:{self.processes}"
        return f"dask://{self.dask}" if self.dask is not None else "threads"
