"""Local passwords: hashed and checked with Argon2id. Where an account comes from is not decided here."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash("nobody's password")


def hash_password(password: str) -> str:
    """The text to keep in the account row."""
    return _HASHER.hash(password)


def password_fits(kept: str | None, password: str) -> bool:
    """Whether `password` is the one. For an unknown account (None) it takes as long to say no."""
    try:
        _HASHER.verify(kept or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None
