"""How a verb fails: one line that says what to do, and an exit code (0 is done).

NO: the answer is no. USAGE: wrong usage or unreadable input. UNREACHABLE: a part does not answer.
"""

from __future__ import annotations

NO = 1
USAGE = 2
UNREACHABLE = 3


class Failure(Exception):
    """Ends a verb with one line on stderr and `code`."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code
