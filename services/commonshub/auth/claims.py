"""What the tokens of a commons say: Gen3's claims.

Vocabulary
----------
access token
    Short-lived (``pur: access``); sent with every request.
API key
    Long-lived (``pur: api_key``); good for nothing but to be exchanged for an access token. Each has a row, and dies
    with it.
refresh token, id token
    What an application gets besides an access token: to renew it (``pur: refresh``), and to learn who signed in
    (``pur: id``). Neither opens anything here.
task token
    An access token for one other program (``aud: [<type>]``), which the services of this commons refuse.
scope
    What a token may be used for at all. ``credentials`` manages API keys; no token that came from an API key or from
    inside a workspace has it, so that neither can breed lasting credentials.
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from commonshub.core.errors import BadRequest

KEY_SCOPES = frozenset({"openid", "user", "data", "fence"})
SESSION_SCOPES = KEY_SCOPES | {"credentials", "admin"}


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the tokens know him."""

    id: int
    username: str
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Minter:
    """Composes claims for one commons.

    Parameters
    ----------
    issuer
        ``iss`` of all tokens.
    audience
        ``aud`` of all tokens.
    """

    issuer: str
    audience: str

    def access(
        self,
        account: Account,
        ttl_s: int,
        scopes: Iterable[str] = KEY_SCOPES,
        session: str | None = None,
        client: str = "",
        task: str | None = None,
    ) -> dict[str, Any]:
        """Claims of an access token.

        Parameters
        ----------
        ttl_s
            Its life, in seconds.
        session
            What it comes from and ends with (``sid``).
        client
            The application that it was made for.
        task
            Type of a task token: it is for the service of that name alone, and for none of this commons.
        """
        claims = self._common("access", account, ttl_s, scopes, client)
        context: dict[str, Any] = {"user": _user(account, scopes)}
        if session:
            claims["sid"] = session
        if task:
            claims["aud"] = [task]
            context["task_token_type"] = task
        return {**claims, "context": context}

    def client_access(self, client: str, ttl_s: int, scopes: Iterable[str]) -> dict[str, Any]:
        """Claims of an access token of an application that acts for itself: it is about no user."""
        return {**self._common("access", None, ttl_s, scopes, client), "context": {}}

    def refresh(self, account: Account, ttl_s: int, scopes: Iterable[str], session: str, client: str) -> dict[str, Any]:
        """Claims of a refresh token."""
        return {**self._common("refresh", account, ttl_s, scopes, client), "sid": session}

    def identity(
        self,
        account: Account,
        ttl_s: int,
        scopes: Iterable[str],
        client: str,
        profile: Mapping[str, Any],
        **claims: str | int | None,
    ) -> dict[str, Any]:
        """Claims of an id token: who signed in, for the eyes of `client`.

        Parameters
        ----------
        profile
            What it says of the user besides his name.
        claims
            ``at_hash``, ``nonce``, ``auth_time``…; None leaves one out.
        """
        user = {**_user(account, scopes), **profile}
        told = {name: value for name, value in claims.items() if value is not None}
        return {**self._common("id", account, ttl_s, scopes, client), **told, "context": {"user": user}}

    def api_key(self, account: Account, ttl_s: int, scopes: Iterable[str] = KEY_SCOPES) -> dict[str, Any]:
        """Claims of an API key that lives `ttl_s` seconds."""
        return self._common("api_key", account, ttl_s, scopes)

    def _common(
        self, purpose: str, account: Account | None, ttl_s: int, scopes: Iterable[str], client: str = ""
    ) -> dict[str, Any]:
        now = int(time.time())
        return {
            "pur": purpose,
            "iss": self.issuer,
            "aud": [self.audience, client] if client else [self.audience],
            **({"sub": str(account.id)} if account else {}),
            "azp": client,
            "scope": sorted(scopes),
            "iat": now,
            "exp": now + ttl_s,
            "jti": str(uuid.uuid4()),
        }


def _user(account: Account, scopes: Iterable[str]) -> dict[str, Any]:
    """What a token with these scopes says of its user; that he administrates is for whoever may know what he may do."""
    return {"name": account.username, **({"is_admin": account.admin} if "user" in scopes else {})}


def key_scopes(caller: Iterable[str], body: Mapping[str, Any]) -> frozenset[str]:
    """Scopes of a new API key: those of the caller that keys may have, or fewer where ``scope`` asks for fewer.

    Raises
    ------
    BadRequest
        ``scope`` is not a list of scopes that an API key can have.
    """
    allowed = (KEY_SCOPES & frozenset(caller)) | {"openid"}
    asked = body.get("scope")
    if asked is None:
        return allowed
    if not isinstance(asked, list) or not all(isinstance(each, str) for each in asked):
        raise BadRequest("scope must be a list of strings.")
    unknown = sorted(set(asked) - SESSION_SCOPES)
    if unknown:
        raise BadRequest(f"scope names {unknown[0]!r}, which does not exist here; known are {sorted(SESSION_SCOPES)}.")
    return (allowed & frozenset(asked)) | {"openid"}


def lifetime(limit_s: int, asked_s: int | None, remaining_s: float | None = None) -> int:
    """Seconds that a token lives: as asked for, or the most that the settings and its parent's end allow.

    Raises
    ------
    BadRequest
        More was asked for than that.
    """
    most = limit_s if remaining_s is None else min(limit_s, int(remaining_s))
    if asked_s is not None and asked_s > most:
        raise BadRequest(f"expires_in must be at most {most} seconds, not {asked_s}.")
    return most if asked_s is None else asked_s
