"""The head of the audit chain, signed and kept off this machine every 5 minutes; does the last still stand?

The line goes to a directory (a share of another machine, best one that can only be added to), to an https
address, or both. How it is signed, `worker.head_signing` says.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from joserfc.jwk import OKPKey

from alerts import audit
from alerts.channels.guarded_http import GUARDED, GuardedHttp, target_of
from worker import metrics
from worker.composition import Deps
from worker.database import reading, writing
from worker.head_signing import Signed, readable, sign, signing_key
from worker.logs import logger
from worker.settings import Settings

log = logger("worker.audit")

EVERY = timedelta(minutes=5)
NEARLY = EVERY - timedelta(seconds=15)
"""A head this old is old enough: pollers do not wake to the second."""
FILE = "ferrule-audit-heads"


class NotKept(Exception):
    """Raised when a head could not be brought where it is kept; the poller tries again."""


def keep_due(deps: Deps, http: GuardedHttp = GUARDED) -> bool:
    """Keep the head, unless another poller has just done so, or the one kept last does not stand any more."""
    settings = deps.settings
    key = signing_key(settings)
    if key is None or not (settings.audit_heads_dir or settings.audit_heads_url):
        return False
    metrics.AUDIT_HEAD_WANTED.set(1)
    last = newest(settings.audit_heads_dir / FILE, key) if settings.audit_heads_dir else None
    with writing(deps.engine) as connection:
        audit.seal(connection)
    with reading(deps.engine) as connection:
        stands = last is None or audit.stands(connection, last.head)
        head, now = audit.head(connection), deps.clock(connection)
    metrics.AUDIT_BROKEN.set(int(not stands))
    if not stands:
        # No newer head covers it: the alert stays until somebody has looked and moved the file.
        log.error("the audit trail has lost what was sealed")
    elif last is None or now - last.at >= NEARLY:
        _keep(settings, sign(head, now, key), http)
        last = Signed(head, now)
    if stands and last is not None:
        metrics.AUDIT_HEAD_KEPT.set(last.at.timestamp())
    return False


def newest(path: Path, key: OKPKey) -> Signed | None:
    """The last line of a file of heads that `key` signed: a line that a power cut tore is passed over."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    return next(readable(reversed(lines), key), None)


def _keep(settings: Settings, line: str, http: GuardedHttp) -> None:
    if settings.audit_heads_dir is not None:
        _append(settings.audit_heads_dir / FILE, line)
    if settings.audit_heads_url is not None:
        target = target_of(settings.audit_heads_url.get_secret_value(), settings.private_host_names)
        reply = http.request("POST", target, line.encode(), {"Content-Type": "application/jose"})
        if not 200 <= reply.status < 300:
            raise NotKept


def _append(path: Path, line: str) -> None:
    """One write at the end, flushed: two pollers do not mix their lines. The directory must be there."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(handle, f"{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
