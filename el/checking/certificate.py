"""Whose certificate a server shows, and for how many days it is good; whether it is trusted is another check."""

from __future__ import annotations

from el.connectors.base import Connector
from el.connectors.certificate import CertificateSource
from el.connectors.check import Check, fine, warn, wrong
from el.errors import to_install
from el.types.present import utc_now

# Time enough to have another one made.
SOON = 30


def expiry(connector: Connector) -> Check | None:
    """None where no certificate is shown."""
    shown = connector.certificate() if isinstance(connector, CertificateSource) else None
    if shown is None:
        return None
    try:
        from cryptography import x509
    except ImportError:
        return fine("expiry", "the server's certificate cannot be read without a library", to_install("secrets"))
    found = x509.load_der_x509_certificate(shown)
    until = found.not_valid_after_utc.replace(tzinfo=None)
    days = (until - utc_now()).days
    said = f"certificate of {found.subject.rfc4514_string() or 'nobody by name'}, signed by "
    said += f"{found.issuer.rfc4514_string()}, good until {until:%Y-%m-%d}: {days} days left"
    if days < 0:
        return wrong("expiry", said, "have a new certificate made for the server")
    return warn("expiry", said, "have a new certificate made for the server") if days < SOON else fine("expiry", said)
