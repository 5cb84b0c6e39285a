"""The store in which the files of an entry are, by its uri's scheme; and the format that el.yml says they have."""

from __future__ import annotations

from el.config.dumps import CsvSettings, DumpSettings, NdjsonSettings, ParquetSettings
from el.config.profiles import Output
from el.dumps.archives.members import WithMembers
from el.dumps.formats.base import Format
from el.dumps.stores import registry
from el.dumps.stores.base import Store


def open_store(uri: str, output: Output | None) -> Store:
    """The store of this uri. output: the profile that says how to sign in there; files of this machine need none."""
    return WithMembers(registry.open_store(uri, output.settings if output is not None else None, str(output)))


def format_of(settings: DumpSettings) -> Format:
    """What reads the files of an entry."""
    chosen = settings.format
    if isinstance(chosen, CsvSettings):
        from el.dumps.formats.csv import CsvFormat
        from el.dumps.formats.csv_dialect import Dialect

        told = {name: getattr(chosen, name) for name in ("delimiter", "quote", "escape", "newline", "encoding", "null")}
        return CsvFormat(Dialect(**told), chosen.header, chosen.columns)
    if isinstance(chosen, ParquetSettings):
        from el.dumps.formats.parquet import ParquetFormat

        return ParquetFormat()
    assert isinstance(chosen, NdjsonSettings)
    from el.dumps.formats.ndjson import NdjsonFormat

    return NdjsonFormat()
