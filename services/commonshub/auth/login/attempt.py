"""A sign-in that has begun: what binds the provider's answer to the browser that was sent there.

It travels in a signed cookie of that browser, so that the service keeps nothing and any replica can go on with it.
"""

import hmac
import secrets
from dataclasses import dataclass

import orjson
from tornado.web import create_signed_value, decode_signed_value

from commonshub.core.errors import PermissionDenied
from commonshub.core.pkce import challenge_of

COOKIE = "commonshub_attempt_"
PATH = "/user/login/"
_STATE_CHARS = 32


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way.

    Parameters
    ----------
    idp
        The provider that the browser was sent to.
    state, nonce, verifier
        Secrets that must come back with the browser, in the ID token, and to the token endpoint (PKCE).
    target
        Path to go on to afterwards.
    """

    idp: str
    state: str
    nonce: str
    verifier: str
    target: str

    @classmethod
    def begin(cls, idp: str, target: str) -> "Attempt":
        """A fresh one."""
        state, nonce = secrets.token_hex(_STATE_CHARS // 2), secrets.token_urlsafe(24)
        return cls(idp, state, nonce, secrets.token_urlsafe(48), target)

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (S256)."""
        return challenge_of(self.verifier)

    def seal(self, secret: str) -> str:
        """Value of the cookie named :func:`cookie`."""
        return create_signed_value(secret, cookie(self.state), orjson.dumps(self)).decode()


def cookie(state: str) -> str:
    """Name of the cookie of one sign-in; several may be under way, one in each tab."""
    return COOKIE + state[:8]


def is_state(text: str) -> bool:
    """Whether `text` has the form of a state."""
    return len(text) == _STATE_CHARS and set(text) <= set("0123456789abcdef")


def unseal(value: str | None, secret: str, idp: str, state: str, life_s: int) -> Attempt:
    """The sign-in that this browser began at this provider with this state.

    Raises
    ------
    PermissionDenied
        It began none, began another one, or did so too long ago.
    """
    plain = decode_signed_value(secret, cookie(state), value, max_age_days=life_s / 86400) if value else None
    attempt = Attempt(**orjson.loads(plain)) if plain else None
    if attempt is None or attempt.idp != idp or not hmac.compare_digest(attempt.state, state):
        raise PermissionDenied("This sign-in was not begun in this browser, or too long ago. Please sign in again.")
    return attempt
