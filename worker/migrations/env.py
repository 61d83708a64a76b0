"""What Alembic runs: the migrations on the connection it is handed."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import worker.tables  # noqa: F401  (fills the metadata)

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
context.run_migrations()
