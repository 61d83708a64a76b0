"""Which ways to tell someone this site has, beside the inbox. Telling itself is `worker.telling`.

A new channel is a file in `alerts.channels`, its settings, and a line in MAKERS: the poller gives it a thread
of its own, so that a dead one never delays another.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from alerts.channels.channel import Channel
from alerts.channels.email import EmailChannel, WrongSmtpUrl, smtp_server
from alerts.channels.fhir import FhirChannel, token_in
from alerts.channels.guarded_http import MLLP, WrongUrl, target_of
from alerts.channels.hl7 import Hl7Channel
from alerts.channels.notification import PHONE, NotificationChannel
from alerts.channels.record_entry import Entries
from alerts.channels.webhook import WebhookChannel, WrongSecret, keys_of
from alerts.routing import SMS
from worker import clock
from worker.record_entries import nothing
from worker.settings import Settings, SettingsError

SENDER = "ferrule@localhost"


def push_channels(settings: Settings) -> tuple[str, ...]:
    """The channels that are switched on."""
    switches = {
        "email": settings.smtp_url,
        "webhook": settings.webhook_url,
        "chat": settings.chat_url,
        "sms": settings.sms_url,
        "pager": settings.pager_url,
        "fhir": settings.fhir_url,
        "hl7": settings.hl7_record_url,
    }
    return tuple(name for name, value in switches.items() if value)


def email_channel(settings: Settings) -> EmailChannel | None:
    """The channel for SMTP_URL. Raises SettingsError, without the URL, when it cannot be understood."""
    if settings.smtp_url is None:
        return None
    try:
        server = smtp_server(settings.smtp_url.get_secret_value())
    except WrongSmtpUrl as error:
        raise SettingsError(f"FERRULE_{error}") from None
    return EmailChannel(server, settings.smtp_from or SENDER, settings.links_to)


def webhook_channel(settings: Settings) -> WebhookChannel | None:
    """The channel for WEBHOOK_URL. Raises SettingsError, without the URL or the secret."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    try:
        target = target_of(settings.webhook_url.get_secret_value(), settings.private_host_names)
        keys = keys_of(settings.webhook_secret.get_secret_value())
    except WrongUrl as error:
        raise SettingsError(f"FERRULE_WEBHOOK_URL: {error}") from None
    except WrongSecret as error:
        raise SettingsError(f"FERRULE_WEBHOOK_SECRET: {error}") from None
    return WebhookChannel(target, keys, settings.links_to, clock.now)


def fhir_channel(settings: Settings, entries: Entries) -> FhirChannel | None:
    """The channel for FHIR_URL. Raises SettingsError, without the URL."""
    if settings.fhir_url is None:
        return None
    try:
        base = target_of(settings.fhir_url.get_secret_value(), settings.private_host_names)
    except WrongUrl as error:
        raise SettingsError(f"FERRULE_FHIR_URL: {error}") from None
    if "?" in base.path:
        raise SettingsError("FERRULE_FHIR_URL: expected no query in it")
    path = settings.fhir_token_file
    return FhirChannel(base, lambda: token_in(path) if path else None, entries, settings.links_to, clock.now)


def hl7_channel(settings: Settings, entries: Entries) -> Hl7Channel | None:
    """The channel for HL7_RECORD_URL. Raises SettingsError, without the URL."""
    if settings.hl7_record_url is None:
        return None
    try:
        target = target_of(settings.hl7_record_url.get_secret_value(), settings.private_host_names, MLLP)
    except WrongUrl as error:
        raise SettingsError(f"FERRULE_HL7_RECORD_URL: {error}") from None
    sender = urlsplit(settings.links_to).hostname or "ferrule"
    return Hl7Channel(target, entries, settings.links_to, sender, lambda: _hl7_tls(settings))


def _hl7_tls(settings: Settings) -> ssl.SSLContext:
    """Read for each attempt: certificates are exchanged while we run."""
    context = ssl.create_default_context(cafile=settings.hl7_record_ca)
    if settings.hl7_record_certificate:
        context.load_cert_chain(settings.hl7_record_certificate)
    return context


def notification_channel(name: str, settings: Settings, url: SecretStr | None) -> NotificationChannel | None:
    """The channel for CHAT_URL, SMS_URL or PAGER_URL. Whether Apprise knows the address, sending tells."""
    if url is None:
        return None
    setting, text = f"FERRULE_{name.upper()}_URL", url.get_secret_value()
    if "://" not in text:
        raise SettingsError(f"{setting}: expected an Apprise URL (slack://…, twilio://…)")
    if name == SMS and PHONE not in text:
        raise SettingsError(f"{setting}: expected {PHONE} where the number goes")
    return NotificationChannel(name, text, settings.links_to)


Maker = Callable[[Settings, Entries], Channel | None]

MAKERS: Mapping[str, Maker] = {
    "email": lambda settings, _: email_channel(settings),
    "webhook": lambda settings, _: webhook_channel(settings),
    "chat": lambda settings, _: notification_channel("chat", settings, settings.chat_url),
    "sms": lambda settings, _: notification_channel("sms", settings, settings.sms_url),
    "pager": lambda settings, _: notification_channel("pager", settings, settings.pager_url),
    "fhir": fhir_channel,
    "hl7": hl7_channel,
}
"""What makes each channel from the settings, and from what reads alerts whole; None: it is off."""


def check_channels(settings: Settings) -> None:
    """Raises SettingsError for the first channel whose settings cannot be understood."""
    for make in MAKERS.values():
        make(settings, nothing)
