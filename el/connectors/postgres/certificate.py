"""How a client asks a PostgreSQL for TLS (PostgreSQL Documentation, "Message Flow": "SSL Session Encryption")."""

from __future__ import annotations

import socket
import struct

_SSL_REQUEST = struct.pack("!II", 8, 80877103)


def asks_for_tls(line: socket.socket) -> bool:
    """Whether the server goes on with TLS."""
    line.sendall(_SSL_REQUEST)
    return line.recv(1) == b"S"
