"""Packets ([MS-TDS] 2.2.3), the opening of a connection ([MS-TDS] 2.2.6.5 PRELOGIN, 2.2.6.4 LOGIN7) and TLS inside it.

`Channel` gives whole messages and takes bytes of an answer; it cuts them into packets of the negotiated size, wraps
them in TLS where that was agreed, and lets faults act on what is sent.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import select
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BATCH, RPC, RESPONSE, ATTENTION, BULK, TRANSACTION, LOGIN7, PRELOGIN = 1, 3, 4, 6, 7, 14, 16, 18
ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_NOT_SUP, ENCRYPT_REQ = 0, 1, 2, 3
SERVER_VERSION = (16, 0, 4135, 4)  # SQL Server 2022


class Disconnected(Exception):
    """The client is gone, or a fault cut the line."""


def self_signed_context() -> tuple[ssl.SSLContext, bytes]:
    """A server context with a certificate for localhost made now, and the certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # TLS 1.3 sends tickets after the handshake, which TDS 7.4 has no packet for.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.write_bytes(pem + secret)
        context.load_cert_chain(path)
    return context, pem


class Channel:
    """One client's connection as messages."""

    def __init__(self, sock: socket.socket, on_send: Callable[[bytes], bytes] | None = None) -> None:
        self.sock = sock
        self.packet_size = 4096
        self.tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._plain = bytearray()
        self._out = bytearray()
        self._packet_id = 0
        self._on_send = on_send
        self.attention = False

    # --- reading

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Disconnected(str(error)) from error
        if not data:
            raise Disconnected("closed by the client")
        return data

    def _fill(self) -> None:
        """Appends at least one byte of plain text."""
        if self.tls is None:
            self._plain += self._receive()
            return
        while True:
            try:
                data = self.tls.read(65536)
                if not data:
                    raise Disconnected("closed by the client")
                self._plain += data
                return
            except ssl.SSLWantReadError:
                self._incoming.write(self._receive())
            except ssl.SSLError as error:
                raise Disconnected(str(error)) from error

    def _take(self, count: int) -> bytes:
        while len(self._plain) < count:
            self._fill()
        part = bytes(self._plain[:count])
        del self._plain[:count]
        return part

    def packet(self) -> tuple[int, int, bytes]:
        kind, status, length = struct.unpack(">BBH", self._take(4))
        self._take(4)
        return kind, status, self._take(length - 8)

    def message(self) -> tuple[int, int, bytes]:
        """Type, first status and body of the next whole message; a message to be ignored is skipped."""
        kind, first, body = self.packet()
        parts, status = [body], first
        while not status & 1:
            _, status, body = self.packet()
            parts.append(body)
        if status & 2 and kind != ATTENTION:
            return self.message()
        return kind, first, b"".join(parts)

    def readable(self, timeout: float = 0) -> bool:
        if self._plain:
            return True
        if self.tls is not None and (self.tls.pending() or self._incoming.pending):
            return True
        try:
            return bool(select.select([self.sock], [], [], timeout)[0])
        except (OSError, ValueError) as error:
            raise Disconnected(str(error)) from error

    def attended(self, wait: bool = False) -> bool:
        """Whether the client asked to stop ([MS-TDS] 2.2.1.7); looked at between packets."""
        if not self.attention and (wait or self.readable()):
            kind, _, _ = self.packet()
            if kind != ATTENTION:
                raise Disconnected("a request before the answer to the last one was whole")
            self.attention = True
        return self.attention

    # --- writing

    def _send(self, data: bytes) -> None:
        allowed = data if self._on_send is None else self._on_send(data)
        try:
            self.sock.sendall(allowed)
        except OSError as error:
            raise Disconnected(str(error)) from error
        if len(allowed) < len(data):
            self.cut()
            raise Disconnected("cut by a fault")

    def _packets(self, kind: int, bodies: list[bytes], last: bool) -> None:
        """Sends packets, with status "end of message" on the last of them if it is that (2.2.3.1)."""
        parts = []
        for i, body in enumerate(bodies):
            self._packet_id = (self._packet_id + 1) % 256
            end = 1 if last and i == len(bodies) - 1 else 0
            parts += [struct.pack(">BBHHBB", kind, end, len(body) + 8, 0, self._packet_id, 0), body]
        data = b"".join(parts)
        if self.tls is not None:
            self.tls.write(data)
            data = self._outgoing.read()
        self._send(data)

    def write(self, data: bytes) -> None:
        """Queues bytes of the answer and sends the packets that are full."""
        self._out += data
        room = self.packet_size - 8
        full = (len(self._out) - 1) // room
        if full > 0:
            whole = bytes(self._out[: full * room])
            self._packets(RESPONSE, [whole[at : at + room] for at in range(0, len(whole), room)], last=False)
            del self._out[: full * room]

    def flush(self) -> None:
        """Sends what is queued, in a packet that is not the last."""
        if self._out:
            body = bytes(self._out)
            self._out.clear()
            self._packets(RESPONSE, [body], last=False)

    def end(self) -> None:
        """Ends the message."""
        body = bytes(self._out)
        self._out.clear()
        self._packets(RESPONSE, [body], last=True)

    def cut(self) -> None:
        """Ends the connection without a word."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    # --- TLS

    def start_tls(self, context: ssl.SSLContext) -> None:
        """The handshake, each flight inside PRELOGIN packets ([MS-TDS] 3.2.5.2, 2.2.6.5)."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            except ssl.SSLError as error:
                with contextlib.suppress(Disconnected):
                    if self._outgoing.pending:
                        self._packets(PRELOGIN, [self._outgoing.read()], last=True)
                raise Disconnected(f"TLS handshake: {error}") from error
            if self._outgoing.pending:
                self._packets(PRELOGIN, [self._outgoing.read()], last=True)
            if done:
                break
            _, _, body = self.message()
            self._incoming.write(body)
        self.tls = tls

    def stop_tls(self) -> None:
        """After an encrypted login only ([MS-TDS] 2.2.6.5, ENCRYPT_OFF): what follows is plain."""
        self.tls = None


