"""The name of a time zone, as people write it in settings, files and preferences."""

from zoneinfo import ZoneInfo


def zone_named(name: str) -> ZoneInfo:
    """That zone; raises ValueError, which says what to write, for a name that is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, a path, a folder of the zone database
        raise ValueError("expected the name of a time zone, such as Europe/Oslo") from None
