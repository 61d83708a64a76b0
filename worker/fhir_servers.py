"""The FHIR servers that a site has configured, as checked addresses. Nothing is asked of them here."""

from __future__ import annotations

from dataclasses import replace

from alerts.channels.guarded_http import Target, WrongUrl, target_of
from worker.settings import Settings, SettingsError


def check_servers(settings: Settings) -> None:
    """Refuse an address that would never be asked. Raises SettingsError, without the address."""
    for source in settings.fhir_servers:
        base_of(settings, source)


def base_of(settings: Settings, source: str) -> Target:
    """Where the server of a sender begins. Raises SettingsError."""
    try:
        return target_of(settings.fhir_servers[source].base, settings.private_host_names)
    except WrongUrl as error:
        raise SettingsError(f"FERRULE_FHIR_SERVERS: {error} (FERRULE_PRIVATE_HOSTS)") from None


def below(base: Target, path: str) -> Target:
    """An address under that beginning: the same host, whatever the path says."""
    return replace(base, path=f"{base.path.rstrip('/')}/{path}")
