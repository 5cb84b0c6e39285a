"""SFTP, by asyncssh: not the library with which el reads."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.place import Place

USER, PASSWORD = "reader", "password-of-the-tests"


class Sftp(Place):
    """Files lie in a folder here, which is the whole of what the server shows."""

    many = 300  # a list has no pages

    def __init__(self, folder: Path, port: int, host_key: str, client_key: Path) -> None:
        self.folder = folder
        self.client_key = client_key
        self.host_key = host_key
        self.address = f"sftp://127.0.0.1:{port}"
        self.root, self.missing = f"{self.address}/data", f"{self.address}/nowhere"
        self.settings = {"user": USER, "password": PASSWORD, "host_key": host_key}
        self.known_as = f"[127.0.0.1]:{port}"
        self.logins: list[str] = []
        self._puts = 0

    def put(self, name: str, data: bytes) -> None:
        """Each a second after the one before: the protocol tells no less."""
        path = self.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._puts += 1
        os.utime(path, (1_700_000_000 + self._puts,) * 2)

    def delete(self, name: str) -> None:
        os.unlink(self.folder / "data" / name)


@contextmanager
def sftp(folder: Path, keys: Path) -> Iterator[Sftp]:
    import asyncssh

    host, login = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    login.write_private_key(str(keys / "login"))
    (keys / "authorized").write_bytes(login.export_public_key())

    logins: list[str] = []

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            logins.append(username)
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    def files(channel: Any) -> Any:
        return asyncssh.SFTPServer(channel, chroot=os.fsencode(folder))

    loop = asyncio.new_event_loop()
    started: Any = loop.run_until_complete(
        asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=str(keys / "authorized"),
            sftp_factory=files,
        )
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        key = host.export_public_key().decode().strip()
        place = Sftp(folder, started.get_port(), key, keys / "login")
        place.logins = logins
        yield place
    finally:
        loop.call_soon_threadsafe(started.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
