"""The certificate that a server shows, looked at without being trusted: what it is of, and how long it is good for.

Whether it is trusted the driver decides when it connects. Nothing is sent over the line that is opened here.
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

_SECONDS = 5


class CertificateSource(ABC):
    """Its server shows a certificate."""

    @abstractmethod
    def certificate(self) -> bytes | None:
        """The server's certificate (DER); None where the line is not encrypted, or it cannot be had."""


def looks_only() -> ssl.SSLContext:
    """Takes any certificate, to look at it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shown_at(
    host: str, port: int, begin: Callable[[socket.socket], bool] | None = None, alpn: str | None = None
) -> bytes | None:
    """What a server shows that speaks TLS: at once, or after `begin`, which says whether it will."""
    context = looks_only()
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    with suppress(OSError), socket.create_connection((host, port), _SECONDS) as line:
        if begin is None or begin(line):
            with context.wrap_socket(line, server_hostname=host) as encrypted:
                return encrypted.getpeercert(binary_form=True)
    return None