def agree_encryption(asked: int, offered: bool) -> int:
    """The server's ENCRYPTION for what the client asks ([MS-TDS] 2.2.6.5): on, for the login only (off), or none."""
    if not offered:
        return ENCRYPT_NOT_SUP
    return {ENCRYPT_OFF: ENCRYPT_OFF, ENCRYPT_NOT_SUP: ENCRYPT_NOT_SUP}.get(asked, ENCRYPT_ON)


def parse_prelogin(body: bytes) -> dict[int, bytes]:
    options, at = {}, 0
    while at < len(body) and body[at] != 0xFF:
        token, offset, length = struct.unpack_from(">BHH", body, at)
        options[token] = body[offset : offset + length]
        at += 5
    return options


def prelogin_answer(encryption: int) -> bytes:
    """VERSION, ENCRYPTION, INSTOPT, THREADID, MARS (off)."""
    version = struct.pack(">BBHH", SERVER_VERSION[0], SERVER_VERSION[1], SERVER_VERSION[2], SERVER_VERSION[3])
    options = [(0, version), (1, bytes([encryption])), (2, b"\0"), (3, b""), (4, b"\0")]
    offset = 5 * len(options) + 1
    head, data = b"", b""
    for token, value in options:
        head += struct.pack(">BHH", token, offset + len(data), len(value))
        data += value
    return head + b"\xff" + data


@dataclass
class Login:
    """LOGIN7 as the server uses it."""

    user: str = ""
    password: str = ""
    host: str = ""
    application: str = ""
    database: str = ""
    tds_version: int = 0
    packet_size: int = 4096
    integrated: bool = False
    read_only: bool = False
    features: list[int] = field(default_factory=list)


def parse_login7(body: bytes) -> Login:
    """LOGIN7 ([MS-TDS] 2.2.6.4): places and lengths of its parts stand first."""
    _, version, packet_size = struct.unpack_from("<III", body)
    flags2, type_flags, flags3 = body[25], body[26], body[27]

    def variable(at: int) -> bytes:
        offset, length = struct.unpack_from("<HH", body, at)
        return body[offset : offset + 2 * length]

    def text(at: int) -> str:
        return variable(at).decode("utf-16-le")

    # Each byte of the password: halves swapped, then XOR 0xA5.
    plain = bytes(((b ^ 0xA5) << 4 | (b ^ 0xA5) >> 4) & 0xFF for b in variable(44))
    login = Login(
        user=text(40),
        password=plain.decode("utf-16-le"),
        host=text(36),
        application=text(48),
        database=text(68),
        tds_version=version,
        packet_size=min(max(packet_size or 4096, 512), 32767),
        integrated=bool(flags2 & 0x80),
        read_only=bool(type_flags & 0x20),
    )
    if flags3 & 0x10:
        at = struct.unpack_from("<I", body, struct.unpack_from("<H", body, 56)[0])[0]
        while at < len(body) and body[at] != 0xFF:
            login.features.append(body[at])
            at += 5 + struct.unpack_from("<I", body, at + 1)[0]
    return login
