"""Where dumps are."""

from __future__ import annotations

from el.config.dumps import DumpSettings
from el.config.files_profile import FILES
from el.config.job import Job
from el.config.profiles import Output


def dump_output(job: Job, settings: DumpSettings) -> Output | None:
    """The profile that says where the files of an entry are; None: they are files of this machine."""
    if settings.source is not None:
        return job.files[settings.source]
    return job.source if job.source.type == FILES else None


def folder_of(job: Job, output: Output | None) -> str:
    """The uri of the folder in which a pattern without a scheme begins."""
    url = None if output is None else output.setting("url")
    if url is not None and "://" in str(url):
        return str(url)
    return f"file://{(job.config.path.parent / str(url or '')).resolve()}"
