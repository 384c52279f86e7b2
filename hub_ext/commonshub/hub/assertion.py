"""What a reverse proxy says about the user of a request, and whether to believe it. Pure: no hub, no tornado.

Vocabulary
----------
assertion
    A JWT that the identity provider signed for this hub a moment ago. It names the user, and serves once; a stolen one
    is worthless within a minute, and everywhere else at once.
proxy secret
    The weaker way: a header that only the reverse proxy knows, beside plain headers that name user and groups.

Either way the request must carry exactly one value, and no second header that a less careful program would take for
the same one (``Remote_User`` for ``Remote-User``).
"""

import hmac
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jwt

from commonshub.core.signin import ASSERTION_PURPOSE, GROUP, MAX_GROUPS, NAME
from commonshub.core.tokens import ALGORITHM, MAX_TOKEN_CHARS, KeySet

SHORTEST_SECRET_CHARS = 32
# Assertions that are remembered, and how often the expired ones are forgotten, in seconds.
MAX_USED = 100_000
FORGET_S = 30
LEEWAY_S = 5

Headers = Sequence[tuple[str, str]]


class Refused(Exception):
    """The request proves nobody; the message is for the log of the hub, never for the caller."""


class Subject(NamedTuple):
    """A proven user."""

    name: str
    groups: tuple[str, ...] = ()


class Assertions:
    """Checks assertions of one issuer.

    Parameters
    ----------
    keys
        Public keys of the issuer.
    issuer, audience
        What ``iss`` must be and ``aud`` must contain.
    longest_life_s
        An assertion that is valid for longer than this, in seconds, is refused whole.
    """

    def __init__(self, keys: KeySet, issuer: str, audience: str, longest_life_s: int = 60) -> None:
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
        self.longest_life_s = longest_life_s
        self._used = Once()

    def subject(self, token: str, name_claim: str = "sub", groups_claim: str = "groups") -> Subject:
        """The user that an assertion names.

        Raises
        ------
        Refused
            The assertion is malformed, expired, too long-lived, used before, for another audience or purpose, or not
            signed by the issuer.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise Refused("the assertion is too long")
        try:
            self.keys.refresh()
        except (OSError, ValueError, KeyError) as error:
            raise Refused(f"the issuer's keys cannot be read: {error}") from error
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self.keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise Refused("the assertion was not signed by a known key")
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                audience=self.audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "jti"]},
            )
        except jwt.PyJWTError as error:
            raise Refused(f"the assertion is not valid: {error}") from error
        if claims["exp"] - claims["iat"] > self.longest_life_s:
            raise Refused(f"the assertion lives longer than {self.longest_life_s} s")
        # The issuer may be one that signs other tokens too: none of them says who sends a request.
        if claims.get("pur", ASSERTION_PURPOSE) != ASSERTION_PURPOSE:
            raise Refused(f"the token is no assertion but of purpose {str(claims['pur'])[:32]!r}")
        subject = Subject(check_name(claims.get(name_claim)), check_groups(claims.get(groups_claim, [])))
        self._used.use(str(claims["jti"]), claims["exp"] + LEEWAY_S, time.time())
        return subject


class Once:
    """Remembers what was used for as long as it could be used again. The caller brings the clock.

    Parameters
    ----------
    most
        How many are remembered; beyond it nothing new is taken until some have expired.
    """

    def __init__(self, most: int = MAX_USED) -> None:
        self.most = most
        self._until: dict[str, float] = {}
        self._forget_at = 0.0

    def use(self, name: str, until: float, now: float) -> None:
        """Use up what is called `name` and is worthless from `until` on.

        Raises
        ------
        Refused
            It was used before, or there is no room to remember it.
        """
        if now >= self._forget_at or len(self._until) >= self.most:
            self._until = {each: end for each, end in self._until.items() if end > now}
            self._forget_at = now + FORGET_S
        if name in self._until:
            raise Refused("the assertion was used before")
        if len(self._until) >= self.most:
            raise Refused("too many assertions are in use at once")
        self._until[name] = until


def single(headers: Headers, name: str) -> str | None:
    """The value of a header that may occur once, or None where it is absent.

    Raises
    ------
    Refused
        It occurs twice, or a header occurs that differs from it only in ``_`` for ``-``.
    """
    alike = [(key, value) for key, value in headers if _canonical(key) == _canonical(name)]
    if not alike:
        return None
    if len(alike) > 1 or alike[0][0].lower() != name.lower():
        raise Refused(f"{name} is given more than once, or under a similar name")
    return alike[0][1]


def check_name(name: Any) -> str:
    """`name`, if it can be nothing but one user's name.

    Raises
    ------
    Refused
        It is empty, has upper-case letters, spaces, commas, control or non-ASCII characters, or is too long.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(f"{str(name)[:64]!r} is not a user name")
    return name


def check_groups(groups: Any, most: int = MAX_GROUPS) -> tuple[str, ...]:
    """The groups of a user, sorted and each once.

    Raises
    ------
    Refused
        They are no list, too many, or one is no group name.
    """
    if not isinstance(groups, list | tuple) or len(groups) > most:
        raise Refused(f"the groups are not a list of at most {most} names")
    for group in groups:
        if not isinstance(group, str) or not GROUP.fullmatch(group):
            raise Refused(f"{str(group)[:64]!r} is not a group name")
    return tuple(sorted(set(groups)))


def check_secret(given: str | None, secrets: Iterable[str]) -> None:
    """Whether the proxy proved itself; two secrets may be in force while one replaces the other.

    Raises
    ------
    Refused
        It did not, or no secret is long enough to prove anything.
    """
    usable = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET_CHARS]
    matches = [hmac.compare_digest((given or "").encode(), secret.encode()) for secret in usable]
    if not any(matches):
        raise Refused("the request does not carry the proxy's secret")


def _canonical(header: str) -> str:
    return header.lower().replace("_", "-")
