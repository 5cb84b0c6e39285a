"""What a format refuses of an entry before rows are read: asked in the plan, of the first file to be taken."""

from __future__ import annotations

from el.config.dump_formats import BacpacSettings
from el.config.dumps import DumpSettings
from el.dumps.compression import suffix_of
from el.dumps.file_version import FileVersion
from el.dumps.open import format_of
from el.dumps.stores.base import Store


def refuse_format(settings: DumpSettings, store: Store, file: FileVersion) -> None:
    """Raises `ElError`: a bacpac's table that is not there or has a type that is not certain, a bad format file."""
    chosen = settings.format
    if chosen is None:
        return
    from el.dumps.formats.bcp_native import BcpFormat

    format_ = format_of(settings)
    if isinstance(format_, BcpFormat):
        format_.refuse()
    if isinstance(chosen, BacpacSettings) and suffix_of(file.member or file.uri) is None:
        from el.dumps.formats.bacpac import Bacpac

        with store.open(file) as opened:
            Bacpac(opened, chosen.accept).read(chosen.table)
