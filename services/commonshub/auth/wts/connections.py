"""Tokens of other commons for the users who connected to them: got, kept and renewed.

A refresh token may be good for one renewal only, so never more than one process renews a connection at a time: it
claims the row first, and the others wait for what it gets. A claim ends by itself, should its holder die.
"""

import asyncio
import base64
import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from commonshub.core.database import Database
from commonshub.core.errors import BadRequest, CommonsError, PermissionDenied, Unavailable, UpstreamError
from commonshub.core.outbound import Outbound, Rejected

from . import store
from .external import External
from .vault import Unreadable, Vault

# Gen3's SDK renews a token that has five minutes left, so one that has less is of no use to it.
FRESH_S = 330
WAIT_S = 0.1
# A token that says to live longer says nothing, in seconds.
LONGEST_S = 10 * 365 * 86400

log = logging.getLogger(__name__)


class Connections:
    """The connections of all users.

    Parameters
    ----------
    commons
        The other commons by their short names.
    redirect_uri
        Where they send browsers back to.
    timeout_s
        Time that they get for an answer, in seconds.
    """

    def __init__(
        self,
        database: Database,
        schema: str,
        vault: Vault,
        commons: Mapping[str, External],
        redirect_uri: str,
        timeout_s: float,
    ) -> None:
        self.database = database
        self.schema = schema
        self.commons = commons
        self.redirect_uri = redirect_uri
        self._vault = vault
        self._timeout_s = timeout_s
        self._http = {idp: Outbound(external.base_url, timeout_s) for idp, external in commons.items()}

    def close(self) -> None:
        """Give all connections back."""
        for http in self._http.values():
            http.close()

    def external(self, idp: str) -> External:
        """The other commons of this name.

        Raises
        ------
        BadRequest
            There is none.
        """
        found = self.commons.get(idp)
        if found is None:
            raise BadRequest(f"This commons knows no other commons {idp[:80]!r}.")
        return found

    async def connect(self, username: str, external: External, code: str, verifier: str) -> None:
        """Keep the tokens for the code that a user's browser brought back.

        Raises
        ------
        PermissionDenied
            The other commons does not accept the code.
        UpstreamError, Unavailable
            It does not do its part.
        """
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        try:
            answer = await self._ask(external, {**form, "redirect_uri": self.redirect_uri})
        except Rejected as error:
            raise PermissionDenied(f"{external.label} did not accept this connection. Connect again.") from error
        await self._keep(username, external, answer, None)

    async def token(self, username: str, external: External) -> str:
        """An access token of another commons, good for some minutes at least where it gives such.

        Raises
        ------
        PermissionDenied
            The user is not connected to it (any more).
        UpstreamError, Unavailable
            It does not do its part.
        """
        deadline = time.monotonic() + 2 * self._timeout_s
        while True:
            held = await self.database.run(
                store.take, self.schema, username, external.idp, FRESH_S, 2 * self._timeout_s
            )
            if held is None:
                raise PermissionDenied(f"You are not connected to {external.label}. Connect to it first.")
            if held.fresh and held.access_token:
                return await self._opened(username, external, held.access_token)
            if held.claimed:
                return await self._renew(username, external, held)
            if time.monotonic() > deadline:
                raise Unavailable(f"The connection to {external.label} cannot be renewed just now.")
            await asyncio.sleep(WAIT_S)

    async def disconnect(self, username: str, external: External) -> bool:
        """Forget a connection, here and there; whether there was one."""
        sealed = await self.database.run(store.drop, self.schema, username, external.idp)
        if sealed is None:
            return False
        try:
            token = self._vault.open(sealed)
            await self._ask(external, {"token": token, "token_type_hint": "refresh_token"}, "revoke")
        except CommonsError as error:
            # Forgotten here it is of no use to anybody, and it ends by itself.
            log.warning("%s was not told that a connection ended: %s", external.idp, error)
        return True

    async def _opened(self, username: str, external: External, sealed: str) -> str:
        try:
            return self._vault.open(sealed)
        except Unreadable as error:
            await self.database.run(store.drop, self.schema, username, external.idp)
            raise PermissionDenied(f"{error} Connect to {external.label} again.") from error

    async def _renew(self, username: str, external: External, held: store.Held) -> str:
        refresh_token = await self._opened(username, external, held.refresh_token)
        try:
            answer = await self._ask(external, {"grant_type": "refresh_token", "refresh_token": refresh_token})
            return await self._keep(username, external, answer, refresh_token)
        except Rejected as error:
            if _reason(error) != "invalid_grant":
                await self.database.run(store.release, self.schema, username, external.idp)
                raise UpstreamError(f"{external.label} does not accept this commons as its client.") from error
            await self.database.run(store.drop, self.schema, username, external.idp, held.refresh_token)
            raise PermissionDenied(f"Your connection to {external.label} has ended. Connect again.") from error
        except (UpstreamError, Unavailable):
            await self.database.run(store.release, self.schema, username, external.idp)
            if held.access_token is None:
                raise
            return await self._opened(username, external, held.access_token)

    async def _keep(self, username: str, external: External, answer: Any, earlier: str | None) -> str:
        access = answer.get("access_token") if isinstance(answer, dict) else None
        refresh = answer.get("refresh_token") or earlier if isinstance(answer, dict) else None
        if not isinstance(access, str) or not isinstance(refresh, str):
            raise UpstreamError(f"{external.label} gave no tokens.")
        told_s = answer.get("expires_in")
        end = time.time() + told_s if isinstance(told_s, int) else _expiry(access) or time.time()
        tokens = store.Tokens(self._vault.seal(refresh), _expiry(refresh), self._vault.seal(access), end)
        await self.database.run(store.put, self.schema, username, external.idp, tokens)
        return access

    async def _ask(self, external: External, form: Mapping[str, str], endpoint: str = "token") -> Any:
        """Ask one of the OAuth endpoints, proving this commons by HTTP Basic or naming it where it has no secret."""
        secret = await asyncio.to_thread(lambda: external.secret)
        if secret:
            user, password = quote(external.client_id, safe=""), quote(secret, safe="")
            options = {"auth_username": user, "auth_password": password, "auth_mode": "basic"}
        else:
            form, options = {**form, "client_id": external.client_id}, {}
        return await self._http[external.idp].json(
            f"{external.issuer}/oauth2/{endpoint}",
            method="POST",
            body=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            **options,
        )


def _reason(error: Rejected) -> str:
    """The code of an OAuth error, which its answer names."""
    try:
        return str(json.loads(error.__cause__.response.body)["error"])  # type: ignore[union-attr]
    except (AttributeError, ValueError, KeyError, TypeError):
        return ""


def _expiry(token: str) -> float | None:
    """When a token of somebody else's ends, as it says itself; None where it does not say."""
    try:
        part = token.split(".")[1]
        end = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"]
        return float(end) if float(end) < time.time() + LONGEST_S else None
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None
