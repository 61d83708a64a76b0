"""Which ways to tell someone this site has, beside the inbox. Telling itself is `worker.telling`."""

from __future__ import annotations

from alerts.channels.email import EmailChannel, WrongSmtpUrl, smtp_server
from worker.settings import Settings, SettingsError

SENDER = "ferrule@localhost"


def push_channels(settings: Settings) -> tuple[str, ...]:
    """The channels that are switched on."""
    return ("email",) if settings.smtp_url else ()


def email_channel(settings: Settings) -> EmailChannel | None:
    """The channel for SMTP_URL. Raises SettingsError, without the URL, when it cannot be understood."""
    if settings.smtp_url is None:
        return None
    try:
        server = smtp_server(settings.smtp_url.get_secret_value())
    except WrongSmtpUrl as error:
        raise SettingsError(f"FERRULE_{error}") from None
    return EmailChannel(server, settings.smtp_from or SENDER, settings.links_to)
