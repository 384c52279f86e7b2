"""The token endpoint's three grants, each in one transaction.

A refusal that changes nothing is raised. One that ends a session, because somebody came with what was used already, is
returned, so that the transaction that ends it commits.
"""

import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from commonshub.core import audit
from commonshub.core.errors import AuthenticationRequired
from commonshub.core.identity import Identity
from commonshub.core.tokens import LEEWAY_S, Claims, Verifier

from ..claims import Account
from ..users.userinfo import is_admin, project_access
from . import sessions
from .clients import Client
from .protocol import Parameters, ProtocolError, narrowed, proves, single
from .sessions import Session

if TYPE_CHECKING:
    from ..app import AuthApp

# An id token that is larger than browsers and proxies take as a header helps nobody; userinfo tells all projects.
MAX_PROJECTS_BYTES = 1024
REUSED = "This was used before. Whoever has a copy of it is shut out now, and so are you: ask the user again."

Answer = dict[str, Any]


@dataclass(frozen=True)
class Issuer:
    """Issues tokens to one client, on one connection.

    Parameters
    ----------
    parameters
        Those of the token request.
    """

    connection: sa.Connection
    auth: "AuthApp"
    client: Client
    parameters: Parameters
    request_id: str

    def issue(self) -> Answer | ProtocolError:
        """The answer to the token request.

        Raises
        ------
        ProtocolError
            It is malformed, or asks for what this client may not have.
        """
        grants: dict[str, Callable[[], Answer | ProtocolError]] = {
            "authorization_code": self.by_code,
            "refresh_token": self.by_refresh_token,
            "client_credentials": self.by_credentials,
        }
        grant_type = self._required("grant_type")
        if grant_type not in grants:
            raise ProtocolError("unsupported_grant_type", f"grant_type must be one of {', '.join(grants)}.")
        if grant_type not in self.client.grant_types:
            raise ProtocolError("unauthorized_client", f"This client may not use the grant type {grant_type}.")
        return grants[grant_type]()

    def by_code(self) -> Answer | ProtocolError:
        """Tokens for a code."""
        text = self._required("code")
        code = sessions.find_code(self.connection, self.auth.schema, text)
        if code is None or code.session.client_id != self.client.id:
            raise ProtocolError("invalid_grant", "This code does not exist, or was given to another client.")
        if code.used:
            return self._reused(code.session)
        if code.expired:
            raise ProtocolError("invalid_grant", "This code has expired.")
        if single(self.parameters, "redirect_uri") != code.redirect_uri:
            raise ProtocolError("invalid_grant", "redirect_uri must be the one that the code was sent to.")
        if not proves(single(self.parameters, "code_verifier"), code.challenge):
            raise ProtocolError("invalid_grant", "code_verifier does not fit the code_challenge.")
        renews = "refresh_token" in self.client.grant_types
        ttl_s = self.auth.refresh_token_ttl_s if renews else self.auth.tokens.access_token_ttl_s
        session = sessions.redeem(self.connection, self.auth.schema, text, code.session, ttl_s)
        return self._tokens(session, session.scopes & self.client.scopes, renews, code.nonce)

    def by_refresh_token(self) -> Answer | ProtocolError:
        """New tokens for a refresh token, which is used up by that."""
        claims = read_token(self.auth.verifier, self._required("refresh_token"), "refresh")
        found = sessions.find_refresh(self.connection, self.auth.schema, claims["jti"]) if claims else None
        if claims is None or found is None or found.session.client_id != self.client.id:
            raise ProtocolError("invalid_grant", "This refresh token is not valid (any more), or another client's.")
        if found.used:
            return self._reused(found.session)
        scopes = narrowed(single(self.parameters, "scope"), found.session.scopes & self.client.scopes)
        sessions.use_refresh(self.connection, self.auth.schema, claims["jti"])
        return self._tokens(found.session, scopes, renews=True)

    def by_credentials(self) -> Answer:
        """An access token of the client's own."""
        scopes = narrowed(single(self.parameters, "scope"), self.client.scopes)
        ttl_s = self.auth.tokens.access_token_ttl_s
        claims = self.auth.minter.client_access(self.client.id, ttl_s, scopes)
        self._note(Identity(client=self.client.id), claims["jti"], scopes)
        return {"token_type": "Bearer", "access_token": self.auth.keys.sign(claims), "expires_in": ttl_s}

    def _tokens(self, session: Session, scopes: frozenset[str], renews: bool, nonce: str | None = None) -> Answer:
        """Access, id and perhaps refresh token of a session, for `scopes` of it.

        Raises
        ------
        ProtocolError
            The user was switched off, or the client lost the scopes since.
        """
        if not session.user.active:
            raise ProtocolError("invalid_grant", "This account has been deactivated.")
        if not scopes:
            raise ProtocolError("invalid_grant", "The client may not have these scopes any more.")
        identity = Identity(session.user.username, self.client.id)
        account = Account(session.user.id, session.user.username, is_admin(self.auth.policy, session.user.username))
        ttl_s, minter, sign = self.auth.tokens.access_token_ttl_s, self.auth.minter, self.auth.keys.sign
        access = sign(minter.access(account, ttl_s, scopes, session.id, self.client.id))
        answer: Answer = {
            "token_type": "Bearer",
            "access_token": access,
            "expires_in": ttl_s,
            "scope": " ".join(sorted(scopes)),
        }
        if "openid" in scopes:
            hints = {"at_hash": half_hash(access), "nonce": nonce, "auth_time": session.authenticated_at}
            profile = self._profile(session, identity) if "user" in scopes else {}
            answer["id_token"] = sign(minter.identity(account, ttl_s, scopes, self.client.id, profile, **hints))
        if renews:
            left_s = session.expires_at - int(time.time())
            refresh = minter.refresh(account, left_s, session.scopes, session.id, self.client.id)
            sessions.add_refresh(self.connection, self.auth.schema, session, refresh["jti"])
            answer["refresh_token"] = sign(refresh)
        self._note(identity, session.id, scopes)
        return answer

    def _profile(self, session: Session, identity: Identity) -> dict[str, Any]:
        user = session.user
        projects = project_access(self.auth.policy, self.auth.policy.mapping(identity))
        told = {"email": user.email, "display_name": user.display_name, "phone_number": user.phone_number}
        small = len(orjson.dumps(projects)) <= MAX_PROJECTS_BYTES
        return {**told, "tags": dict(user.tags), **({"projects": projects} if small else {})}

    def _reused(self, session: Session) -> ProtocolError:
        sessions.end_session(
            self.connection, self.auth.schema, session.id, self.auth.tokens.access_token_ttl_s + LEEWAY_S
        )
        identity = Identity(session.user.username, self.client.id)
        self._note(identity, session.id, session.scopes, "denied")
        return ProtocolError("invalid_grant", REUSED)

    def _note(
        self, identity: Identity, subject: str, scopes: frozenset[str], decision: audit.Decision = "allowed"
    ) -> None:
        detail = {"grant_type": single(self.parameters, "grant_type"), "scope": sorted(scopes)}
        audit.write(
            self.connection,
            self.auth.schema,
            identity,
            self.request_id,
            action="access_token",
            subject=subject,
            decision=decision,
            detail=detail,
        )

    def _required(self, name: str) -> str:
        value = single(self.parameters, name)
        if value is None:
            raise ProtocolError("invalid_request", f"{name} is missing.")
        return value


def read_token(verifier: Verifier, token: str, *purposes: str) -> Claims | None:
    """Claims of a valid token that is for one of `purposes`, or None."""
    for purpose in purposes:
        try:
            return verifier.verify(token, purpose)
        except AuthenticationRequired:
            continue
    return None


def read_task_token(verifier: Verifier, token: str) -> Claims | None:
    """Claims of a task token, which is for none of our services, that has not expired; or None."""
    try:
        claims = verifier.read(token)
    except AuthenticationRequired:
        return None
    task = claims["pur"] == "access" and (claims.get("context") or {}).get("task_token_type")
    return claims if task and claims["exp"] > time.time() else None


def remaining_s(auth: "AuthApp") -> int:
    """How long an access token can go on living at most, in seconds."""
    return auth.tokens.access_token_ttl_s + LEEWAY_S


def half_hash(token: str) -> str:
    """``at_hash`` of an access token: the left half of its SHA-256 (OpenID Connect Core, 3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
