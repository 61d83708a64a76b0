"""One HTTP request, or another exchange, to an address that a site has configured, and to nowhere else.

A name is resolved once, every answer is checked, and the connection goes to a checked address: no loopback,
private, link-local or otherwise special one, unless the site names its host. No redirect, no proxy, no
decompression; the answer has a size and the whole exchange an end. What an answer means, the channels say.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from alerts.channels.deadline import Deadline, deadline

TOTAL_SECONDS = 10.0
MOST_BYTES = 64 * 1024
"""More of an answer is not read, unless whoever asks needs more."""

IpAddress = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Sequence[str]]
NAT64 = ip_network("64:ff9b::/96")
HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
LOOKS_LIKE_A_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\.?")


class WrongUrl(ValueError):
    """Raised for an address we do not send to. The message shows none of it: it may hold a secret."""


class NotSent(Exception):
    """Raised when there is no answer: dns, private-address, tls, connection or timeout."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL. `private` says that its host may lie in the site's own network."""

    scheme: str
    host: str
    port: int
    path: str
    private: bool = False

    @property
    def authority(self) -> str:
        """The Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: header names in lower case, and of the body as much as was to be read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


_PORTS = {"https": 443, "http": 80, "mllps": 2575, "mllp": 2575}
HTTP, MLLP = ("https", "http"), ("mllps", "mllp")
"""Schemes: the one with TLS, and the one without."""


def target_of(url: str, private_hosts: Sequence[str] = (), schemes: tuple[str, str] = HTTP) -> Target:
    """Checks what can be checked before the name is looked up. What has no TLS is for the hosts a site names
    alone.
    """
    secure, plain = schemes
    if not url.isascii() or not url.isprintable() or " " in url:
        raise WrongUrl("expected a URL in ASCII (a foreign host name as xn--…)")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise WrongUrl(f"expected {secure}://host/path") from None
    if parts.scheme not in schemes or not host:
        raise WrongUrl(f"expected {secure}://host/path")
    if "@" in parts.netloc or "\\" in url or parts.fragment:
        raise WrongUrl("expected no user, password or fragment in it")
    private = host in {named.lower().rstrip(".") for named in private_hosts}
    _check_host(host, private)
    if parts.scheme == plain and not private:
        raise WrongUrl(f"expected {secure}; {plain} is for private hosts that are named")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path, private)


def _check_host(host: str, private: bool) -> None:
    try:
        address = ip_address(host)
    except ValueError:
        # 2130706433, 0x7f.1 and 0177.0.0.1 are loopback to a resolver.
        if not HOST.fullmatch(host) or LOOKS_LIKE_A_NUMBER.fullmatch(host.rpartition(".")[2]):
            raise WrongUrl("expected a host name or an address as it is usually written") from None
        return
    if not is_allowed(address, private):
        raise WrongUrl("expected an address outside private networks; private hosts are named")


def is_allowed(address: IpAddress, private: bool) -> bool:
    """Whether we connect there. What carries an IPv4 address inside is judged by that one too."""
    return all(_is_allowed(one, private) for one in (address, *_inside(address)))


def _is_allowed(address: IpAddress, private: bool) -> bool:
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in NAT64):
        return True  # it stands for the one inside
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False  # 169.254.169.254 gives out a cloud's passwords
    if private:
        return True
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not address.is_reserved and not site_local


def _inside(address: IpAddress) -> Iterator[IPv4Address]:
    if isinstance(address, IPv4Address):
        return
    if address in NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    yield from (one for one in (address.ipv4_mapped, address.sixtofour) if one is not None)
    yield from address.teredo or ()


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, by this machine's resolver."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class GuardedHttp:
    """Makes requests. `lookup` and `tls` are this machine's unless a test brings others.

    More of an answer than `most_bytes` is not read.
    """

    lookup: Lookup = look_up
    tls: ssl.SSLContext | None = None
    seconds: float = TOTAL_SECONDS
    most_bytes: int = MOST_BYTES

    def request(self, method: str, target: Target, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One request, one answer, whatever its status. Raises NotSent."""
        with self.connected(target) as talking:
            connection = _Connection(talking, target)
            try:
                fields = {"Host": target.authority, "Accept-Encoding": "identity", "Connection": "close"}
                connection.request(method, target.path, body, {**fields, **headers})
                return _read(connection, self.most_bytes)
            finally:
                connection.close()

    @contextmanager
    def connected(self, target: Target) -> Iterator[socket.socket]:
        """A connection for one exchange, which is over when time is up. Raises NotSent."""
        with deadline(self.seconds) as end, _translated(end):
            talking = self._connected(target, end)
            try:
                yield talking
            finally:
                talking.close()

    def _connected(self, target: Target, end: Deadline) -> socket.socket:
        addresses = self._addresses(target)
        share = self.seconds / 2 / len(addresses)
        failure: OSError = OSError()
        for address in addresses:
            try:
                plain = socket.create_connection((address, target.port), timeout=share)
            except OSError as error:
                failure = error
                continue
            end.closes(plain)
            plain.settimeout(self.seconds)
            return self._secured(plain, target, end)
        raise failure

    def _secured(self, plain: socket.socket, target: Target, end: Deadline) -> socket.socket:
        if target.scheme in (HTTP[1], MLLP[1]):
            return plain
        context = self.tls or ssl.create_default_context()
        try:
            secure = context.wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)
        except Exception:
            plain.close()
            raise
        # From here on the old socket is an empty shell: a handshake that drips must end in time as well.
        end.closes(secure)
        secure.do_handshake()
        return secure

    def _addresses(self, target: Target) -> list[str]:
        """Every answer must be allowed: one private address among them is a trick."""
        found = list(dict.fromkeys(self._found(target)))[:4]
        if not found:
            raise NotSent("dns")
        if not all(is_allowed(ip_address(one.partition("%")[0]), target.private) for one in found):
            raise NotSent("private-address")
        return found

    def _found(self, target: Target) -> Sequence[str]:
        """A resolver has no timeout of its own: it is asked in a thread that may be left behind."""
        answers: list[Sequence[str]] = []

        def ask() -> None:
            try:
                answers.append(self.lookup(target.host, target.port))
            except (OSError, UnicodeError):
                return

        asking = threading.Thread(target=ask, name="look-up", daemon=True)
        asking.start()
        asking.join(self.seconds / 2)
        return answers[0] if answers else ()


GUARDED = GuardedHttp()


class _Connection(http.client.HTTPConnection):
    """A connection over a socket that is there already; it never opens another."""

    def __init__(self, connected: socket.socket, target: Target) -> None:
        super().__init__(target.host, target.port)
        self.sock = connected
        self.auto_open = 0


def _read(connection: _Connection, most_bytes: int) -> Reply:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    body = response.read(most_bytes) if 200 <= response.status < 500 else b""
    return Reply(response.status, headers, body)


@contextmanager
def _translated(end: Deadline) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise NotSent(_reason(error, end)) from None


def _reason(error: Exception, end: Deadline) -> str:
    if end.passed or isinstance(error, TimeoutError):
        return "timeout"
    return "tls" if isinstance(error, ssl.SSLError) else "connection"
