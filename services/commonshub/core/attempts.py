"""Failed attempts to prove something, and when the next one may be made. Pure: the caller brings the clock.

Only failures count, so a thousand notebooks that exchange their keys at once are not slowed down. They count twice: by
the credential at an address, so that one forgotten script with an old key stops itself and nobody behind the same
address; and by the address alone, so that nobody tries one credential after the other. The latter not for the addresses
of the machines that the commons itself runs on: all workspaces there have the same, and one must not stop the others.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from .errors import TooManyRequests

# Keys remembered; the one whose last failure is oldest is forgotten first.
SIZE = 20_000
# So much of an IPv6 address is told apart.
_KNOWN_BITS = 64


class Bucket:
    """A bucket for each key that each failure fills by one and that drains evenly.

    Parameters
    ----------
    allowed
        Failures that a bucket holds; 0 counts nothing.
    window_s
        Time in which a full bucket drains, in seconds.
    """

    def __init__(self, allowed: int, window_s: float, size: int = SIZE) -> None:
        self.allowed = allowed
        self.rate = allowed / window_s
        self.size = size
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        """Seconds until `key` may be tried again; 0 for now."""
        if not self.allowed:
            return 0.0
        over = self._level(key, now) + 1 - self.allowed
        # Rounding must not keep out who has waited as long as he was told to.
        return over / self.rate if over > 1e-6 else 0.0

    def failed(self, key: str, now: float) -> None:
        """Count a failure."""
        level = self._level(key, now)
        self._levels.pop(key, None)
        # One that was running while the bucket became full makes nobody wait for longer than the window.
        self._levels[key] = (min(level + 1, self.allowed), now)
        if len(self._levels) > self.size:
            self._levels.popitem(last=False)

    def _level(self, key: str, now: float) -> float:
        level, then = self._levels.get(key, (0.0, now))
        return max(0.0, level - self.rate * (now - then))


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries what.

    Parameters
    ----------
    address
        Address of the client.
    credential
        What he tries, or the name of whom he claims to be; only its hash is kept.
    shared
        Whether others, who have nothing to do with him, come from the same address.
    """

    address: str
    credential: str
    shared: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the buckets that count: credential at the address, and address where it is his own."""
        digest = hashlib.sha256(self.credential.encode()).hexdigest()
        both = (f"{self.address} {digest}", self.address)
        return both[:1] if self.shared else both


class Attempts:
    """Counts failures, and refuses what comes too soon.

    Parameters
    ----------
    by_credential, by_address
        Failures in `window_s` seconds after which an attempt is refused.
    """

    def __init__(self, by_credential: int, by_address: int, window_s: float) -> None:
        self._buckets = Bucket(by_credential, window_s), Bucket(by_address, window_s)

    def check(self, attempt: Attempt, now: float) -> None:
        """Let an attempt be made.

        Raises
        ------
        TooManyRequests
            There were too many failures of its kind; it says when to come back.
        """
        wait_s = max(bucket.wait_s(key, now) for bucket, key in zip(self._buckets, attempt.keys, strict=False))
        if wait_s:
            raise TooManyRequests("There were too many failed attempts.", wait_s)

    def failed(self, attempt: Attempt, now: float) -> None:
        """Count a failure."""
        for bucket, key in zip(self._buckets, attempt.keys, strict=False):
            bucket.failed(key, now)


def client_address(peer: str, forwarded: Sequence[str], hops: int, proxies: Sequence[str]) -> str:
    """Address of the client of a request, as far as it can be known.

    Each proxy adds whom it was called by at the end of ``X-Forwarded-For``; what stands before may be the client's
    own invention.

    Parameters
    ----------
    peer
        Address that the connection comes from.
    forwarded
        Values of the header ``X-Forwarded-For``.
    hops
        Proxies between the clients and this service.
    proxies
        Networks of those that may call this service; from elsewhere the header counts for nothing.

    Returns
    -------
    str
        An IPv4 address, or the first 64 bits of an IPv6 address: who has one of those has them all.
    """
    found = _parse(peer)
    chain = [part.strip() for part in ",".join(forwarded).split(",") if part.strip()]
    if hops and chain and is_among(peer, proxies):
        found = _parse(chain[-min(hops, len(chain))]) or found
    if found is None:
        return peer[:64]
    if isinstance(found, IPv6Address) and not found.is_loopback:
        return str(IPv6Network((found, _KNOWN_BITS), strict=False))
    return str(found)


def is_among(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is one of `networks`.

    Parameters
    ----------
    address
        As it is, or as :func:`client_address` gives it: the first 64 bits of an IPv6 address are among networks that
        hold all that begin so, which none narrower than ``/64`` does.
    """
    host, slash, _ = address.partition("/")
    found, narrowest = _parse(host), _KNOWN_BITS if slash else 128
    return found is not None and any(
        found in network and network.prefixlen <= narrowest for network in _networks(tuple(networks))
    )


@lru_cache
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each, strict=False) for each in texts)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found
