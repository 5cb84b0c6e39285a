"""Connectors of a third party: packages that el does not know, found through their entry points alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from el.connectors.registry import GROUP, schemes

GUESTS = Path(__file__).parent


def installed(folder: Path, package: str, entry_point: str) -> list[Path]:
    """What `pip install` leaves of a package, its metadata in `folder`; the folders that must be on Python's path."""
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{entry_point}\n")
    return [folder, GUESTS / "jsonlines", GUESTS / "documents"]


@contextmanager
def on_path(folders: list[Path]) -> Iterator[None]:
    """Import from these folders too, as a process does that is started with them in PYTHONPATH."""
    import sys

    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    schemes.cache_clear()
    try:
        yield
    finally:
        sys.path[:] = before
        schemes.cache_clear()
