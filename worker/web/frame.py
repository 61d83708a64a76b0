"""The frame around every page: who is signed in, whom they cover, and the pages that their roles have."""

from __future__ import annotations

from dataclasses import dataclass

from worker.web.readers import Reader, WrongRole

FRONT_DOOR = "/inbox"


@dataclass(frozen=True, slots=True)
class Link:
    """One page of the navigation."""

    path: str
    words: str


PAGES: dict[str, tuple[Link, ...]] = {
    "clinician": (
        Link("/inbox", "Inbox"),
        Link("/cover", "Cover"),
        Link("/preferences", "Messages"),
        Link("/break-glass", "Break-glass"),
    ),
    "operator": (
        Link("/quarantine", "Quarantine"),
        Link("/storms", "Storms"),
        Link("/unaddressed", "Unaddressed"),
        Link("/calls", "Call list"),
        Link("/overdue", "Overdue"),
    ),
    "rule-owner": (Link("/governance", "Rules"),),
    "privacy-officer": (Link("/privacy", "Privacy"),),
}
"""Which pages a role has, its own landing page first."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame shows of the reader."""

    name: str
    covering: str
    csrf: str
    links: tuple[Link, ...]


def frame_of(reader: Reader, covering: str = "") -> Frame:
    """The frame for this reader."""
    return Frame(reader.name, covering, reader.csrf, links_of(reader))


def links_of(reader: Reader) -> tuple[Link, ...]:
    """The pages of all their roles."""
    return tuple(link for role, links in PAGES.items() if role in reader.role.split() for link in links)


def home_of(reader: Reader) -> str:
    """Where somebody lands who asks for no page in particular; raises WrongRole when no page is theirs."""
    links = links_of(reader)
    if not links:
        raise WrongRole
    return links[0].path
