"""How far into a file `ferrule submit` has come, so that a run that was stopped is gone on with.

Kept in the database the messages went to, with a hash of all that was passed: a file that has changed since,
or another one under its name, is read from its beginning. Repeating a message does no harm; skipping would.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.database import db_now, is_sqlite, reading, writing
from worker.intake.files import Piece
from worker.intake.unreadable import Unreadable
from worker.tables import FILE_PROGRESS

SAVE_EVERY = 1000
"""Messages between two notes; as many are submitted again, as duplicates, after a kill."""

Pieces = Callable[[], Iterator[Piece | Unreadable]]


class Progress:
    """The progress through one file. `pieces` is how many an earlier run has submitted."""

    def __init__(self, engine: Engine, name: str | None) -> None:
        self._engine = engine
        self._name = name
        self._hash = hashlib.sha256()
        self._passed = self._saved = 0
        self.pieces = 0

    @classmethod
    def of(cls, engine: Engine, path: Path) -> Progress:
        """The progress of a path; standard input has none. A path may name a patient: its hash is kept."""
        known = str(path) != "-"
        name = hashlib.sha256(str(path.resolve()).encode("utf-8", "replace")).hexdigest() if known else None
        return cls(engine, name)

    def resume(self, pieces: Pieces) -> Iterator[Piece | Unreadable]:
        """The pieces that no earlier run has submitted: all, when what it submitted is not what is there."""
        row = self._row()
        rest = pieces()
        if row is None:
            return rest
        self._count(itertools.islice(rest, row.pieces))
        if (self._passed, self._hash.hexdigest()) == (row.pieces, row.sha256):
            self.pieces = self._saved = self._passed
            return rest
        self._hash, self._passed = hashlib.sha256(), 0
        return pieces()

    def passed(self, batch: Iterable[Piece | Unreadable]) -> None:
        """These are committed."""
        self._count(batch)
        if self._name is not None and self._passed - self._saved >= SAVE_EVERY:
            self._save(self._name)

    def finished(self) -> None:
        """The end of the file: submitted again, it is read from its beginning."""
        if self._name is not None and self._saved:
            with writing(self._engine) as connection:
                connection.execute(FILE_PROGRESS.delete().where(FILE_PROGRESS.c.name_sha256 == self._name))

    def _count(self, pieces: Iterable[Piece | Unreadable]) -> None:
        for piece in pieces:
            raw = piece.raw if isinstance(piece, Piece) else b""
            self._hash.update(len(raw).to_bytes(8, "big") + raw)
            self._passed += 1

    def _row(self) -> Any:
        if self._name is None:
            return None
        with reading(self._engine) as connection:
            return connection.execute(
                select(FILE_PROGRESS).where(FILE_PROGRESS.c.name_sha256 == self._name)
            ).first()

    def _save(self, name: str) -> None:
        with writing(self._engine) as connection:
            dialect = sqlite if is_sqlite(connection) else postgresql
            values = {
                "pieces": self._passed,
                "sha256": self._hash.hexdigest(),
                "updated_at": db_now(connection),
            }
            insert = dialect.insert(FILE_PROGRESS).values(name_sha256=name, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["name_sha256"], set_=values))
        self._saved = self._passed
