"""Certificates of the tests' own authority, made by the openssl command: valid, expired, revoked."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.kinds import need

CONFIGURATION = """
[ca]
default_ca = authority
[authority]
database = index.txt
serial = serial
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
new_certs_dir = .
policy = anything
unique_subject = no
[anything]
commonName = supplied
[authority_extensions]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[server]
basicConstraints = critical, CA:false
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
[client]
basicConstraints = critical, CA:false
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid:always
subjectKeyIdentifier = hash
[req]
distinguished_name = name
prompt = no
[name]
commonName = unused
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, openssl: Path, folder: Path, name: str) -> None:
        self._openssl, self._folder, self._issued = openssl, folder, 0
        folder.mkdir()
        (folder / "openssl.cnf").write_text(CONFIGURATION)
        (folder / "index.txt").touch()
        for counter in ("serial", "crlnumber"):
            (folder / counter).write_text("01\n")
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                  "30", "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.pem", "-config",
                  "openssl.cnf", "-extensions", "authority_extensions")  # fmt: skip

    @property
    def certificate(self) -> Path:
        return self._folder / "ca.pem"

    def issue(self, name: str, kind: str = "client", *, expired: bool = False) -> Pair:
        """A certificate for this common name."""
        self._issued += 1
        key, request, out = (f"{self._issued}.{end}" for end in ("key", "csr", "pem"))
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                  f"/CN={name}", "-keyout", key, "-out", request, "-config", "openssl.cnf")  # fmt: skip
        dates = (
            ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z") if expired else ("-days", "30")
        )
        self._run("ca", "-batch", "-notext", "-config", "openssl.cnf", "-cert", "ca.pem", "-keyfile",
                  "ca.key", "-in", request, "-out", out, "-extensions", kind, *dates)  # fmt: skip
        return Pair(self._folder / out, self._folder / key)

    def revoke(self, pair: Pair) -> None:
        self._run("ca", "-config", "openssl.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-revoke",
                  pair.certificate.name)  # fmt: skip

    def revoked(self) -> Path:
        """The list of what was revoked, as of now."""
        self._run("ca", "-config", "openssl.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-gencrl", "-out",
                  "crl.pem")  # fmt: skip
        return self._folder / "crl.pem"

    def _run(self, *arguments: str) -> None:
        command = [str(self._openssl), *arguments]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def openssl() -> Path:
    """The openssl command."""
    return need("openssl")


@pytest.fixture(scope="session")
def authority(openssl: Path, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that is trusted."""
    return Authority(openssl, tmp_path_factory.mktemp("pki") / "trusted", "Test authority")


@pytest.fixture(scope="session")
def other_authority(openssl: Path, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another one, that is not."""
    return Authority(openssl, tmp_path_factory.mktemp("pki") / "other", "Another authority")
