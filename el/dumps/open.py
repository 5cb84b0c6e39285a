"""The store in which the files of an entry are, by its uri's scheme; and the format that el.yml says they have."""

from __future__ import annotations

from el.config.dump_formats import (
    BacpacSettings,
    BcpSettings,
    FixedSettings,
    JsonSettings,
    XlsxSettings,
    XmlSettings,
)
from el.config.dumps import CsvSettings, DumpSettings, FormatSettings, NdjsonSettings, ParquetSettings
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
    if isinstance(chosen, NdjsonSettings):
        from el.dumps.formats.ndjson import NdjsonFormat

        return NdjsonFormat()
    return _of_a_server(chosen) if isinstance(chosen, BcpSettings | BacpacSettings) else _of_documents(chosen)


def _of_a_server(chosen: BcpSettings | BacpacSettings) -> Format:
    if isinstance(chosen, BacpacSettings):
        from el.dumps.formats.bacpac import BacpacFormat

        return BacpacFormat(chosen.table, chosen.accept)
    if chosen.format_file is None:
        from el.dumps.formats.bcp_text import BcpText

        told = (chosen.field_terminator, chosen.row_terminator, chosen.unterminated, chosen.breaks_inside)
        return BcpText(chosen.columns, str(chosen.encoding), *told)
    from el.dumps.formats.bcp_native import BcpFormat

    types = tuple(chosen.types.items())
    so = (chosen.unterminated, chosen.breaks_inside)
    return BcpFormat(chosen.format_file, chosen.encoding, types, chosen.accept, *so)


def _of_documents(chosen: FormatSettings | None) -> Format:
    if isinstance(chosen, JsonSettings):
        from el.dumps.formats.json_array import JsonArrayFormat

        return JsonArrayFormat(chosen.encoding)
    if isinstance(chosen, XmlSettings):
        from el.dumps.formats.xml_rows import XmlFormat

        return XmlFormat(chosen.root, chosen.encoding)
    if isinstance(chosen, XlsxSettings):
        from el.dumps.formats.xlsx import XlsxFormat

        return XlsxFormat(chosen.sheet, chosen.header, chosen.columns)
    assert isinstance(chosen, FixedSettings)
    from el.dumps.formats.fixed_width import FixedWidthFormat

    return FixedWidthFormat(tuple(chosen.columns.items()), chosen.encoding, chosen.row_terminator, chosen.unterminated)
