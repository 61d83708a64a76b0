"""TLS for the listener: 1.2 or newer, and client certificates where an authority for them is set."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509

from worker.settings import Settings, SettingsError

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has no others."""


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """The context, or None where no certificate is set. Raises SettingsError."""
    if settings.mllp_tls_certificate is None or settings.mllp_tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    _load(context, settings.mllp_tls_certificate, settings.mllp_tls_key)
    if settings.mllp_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        _trust(context, settings.mllp_client_ca, "MLLP_CLIENT_CA")
    if settings.mllp_client_crl is not None:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        _trust(context, settings.mllp_client_crl, "MLLP_CLIENT_CRL")
    return context


def expires_at(certificate: Path) -> datetime | None:
    """When the first certificate of a PEM file ends; None when there is none to be read."""
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        said = "FERRULE_MLLP_TLS_CERTIFICATE, FERRULE_MLLP_TLS_KEY: no certificate with its key"
        raise SettingsError(f"{said} ({type(error).__name__})") from None


def _trust(context: ssl.SSLContext, file: Path, setting: str) -> None:
    try:
        context.load_verify_locations(file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"FERRULE_{setting}: cannot be read as PEM ({type(error).__name__})") from None
