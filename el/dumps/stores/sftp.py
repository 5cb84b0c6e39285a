"""Files of a server reached by SSH: `sftp://host:22/folder/orders.csv`; by paramiko, of the extra `sftp`.

Guarantees: a server whose key is not known, or is another one, gets no login; a file that is written to while it is
read is seen; what is read comes in windows, so memory is bounded; a connection that was cut is made again by the next.
SFTP tells times in whole seconds: a file that is written twice within one, with the same size, is the same file.
"""

from __future__ import annotations

import hashlib
import io
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from el.config.files_profile import FilesConfig
from el.dumps.file_version import FileVersion
from el.dumps.stores.base import Fetched, Store
from el.dumps.stores.ranges import RangeReader
from el.errors import ConnectError, ElError, FileChanged, NotPermitted, PlanError, ServerUnreachable

if TYPE_CHECKING:
    from paramiko import SFTPAttributes, SFTPClient, SFTPFile

_WINDOW = 8 * 1024 * 1024


class SftpStore(Store):
    """One server. root: "sftp://host:port/". The connection is made when it is first needed, and never pickled."""

    def __init__(self, root: str, config: FilesConfig) -> None:
        self.root = root
        self._config = config
        self._client: SFTPClient | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"SftpStore({self.root!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SftpStore, (self.root, self._config)

    def list(self, prefix: str) -> Iterator[FileVersion]:
        path = self._path(prefix)
        folder = path.rpartition("/")[0] or "/"
        client = self._opened()
        try:
            with self._refused(self.root.rstrip("/") + folder):
                client.stat(folder)
        except FileChanged:
            # It may be away: that is not the same as a folder without files.
            raise ConnectError(f"{self.root.rstrip('/')}{folder}: there is no such folder") from None
        yield from self._files(client, folder, path)

    def open(self, file: FileVersion) -> BinaryIO:
        handle = self._handle(file)
        return _Reader(RangeReader(file.size, partial(self._get, handle, file)), handle)

    def fetch(self, file: FileVersion, folder: Path) -> Fetched:
        digest = hashlib.sha256()
        handle = self._handle(file)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="fetched-", delete=False) as target:
            path = Path(target.name)
            try:
                for begin in range(0, file.size, _WINDOW):
                    piece = self._get(handle, file, begin, min(begin + _WINDOW, file.size))
                    digest.update(piece)
                    target.write(piece)
            except BaseException:
                path.unlink()
                raise
            finally:
                handle.close()
        return Fetched(path, digest.hexdigest())

    def _handle(self, file: FileVersion) -> SFTPFile:
        with self._refused(file.uri):
            handle = self._opened().open(self._path(file.uri), "rb")
        try:
            self._compare(handle, file)
        except BaseException:
            handle.close()
            raise
        return handle

    def _get(self, handle: SFTPFile, file: FileVersion, begin: int, end: int) -> bytes:
        """These bytes, and a look afterwards whether the file is still the one that was listed."""
        with self._refused(file.uri):
            # Many requests are under way at once, and no more than the window holds.
            data = b"".join(handle.readv([(begin, end - begin)]))
        self._compare(handle, file)
        if len(data) != end - begin:
            raise FileChanged(f"{file.uri}: was changed since it was listed")
        return data

    def _compare(self, handle: SFTPFile, file: FileVersion) -> None:
        with self._refused(file.uri):
            found = handle.stat()
        if _version(found) != file.version:
            raise FileChanged(f"{file.uri}: was changed since it was listed")

    def _files(self, client: SFTPClient, folder: str, prefix: str) -> Iterator[FileVersion]:
        """The files below a folder, in the order of their paths."""
        entries: dict[str, SFTPAttributes | None] = {}
        below = folder.rstrip("/") + "/"
        try:
            with self._refused(self.root.rstrip("/") + folder):
                for each in client.listdir_attr(folder):
                    found, path = self._followed(client, each, below + each.filename, folder)
                    if found is not None and stat.S_ISDIR(found.st_mode or 0):
                        entries[path + "/"] = None
                    elif found is not None and stat.S_ISREG(found.st_mode or 0):
                        entries[path] = found
        except FileChanged:
            # The folder went away while its neighbours were listed, and its files with it.
            return
        for path in sorted(entries):
            attributes = entries[path]
            if attributes is None:
                if path.startswith(prefix) or prefix.startswith(path):
                    yield from self._files(client, path.rstrip("/"), prefix)
            elif path.startswith(prefix):
                modified = datetime.fromtimestamp(attributes.st_mtime or 0, UTC)
                uri = self.root.rstrip("/") + path
                yield FileVersion(uri, _version(attributes), attributes.st_size or 0, modified)

    def _followed(
        self, client: SFTPClient, each: SFTPAttributes, path: str, folder: str
    ) -> tuple[SFTPAttributes | None, str]:
        """What a link leads to; None where that is not there, or leads around in a circle."""
        if not stat.S_ISLNK(each.st_mode or 0):
            return each, path
        try:
            found = client.stat(path)
        except FileNotFoundError:
            return None, path
        if stat.S_ISDIR(found.st_mode or 0):
            here, there = client.normalize(folder) or "/", client.normalize(path) or "/"
            if f"{here.rstrip('/')}/".startswith(f"{there.rstrip('/')}/"):
                return None, path
        return found, path

    def _path(self, uri: str) -> str:
        return "/" + uri.removeprefix(self.root)

    def _opened(self) -> SFTPClient:
        with self._lock:
            channel = None if self._client is None else self._client.get_channel()
            if self._client is None or channel is None or channel.closed:
                from el.dumps.stores.ssh import connect

                self._client = connect(self.root, self._config)
            return self._client

    @contextmanager
    def _refused(self, place: str) -> Iterator[None]:
        """An error of the connection as an `ElError` that names the file or folder."""
        from paramiko import SSHException

        try:
            yield
        except ElError:
            raise
        except FileNotFoundError:
            raise FileChanged(f"{place}: is gone since it was listed") from None
        except PermissionError:
            raise NotPermitted(f"{place}: this user may not read it") from None
        except UnicodeDecodeError:
            raise PlanError(f"{place}: a name in it is not UTF-8: rename the file") from None
        except (SSHException, EOFError, OSError) as error:
            with self._lock:
                self._client = None
            raise ServerUnreachable(f"{place}: the connection was cut ({error or type(error).__name__})") from None


class _Reader(io.BufferedReader):
    """Closes the server's handle with itself."""

    def __init__(self, raw: RangeReader, handle: SFTPFile) -> None:
        super().__init__(raw, 64 * 1024)
        self._handle = handle

    def close(self) -> None:
        super().close()
        self._handle.close()


def _version(found: SFTPAttributes) -> str:
    return f"{found.st_size}-{found.st_mtime}"
