"""Bearer tokens for programs and people: made once, shown once, kept as a hash. Rights are the web's."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from worker.tables import TOKEN

SECRET_BYTES = 32


class Role(StrEnum):
    """What the holder of a token may do."""

    INTAKE = "intake"
    CLINICIAN = "clinician"
    OPERATOR = "operator"


def create(
    connection: Connection, role: Role, now: datetime, *, of: tuple[str, str] | None = None, label: str = ""
) -> str:
    """A new token's secret; `of` is the (system, id) of the clinician it stands for."""
    secret = f"ferrule_{secrets.token_urlsafe(SECRET_BYTES)}"
    connection.execute(
        TOKEN.insert().values(
            secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            role=role.value,
            system=of[0] if of else None,
            ident=of[1] if of else None,
            label=label,
            created_at=now,
        )
    )
    return secret
