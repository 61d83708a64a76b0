"""`DATA_DIR/runtime.json`: where the parts of `ferrule up` are. For its owner alone: it holds passwords."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.settings import Settings


def write(settings: Settings, *, http: str, mllp: str, broker_url: str, pids: Mapping[str, int]) -> None:
    """Say where everything is; readers see the old file or the new one, never half of it."""
    runtime = {
        "http": http,
        "mllp": mllp,
        "broker_url": broker_url,
        "database_url": settings.database,
        "pids": {"up": os.getpid(), **pids},
    }
    path = _path(settings)
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(runtime, file, indent=1)
    new.replace(path)


def read(settings: Settings) -> dict[str, Any] | None:
    """What the last `up` in this DATA_DIR said; None when there is none. It may be dead by now."""
    try:
        found = json.loads(_path(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def remove(settings: Settings) -> None:
    """Nothing runs here any more."""
    _path(settings).unlink(missing_ok=True)


def _path(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "runtime.json"
