"""The certificate that a SQL Server shows. Up to TDS 7.4 the handshake of TLS travels within packets of TDS.

[MS-TDS] 2.2.3.1 "Packet Header", 2.2.6.5 "PRELOGIN"; TDS 8 (`encrypt: strict`) begins with TLS.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress

from el.connectors.certificate import looks_only, shown_at
from el.connectors.sqlserver.config import SqlServerConfig

_SECONDS = 5
_PRELOGIN = 0x12
# Where VERSION and ENCRYPTION stand, and how long they are; then their values: encryption is on.
_OPTIONS = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF) + bytes(6) + b"\x01"
_NOT_SUPPORTED = 2


def shown(config: SqlServerConfig) -> bytes | None:
    """The server's certificate (DER); None where none is shown, or where it cannot be told which server it is."""
    if config.encrypt is False or config.host is None or not config.by_port:
        return None
    if config.encrypt == "strict":
        return shown_at(config.host, config.port, alpn="tds/8.0")
    with suppress(OSError), socket.create_connection((config.host, config.port), _SECONDS) as line:
        line.sendall(_packet(_OPTIONS))
        if _encryption(_received(line)) != _NOT_SUPPORTED:
            return _handshake(line, config.host)
    return None


def _handshake(line: socket.socket, host: str) -> bytes | None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = looks_only().wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            tls.do_handshake()
            return tls.getpeercert(binary_form=True)
        except ssl.SSLWantReadError:
            if outgoing.pending:
                line.sendall(_packet(outgoing.read()))
            incoming.write(_received(line))


def _packet(content: bytes) -> bytes:
    return struct.pack(">BBHHBB", _PRELOGIN, 1, len(content) + 8, 0, 0, 0) + content


def _received(line: socket.socket) -> bytes:
    header = _exactly(line, 8)
    return _exactly(line, struct.unpack(">H", header[2:4])[0] - 8)


def _exactly(line: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = line.recv(size - len(found))
        if not part:
            raise ConnectionError("the server closed the line")
        found += part
    return found


def _encryption(answer: bytes) -> int:
    """What the server says to ENCRYPTION, the option 1."""
    for at in range(0, len(answer) - 4, 5):
        option, offset, _ = struct.unpack(">BHH", answer[at : at + 5])
        if option == 0xFF:
            break
        if option == 1:
            return int(answer[offset])
    return _NOT_SUPPORTED
