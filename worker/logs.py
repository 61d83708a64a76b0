"""Logging: one line an event, with fields from an allow-list only, so that no patient data can get in.

Other libraries' records are reduced to their logger, level and constant text: their arguments and tracebacks
may hold a message's body (Celery prints it for an unknown task). `--debug` changes the level, never the
allow-list.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

FIELDS = frozenset(
    {
        "event", "level", "timestamp", "logger", "message", "messages", "alert", "alerts", "evaluation",
        "delivery", "rule", "rules", "ruleset", "count", "counts", "reason", "state", "attempt", "attempts",
        "channel", "outcome", "format", "process", "pid", "exit_code", "seconds", "error", "address",
        "setting", "digest", "part", "point", "duty", "version", "lease", "task", "storm", "kind", "key",
        "limit", "entry",
    }
)  # fmt: skip
"""The only fields that are written. Ids are database numbers or rule ids; `error` is an exception's class."""

_CONTROL = dict.fromkeys((*range(32), 127, 133, 8232, 8233), " ")


def keep_allowed(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what is not on the list, and keep each value on one line."""
    kept = {name: _plain(value) for name, value in fields.items() if name in FIELDS}
    if dropped := len(fields) - len(kept):
        kept["count_dropped_fields"] = dropped
    return kept


def _plain(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, BaseException):
        return _named(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value).translate(_CONTROL)[:200]


def _named(error: BaseException) -> str:
    """The class and the place it was raised at; never its text, which may hold a value."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
    return f"{type(error).__name__}{place}"


class ConstantTextOnly(logging.Handler):
    """Writes another library's record through structlog: its constant text, never its arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; the exception by class alone."""
        text = (
            record.msg if isinstance(record.msg, str) and (record.args or _is_constant(record.msg)) else "…"
        )
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        log = structlog.get_logger(record.name)
        extra = {"error": error} if error else {}
        log.log(
            record.levelno, text.strip().splitlines()[0] if text.strip() else "…", logger=record.name, **extra
        )


def _is_constant(text: str) -> bool:
    """Whether a message without arguments is a literal of its library (formatted ones may carry data)."""
    return text in _KNOWN_CONSTANTS


_KNOWN_CONSTANTS = frozenset({"Application startup complete.", "Waiting for application startup."})


def configure(*, level: str = "info", style: str = "auto") -> None:
    """Set up structlog and route the standard library's loggers through it."""
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [ConstantTextOnly()]
    root.setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)


def logger(name: str) -> Any:
    """A logger for one module; give it fields of `FIELDS` only."""
    # Not `.bind(…)`: that would fix the settings of this moment, which is before `configure`.
    return structlog.get_logger(part=name)
