"""Row F80: a certificate that ends, an authority that changes: told before, refused then, never in plain."""

import os
import re
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.mllp.door import door, numbered, said
from tests.services.certificates import Authority, Pair
from tests.services.process import running
from worker.checkup import Health, examine
from worker.database import make_engine
from worker.mllp.tls import expires_at, server_context
from worker.settings import read_settings


def settings_for(pair: Pair, **more: Path) -> dict[str, str]:
    given = {"tls_certificate": pair.certificate, "tls_key": pair.key, **more}
    return {f"FERRULE_MLLP_{name.upper()}": str(path) for name, path in given.items()}


def trusting(*authorities: Authority, show: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for one in authorities:
        context.load_verify_locations(one.certificate)
    if show is not None:
        context.load_cert_chain(show.certificate, show.key)
    return context


def test_f80_an_expired_certificate_of_ours_is_refused_by_senders_and_nothing_goes_in_plain(
    authority: Authority, sqlite_url: str
) -> None:
    over = authority.issue("localhost", "server", expired=True)
    with door(make_engine(sqlite_url), tls=server_context(read_settings(settings_for(over)))) as here:
        with pytest.raises(ssl.SSLCertVerificationError):
            here.connect(tls=trusting(authority))
        plain = here.connect().send(numbered("PLAIN"))
        assert plain.is_closed(20)
        assert here.rows() == []


def test_f80_while_an_authority_changes_both_are_trusted_and_afterwards_only_the_new_one(
    authority: Authority, other_authority: Authority, sqlite_url: str, tmp_path: Path
) -> None:
    server = authority.issue("localhost", "server")
    both = tmp_path / "both.pem"
    both.write_bytes(authority.certificate.read_bytes() + other_authority.certificate.read_bytes())
    old, new = authority.issue("lis.north.example"), other_authority.issue("lis.north.example")
    during = server_context(read_settings(settings_for(server, client_ca=both)))
    with door(make_engine(sqlite_url), tls=during) as here:
        for name, pair in (("OLD", old), ("NEW", new)):
            sender = here.connect(tls=trusting(authority, show=pair))
            assert said(sender.asked(numbered(name))[0]) == ("AA", name)
    after = server_context(read_settings(settings_for(server, client_ca=other_authority.certificate)))
    with door(make_engine(sqlite_url), tls=after) as here:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            here.connect(tls=trusting(authority, show=old)).asked(numbered("LATE"))
        sender = here.connect(tls=trusting(authority, show=new))
        assert said(sender.asked(numbered("NEXT"))[0]) == ("AA", "NEXT")
        assert [row.message_id for row in here.rows()] == ["OLD", "NEW", "NEXT"]


def test_f80_the_listener_says_when_its_certificate_ends(
    authority: Authority, sqlite_url: str, tmp_path: Path
) -> None:
    pair = authority.issue("localhost", "server")
    end = expires_at(pair.certificate)
    assert end is not None
    assert timedelta(days=29) < end - datetime.now(UTC) <= timedelta(days=30)
    kept = tmp_path / "metrics"
    kept.mkdir()
    env = {
        **settings_for(pair),
        "FERRULE_DATABASE_URL": sqlite_url,
        "FERRULE_DATA_DIR": str(tmp_path),
        "FERRULE_MLLP_LISTEN": "127.0.0.1:0",
        "PROMETHEUS_MULTIPROC_DIR": str(kept),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    log = tmp_path / "listen.log"
    command = [sys.executable, "-m", "worker.processes.listen"]
    with running(command, log, ready=lambda: "listening for HL7" in log.read_text(), env=env, seconds=120):
        pass
    page = _page(kept)
    found = re.search(r"^ferrule_mllp_certificate_expires_timestamp_seconds (\S+)$", page, re.MULTILINE)
    assert found is not None
    assert float(found[1]) == end.timestamp()


def _page(kept: Path) -> str:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(kept))
    return generate_latest(registry).decode()


@pytest.mark.parametrize(("days", "health"), [(29, Health.WARNING), (-1, Health.ILL), (90, Health.WELL)])
def test_f80_the_doctor_says_when_the_certificate_ends(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, health: Health
) -> None:
    pair = authority.issue("localhost", "server")
    end = expires_at(pair.certificate)
    assert end is not None
    monkeypatch.setattr("worker.clock.now", lambda: end - timedelta(days=days, minutes=1))
    given = settings_for(pair) | {"FERRULE_DATA_DIR": str(tmp_path), "FERRULE_MLLP_LISTEN": "127.0.0.1:1"}
    (line,) = [one for one in examine(read_settings(given)) if one.part == "certificate"]
    assert line.health is health
    assert bool(line.advice) is (health is not Health.WELL)


def test_a_file_that_holds_no_certificate_ends_never(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_bytes(b"\xff\x00 no PEM")
    assert expires_at(tmp_path / "empty.pem") is None
    assert expires_at(tmp_path / "none.pem") is None
