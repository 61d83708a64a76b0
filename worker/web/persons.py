"""Who somebody is by the claims of the OpenID provider: roles, the address in the directory, a name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.people import Address
from worker.settings import Settings
from worker.web.id_tokens import NotTheirs

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Person:
    """`issuer` and `subject` say who it is, for good; all else may be different at the next sign-in."""

    issuer: str
    subject: str
    roles: tuple[str, ...]
    address: Address | None
    name: str


def person_of(claims: Mapping[str, Any], settings: Settings) -> Person:
    """The person. Raises NotTheirs when they have no role here, or are a clinician without an id."""
    held = _texts(_claim(claims, settings.oidc_roles_claim))
    roles = tuple(role for role, values in settings.oidc_roles.items() if held & set(values))
    if not roles:
        raise NotTheirs("no role")
    ident = _claim(claims, settings.oidc_ident_claim)
    address = (
        Address(settings.oidc_ident_system, str(ident)) if isinstance(ident, str | int) and ident else None
    )
    if "clinician" in roles and address is None:
        raise NotTheirs("no identifier")
    name = next((claims[c] for c in ("name", "preferred_username") if isinstance(claims.get(c), str)), "")
    return Person(claims["iss"], claims["sub"], roles, address, name[:LONGEST_NAME] or "Somebody")


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, else by the steps to it: `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _texts(value: object) -> set[str]:
    """A claim that is a text, or a list of texts."""
    many = value if isinstance(value, list) else [value]
    return {text for text in many if isinstance(text, str)}
