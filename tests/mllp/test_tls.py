"""Rows S10, S37 and B11: TLS 1.2 or newer, client certificates, and whom each of them is."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mllp.door import Door, door, err, eventually, numbered, said
from tests.services.certificates import Authority, Pair
from worker import metrics
from worker.database import make_engine
from worker.mllp.policy import Policy
from worker.mllp.tls import server_context
from worker.settings import SettingsError, read_settings
from worker.sources import Hl7Sender, Sender, Sources

SOURCES = Sources(
    (
        Sender("north", hl7=(Hl7Sender("NORTH", "LIS"),), certificates=("lis.north.example",)),
        Sender("south", hl7=(Hl7Sender("SOUTH", "LIS"),), certificates=("lis.south.example",)),
    )
)


def server_settings(server: Pair, **more: Path) -> dict[str, str]:
    given = {"tls_certificate": server.certificate, "tls_key": server.key, **more}
    return {f"FERRULE_MLLP_{name.upper()}": str(path) for name, path in given.items()}


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.issue("localhost", "server")


@pytest.fixture(scope="module")
def revoked(authority: Authority) -> Pair:
    """A certificate of a known source that has been lost."""
    pair = authority.issue("lis.north.example")
    authority.revoke(pair)
    return pair


@pytest.fixture
def guarded(authority: Authority, revoked: Pair, server: Pair, sqlite_url: str) -> Iterator[Door]:
    """A listener that wants client certificates, and knows what was revoked."""
    given = server_settings(server, client_ca=authority.certificate, client_crl=authority.revoked())
    tls = server_context(read_settings(given))
    with door(make_engine(sqlite_url), policy=Policy(lambda: SOURCES), tls=tls) as made:
        yield made


def client(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def is_refused(here: Door, context: ssl.SSLContext) -> bool:
    """Whether this client gets no answer, at the handshake or at its first message."""
    try:
        here.connect(tls=context).asked(numbered("A"))
    except (ssl.SSLError, ConnectionError):
        return here.rows() == []
    return False


def test_b11_a_sender_with_its_own_certificate_is_let_in(authority, guarded):
    own = client(authority, authority.issue("lis.north.example"))
    assert said(guarded.connect(tls=own).asked(numbered("A"))[0]) == ("AA", "A")


def test_s10_without_a_certificate_nobody_is_let_in(authority, guarded):
    assert is_refused(guarded, client(authority))


@pytest.mark.parametrize(
    "made",
    [
        lambda authority, other: other.issue("lis.north.example"),
        lambda authority, other: authority.issue("lis.north.example", expired=True),
        lambda authority, other: authority.issue("lis.east.example"),
    ],
    ids=["wrong-authority", "expired", "of-no-source"],
)
def test_s10_a_certificate_that_is_not_good_is_refused(
    authority: Authority,
    other_authority: Authority,
    guarded: Door,
    made: Callable[[Authority, Authority], Pair],
):
    assert is_refused(guarded, client(authority, made(authority, other_authority)))


def test_s10_a_revoked_certificate_is_refused(authority: Authority, revoked: Pair, guarded: Door):
    assert is_refused(guarded, client(authority, revoked))


def test_b11_a_certificate_of_no_source_is_counted(authority, guarded):
    before = metrics.MLLP_CONNECTIONS.labels("unknown-certificate")._value.get()
    assert is_refused(guarded, client(authority, authority.issue("lis.west.example")))
    assert eventually(
        lambda: metrics.MLLP_CONNECTIONS.labels("unknown-certificate")._value.get() == before + 1
    )


def test_b11_a_sender_that_says_it_is_another_than_its_certificate_is_rejected(authority, guarded):
    own = client(authority, authority.issue("lis.south.example"))
    (answer,) = guarded.connect(tls=own).asked(numbered("A"))
    assert (said(answer), err(answer)) == (("AR", "A"), ("103", "MSH^1^3"))
    assert guarded.states() == [("rejected", "unknown-sender")]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_s37_older_protocols_are_refused(authority, server, sqlite_url, version):
    with door(make_engine(sqlite_url), tls=server_context(read_settings(server_settings(server)))) as here:
        old = client(authority)
        old.minimum_version = old.maximum_version = version
        old.set_ciphers("ALL:@SECLEVEL=0")
        assert is_refused(here, old)


@pytest.mark.parametrize(
    "ciphers", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256"]
)
def test_s37_weak_ciphers_are_refused(authority, server, sqlite_url, ciphers):
    with door(make_engine(sqlite_url), tls=server_context(read_settings(server_settings(server)))) as here:
        weak = client(authority)
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        assert is_refused(here, weak)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_s37_tls_1_2_and_1_3_are_spoken(authority, server, sqlite_url, version):
    with door(make_engine(sqlite_url), tls=server_context(read_settings(server_settings(server)))) as here:
        context = client(authority)
        context.minimum_version = context.maximum_version = version
        assert said(here.connect(tls=context).asked(numbered("A"))[0]) == ("AA", "A")


def test_plain_bytes_on_the_tls_port_are_not_taken(server, sqlite_url):
    with door(make_engine(sqlite_url), tls=server_context(read_settings(server_settings(server)))) as here:
        assert here.connect().send(numbered("A")).is_closed()
        assert here.rows() == []


def test_a_certificate_that_cannot_be_read_is_named_before_anything_listens(tmp_path):
    missing = Pair(tmp_path / "no.pem", tmp_path / "no.key")
    with pytest.raises(SettingsError, match="FERRULE_MLLP_TLS_CERTIFICATE"):
        server_context(read_settings(server_settings(missing)))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"MLLP_TLS_CERTIFICATE": "a.pem"}, "MLLP_TLS_KEY"),
        ({"MLLP_CLIENT_CA": "a.pem"}, "MLLP_TLS_CERTIFICATE"),
        ({"MLLP_TLS_CERTIFICATE": "a", "MLLP_TLS_KEY": "b", "MLLP_CLIENT_CRL": "c"}, "MLLP_CLIENT_CA"),
        ({"MLLP_KNOWN_PEERS": "10.1.2.3, lab"}, "MLLP_KNOWN_PEERS"),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start(given, named):
    with pytest.raises(SettingsError, match=named):
        read_settings({f"FERRULE_{name}": value for name, value in given.items()})
