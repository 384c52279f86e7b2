"""What is asked of one OpenID provider: its documents, its keys, tokens for a code, and more about a user."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from commonshub.core.errors import AuthenticationRequired, UpstreamError
from commonshub.core.jwks import Document, Keys
from commonshub.core.outbound import Outbound, Rejected, check_url

from . import idtoken
from .attempt import Attempt
from .person import wanted
from .providers import Provider

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Upstream:
    """One provider.

    Parameters
    ----------
    redirect_uri
        Where it sends browsers back to, as it is registered there.
    timeout_s, documents_s
        Time that it gets for an answer, and for which its documents count, in seconds.
    """

    def __init__(self, provider: Provider, redirect_uri: str, timeout_s: float, documents_s: float) -> None:
        self.provider = provider
        self.redirect_uri = redirect_uri
        self._http = Outbound(provider.issuer, timeout_s, name=provider.label)
        self._metadata = Document(self._fetch_metadata, documents_s)
        self._keys = Keys(self._fetch_jwks, documents_s, "The provider's answer")

    def close(self) -> None:
        """Give all connections back."""
        self._http.close()

    async def metadata(self) -> Mapping[str, Any]:
        """The provider's discovery document.

        Raises
        ------
        UpstreamError
            It is not this provider's, or lacks an endpoint, or names one that is not safe to go to.
        Unavailable
            The provider does not answer.
        """
        return await self._metadata.get()

    async def _fetch_metadata(self) -> Mapping[str, Any]:
        url = f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"
        document = await self._http.json(url)
        if not isinstance(document, dict) or document.get("issuer") != self.provider.issuer:
            raise UpstreamError(f"{self.provider.label} answers as another issuer than {self.provider.issuer}.")
        for name in ENDPOINTS:
            check_url(document.get(name), self._http.host)
        return document

    async def authorize_url(self, attempt: Attempt, *, anew: bool = False) -> str:
        """Where a browser goes to sign in; `anew` with the password even if the provider knows it."""
        query = {
            "client_id": self.provider.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": " ".join(dict.fromkeys(("openid", *self.provider.scopes))),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        if anew or self.provider.prompt:
            query["prompt"] = "login" if anew else self.provider.prompt
        return _with_query((await self.metadata())["authorization_endpoint"], query)

    async def redeem(self, code: str, attempt: Attempt) -> tuple[str, dict[str, Any]]:
        """The ID token for the code that a browser brought back, and what the provider says of its user.

        Raises
        ------
        AuthenticationRequired
            The provider does not accept the code, or its ID token is not valid.
        UpstreamError, Unavailable
            The provider does not do its part.
        """
        tokens = await self._tokens(code, attempt)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str) or len(id_token) > idtoken.MAX_TOKEN_CHARS:
            raise AuthenticationRequired("The provider's answer is not valid: it holds no ID token.")
        claims = idtoken.verify(
            id_token,
            await self._keys.key(id_token),
            issuer=self.provider.issuer,
            client_id=self.provider.client_id,
            nonce=attempt.nonce,
        )
        if not wanted(self.provider) <= claims.keys():
            claims = {**await self._userinfo(tokens.get("access_token"), claims["sub"]), **claims}
        return id_token, claims

    async def logout_url(self, id_token: str, back: str, state: str) -> str:
        """Where a browser goes to end its session at the provider too; empty where the provider has no such page."""
        endpoint = (await self.metadata()).get("end_session_endpoint")
        if not endpoint:
            return ""
        query = {"id_token_hint": id_token, "client_id": self.provider.client_id}
        query |= {"post_logout_redirect_uri": back, "state": state}
        return _with_query(check_url(endpoint, self._http.host), query)

    async def _tokens(self, code: str, attempt: Attempt) -> Mapping[str, Any]:
        metadata, provider = await self.metadata(), self.provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": attempt.verifier,
            "client_id": provider.client_id,
        }
        options: dict[str, Any] = {}
        secret = await asyncio.to_thread(lambda: provider.secret)
        # Basic is what a provider takes that does not say (OpenID Connect Discovery 1.0, 3).
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret and "client_secret_basic" in methods:
            user, password = quote(provider.client_id, safe=""), quote(secret, safe="")
            options = {"auth_username": user, "auth_password": password, "auth_mode": "basic"}
        elif secret:
            form["client_secret"] = secret
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = await self._http.json(
                metadata["token_endpoint"], method="POST", body=urlencode(form), headers=headers, **options
            )
        except Rejected as error:
            raise AuthenticationRequired(f"{provider.label} did not accept this sign-in. Please try again.") from error
        return answer if isinstance(answer, dict) else {}

    async def _fetch_jwks(self) -> Mapping[str, Any]:
        document = await self._http.json((await self.metadata())["jwks_uri"])
        return document if isinstance(document, dict) else {}

    async def _userinfo(self, access_token: Any, subject: str) -> dict[str, Any]:
        endpoint = (await self.metadata()).get("userinfo_endpoint")
        if not endpoint or not isinstance(access_token, str):
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        told = await self._http.json(endpoint, headers=headers)
        # Otherwise a swapped token would bring another user's claims (OpenID Connect Core, 5.3.2).
        if not isinstance(told, dict) or told.get("sub") != subject:
            raise AuthenticationRequired("The provider's answer is not valid: it tells of another user.")
        return told


def _with_query(endpoint: str, query: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
