"""Files in object storage: `s3://bucket/...`, `az://container/...`, `gs://bucket/...`.

Guarantees: every request asks for the version that was listed, by its ETag, and what comes is compared with it again,
for a server may not know the condition; a file comes in pieces, so that none takes long and memory is bounded; what can
be tried again is tried again. What stands for a folder is no file: an object whose name ends with /, and an empty one
with others below it, as Azure's hierarchical accounts list them.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from el.config.files_profile import FilesConfig
from el.dumps.file_version import FileVersion
from el.dumps.stores.base import Fetched, Store
from el.dumps.stores.ranges import RangeReader
from el.dumps.stores.refusals import refusal
from el.errors import ElError, FileChanged, ServerUnreachable

if TYPE_CHECKING:
    from el.dumps.stores.clients import Client

# Each piece is a request of its own; so many are under way at once.
_PIECE, _AT_ONCE = 8 * 1024 * 1024, 4


class ObjectStore(Store):
    """One bucket or container. The client is made when it is first needed, and never pickled."""

    def __init__(self, root: str, config: FilesConfig) -> None:
        self.root = root  # "s3://bucket/"
        self._config = config
        self._client: Client | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"ObjectStore({self.root!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectStore, (self.root, self._config)

    def list(self, prefix: str) -> Iterator[FileVersion]:
        folder = prefix.removeprefix(self.root).rpartition("/")[0]
        found = []
        try:
            # The library takes whole folders only.
            for page in self._opened().list(folder or None, chunk_size=1000):
                for each in page:
                    uri = self.root + each["path"]
                    if uri.startswith(prefix):
                        found.append(FileVersion(uri, _version(each), each["size"], each["last_modified"]))
        except ElError:
            raise
        except Exception as error:
            raise refusal(self.root, error, self._config.secrets()) from None
        return iter(sorted(_without_folders(found), key=lambda file: file.uri))

    def open(self, file: FileVersion) -> BinaryIO:
        return io.BufferedReader(RangeReader(file.size, partial(self._get, file)), 64 * 1024)

    def fetch(self, file: FileVersion, folder: Path) -> Fetched:
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=folder, prefix="fetched-", delete=False) as target:
            path = Path(target.name)
            try:
                for piece in self._pieces(file):
                    digest.update(piece)
                    target.write(piece)
            except BaseException:
                path.unlink()
                raise
        return Fetched(path, digest.hexdigest())

    def _pieces(self, file: FileVersion) -> Iterator[bytes]:
        if file.size <= _PIECE:
            yield self._get(file, 0, file.size)
            return
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="el-fetch") as pool:
            waiting: deque[Future[bytes]] = deque()
            try:
                for begin in range(0, file.size, _PIECE):
                    waiting.append(pool.submit(self._get, file, begin, min(begin + _PIECE, file.size)))
                    if len(waiting) == _AT_ONCE:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for each in waiting:
                    each.cancel()

    def _get(self, file: FileVersion, begin: int, end: int) -> bytes:
        """These bytes of exactly this version."""
        options: dict[str, Any] = {"if_match": file.version} if file.version.startswith('"') else {}
        if end - begin < file.size:
            options["range"] = (begin, end)
        try:
            answer = self._opened().get(file.uri.removeprefix(self.root), options=options)  # type: ignore[arg-type]
            told = answer.meta
            data = bytes(answer.bytes())
        except ElError:
            raise
        except Exception as error:
            raise refusal(file.uri, error, self._config.secrets()) from None
        if told["size"] != file.size or _version(told) != file.version:
            raise FileChanged(f"{file.uri}: was changed since it was listed")
        if len(data) != end - begin:
            raise ServerUnreachable(f"{file.uri}: {len(data)} bytes came instead of {end - begin}")
        return data

    def _opened(self) -> Client:
        with self._lock:
            if self._client is None:
                from el.dumps.stores.clients import client

                self._client = client(self.root, self._config)
            return self._client


def _without_folders(files: list[FileVersion]) -> list[FileVersion]:
    """Some stores list a folder as an empty object of its name: it is one if files are below it."""
    empty = {file.uri for file in files if file.size == 0}
    folders: set[str] = set()
    for file in files if empty else ():
        folder = file.uri.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return [file for file in files if file.size or file.uri not in folders]


def _version(told: Any) -> str:
    """The ETag in quotes, as conditions want it, for a list may have it without; else size and time."""
    etag: str | None = told["e_tag"]
    if etag:
        return f'"{etag.removeprefix("W/").strip(chr(34))}"'
    return f"{told['size']}-{told['last_modified'].isoformat()}"
