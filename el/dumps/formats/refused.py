"""Files that hold a database's own pages, or what is not documented: who reads them would have to guess."""

from __future__ import annotations

from pathlib import PurePosixPath

_WAYS = (
    "restore it and read the database as a source, or export it to a bacpac "
    "(SqlPackage /Action:Export) and take that with `format: {type: bacpac, table: schema.table}`"
)
_NAMES = {
    ".bak": "a backup",
    ".trn": "a backup of a log",
    ".mdf": "a database's own file",
    ".ndf": "a database's own file",
    ".ldf": "a database's own log",
}


def unreadable(name: str, beginning: bytes) -> str | None:
    """Why such a file is not read, and what to do; None for one that may be."""
    suffix = PurePosixPath(name).suffix.lower()
    # "TAPE": Microsoft Tape Format, which backups have.
    if suffix in _NAMES or beginning.startswith((b"TAPE", b"MSSQLBAK")):
        what = _NAMES.get(suffix, "a backup")
        return f"{name} is {what}, which only its server reads: {_WAYS}"
    if suffix == ".raw":
        return f"{name} is a raw file of SSIS, which is not documented: write it as text or into a table instead"
    if suffix == ".dacpac":
        return f"{name} is a dacpac, which holds no rows: export a bacpac instead (SqlPackage /Action:Export)"
    if suffix in (".xls", ".xlsb", ".ods"):
        return f"{name} is a workbook of another format: save it as .xlsx"
    return None
