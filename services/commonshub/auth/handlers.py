"""HTTP: who somebody is, credentials, and the decisions of the policies."""

import time
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest

from commonshub.core import audit
from commonshub.core.errors import (
    AuthenticationRequired,
    BadRequest,
    CommonsError,
    PermissionDenied,
)
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Request
from commonshub.core.web import BaseHandler

from . import store, userinfo
from .claims import KEY_SCOPES, SESSION_SCOPES, Account, key_scopes, lifetime
from .hub import HubUser
from .names import username

if TYPE_CHECKING:
    import sqlalchemy as sa

    from .app import AuthApp


class AuthHandler(BaseHandler):
    """Base of this service's handlers: nothing that they answer may be kept by a cache."""

    @property
    def auth(self) -> "AuthApp":
        """The application."""
        app: AuthApp = self.application.settings["service"]
        return app

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def error_body(self, error: CommonsError) -> Any:
        """Gen3's form, with our details where there are some."""
        body: dict[str, Any] = {"error": error.message, "message": error.message}
        return {**body, "details": error.details} if error.details else body

    def account(self, user: store.UserRow) -> Account:
        """What tokens say of a user."""
        return Account(user.id, user.username, userinfo.is_admin(self.auth.policy, user.username))

    def text(self, body: dict[str, Any], name: str) -> str | None:
        """A string field of a JSON object, or None.

        Raises
        ------
        BadRequest
            It is something else.
        """
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{name} must be a string.")
        return value


class JwksHandler(AuthHandler):
    """``/.well-known/jwks``: the public keys."""

    lenient = True

    def get(self) -> None:
        self.reply(self.auth.keys.jwks())


class PemHandler(AuthHandler):
    """``/user/jwt/keys``: the public keys in the older form."""

    lenient = True

    def get(self) -> None:
        self.reply({"keys": self.auth.keys.pems()})


class DiscoveryHandler(AuthHandler):
    """``/.well-known/openid-configuration``: only what this commons really offers."""

    lenient = True

    def get(self) -> None:
        issuer = self.auth.commons.issuer
        self.reply(
            {
                "issuer": issuer,
                "jwks_uri": f"{issuer}/.well-known/jwks",
                "userinfo_endpoint": f"{issuer}/user",
                "scopes_supported": sorted(SESSION_SCOPES),
                "claims_supported": ["aud", "azp", "context", "exp", "iat", "iss", "jti", "pur", "scope", "sub"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )


class UserHandler(AuthHandler):
    """``/user/user``: who the caller is and what he may do."""

    async def get(self) -> None:
        name = self.require_user()
        user = await self.auth.database.run(store.find_user, self.auth.schema, name)
        if user is None:
            raise AuthenticationRequired("Authentication Error: this user does not exist any more.")
        self.reply(userinfo.document(user, self.auth.policy, self.identity))

    post = get


class MappingHandler(AuthHandler):
    """``/authz/mapping``: what the caller, or with ``username`` another user, may do where."""

    def get(self) -> None:
        self.reply(self.auth.policy.mapping(self.identity))

    def post(self) -> None:
        body = self.json_object() if self.request.body else {}
        if body.keys() - {"username"}:
            raise BadRequest("The body may hold a username and nothing else.")
        asked = self.text(body, "username")
        if asked is None:
            return self.get()
        asked = username(asked)
        if asked != self.identity.username:
            self.auth.policy.require(self.identity, userinfo.ADMIN)
        return self.reply(self.auth.policy.mapping(Identity(asked)))


class ResourcesHandler(AuthHandler):
    """``/authz/resources``: the paths on which the caller may do anything at all."""

    def get(self) -> None:
        self.reply({"resources": sorted(self.auth.policy.mapping(self.identity))})

    post = get


class DecisionHandler(AuthHandler):
    """``GET /authz``: one decision, as a reverse proxy's ``auth_request`` asks for it."""

    def get(self) -> None:
        asked = {name: self.get_query_argument(name, "") for name in ("service", "method", "resource")}
        missing = [name for name, value in asked.items() if not value]
        if missing:
            raise BadRequest(f"The query lacks {missing[0]}.")
        if self.identity.anonymous:
            raise AuthenticationRequired("Authentication Error: no authorization header provided")
        self.auth.policy.require(self.identity, Request(**asked))
        self.set_header("REMOTE_USER", self.identity.username or "")
        self.reply({"auth": True})


class RequestHandler(AuthHandler):
    """``POST /authz/request``: whether the caller may do all of what is listed."""

    max_requests = 1000

    def post(self) -> None:
        body = self.json_object()
        listed = body.get("requests", [body["request"]] if "request" in body else None)
        if not isinstance(listed, list) or not listed or len(listed) > self.max_requests:
            raise BadRequest(f"The body must have request, or requests: a list of 1 to {self.max_requests}.")
        requests = [_request(each, index) for index, each in enumerate(listed)]
        self.reply({"auth": self.auth.policy.allows(self.identity, *requests)})


def _request(given: Any, index: int) -> Request:
    match given:
        case {"resource": str(resource), "action": {"service": str(service), "method": str(method)}}:
            return Request(service, method, resource)
    raise BadRequest(f"requests[{index}] is not of the form {{resource, action: {{service, method}}}}.")


class SourcesHandler(AuthHandler):
    """``/user/credentials/``: the kinds of credentials there are."""

    def get(self) -> None:
        self.require_user()
        self.reply({"/api": "API keys, to be exchanged for access tokens"})


class KeysHandler(AuthHandler):
    """``/user/credentials/api/``: the caller's API keys."""

    def require_manager(self) -> str:
        """The caller, who may manage API keys.

        Raises
        ------
        PermissionDenied
            His token came from an API key or a workspace.
        """
        name = self.require_user()
        if "credentials" not in self.identity.scopes:
            raise PermissionDenied(
                "This token cannot manage API keys, since it came from one or from a workspace. Use the profile page."
            )
        return name

    async def get(self, jti: str = "") -> None:
        name = self.require_manager()
        keys = await self.auth.database.run(store.list_keys, self.auth.schema, name)
        self.reply({"jtis": [{"jti": key.jti, "exp": key.exp, "workspace": key.workspace} for key in keys]})

    async def post(self) -> None:
        name = self.require_manager()
        ttl_s = lifetime(self.auth.tokens.api_key_ttl_s, self.integer("expires_in", low=1))
        scopes = key_scopes(self.identity.scopes, self.json_object() if self.request.body else {})
        key, jti = await self.auth.database.run(
            issue_key, self.auth, self.identity, self.request_id, name, ttl_s, scopes
        )
        self.reply({"key_id": jti, "api_key": key})

    async def delete(self, jti: str) -> None:
        name = self.require_manager()
        await self.auth.database.run(self._revoke, name, jti)
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()

    def _revoke(self, connection: "sa.Connection", name: str, jti: str) -> None:
        schema = self.auth.schema
        store.delete_key(connection, schema, name, jti)
        audit.write(
            connection, schema, self.identity, self.request_id, action="revoke_key", subject=jti, decision="allowed"
        )


def issue_key(
    connection: "sa.Connection",
    auth: "AuthApp",
    identity: Identity,
    request_id: str,
    name: str,
    ttl_s: int,
    scopes: frozenset[str] = KEY_SCOPES,
    workspace: bool = False,
) -> tuple[str, str]:
    """A new API key of the user `name`, and its identifier; registered and in the audit trail.

    Raises
    ------
    NotFound
        There is no such user.
    """
    user = store.get_user(connection, auth.schema, name)
    claims = auth.minter.api_key(Account(user.id, user.username), ttl_s, scopes)
    store.add_key(connection, auth.schema, user.id, claims["jti"], claims["exp"], workspace)
    audit.write(
        connection,
        auth.schema,
        identity,
        request_id,
        action="api_key",
        subject=claims["jti"],
        decision="allowed",
        detail={"user": user.username, "expires_in_s": ttl_s, "workspace": workspace, "scope": claims["scope"]},
    )
    return auth.keys.sign(claims), claims["jti"]


class ExchangeHandler(AuthHandler):
    """``/user/credentials/api/access_token``: an access token for an API key, which is all that proves the caller."""

    lenient = True

    async def post(self) -> None:
        if self.get_query_argument("task_token", None) is not None:
            raise BadRequest("This commons gives no task tokens.")
        claims = self.auth.verifier.verify(self._api_key(), "api_key")
        user = await self.auth.database.run(store.key_owner, self.auth.schema, claims["jti"])
        if user is None:
            raise AuthenticationRequired("Authentication Error: this API key has been revoked.")
        if not user.active:
            raise AuthenticationRequired("Authentication Error: this account has been deactivated.")
        ttl_s = lifetime(
            self.auth.tokens.access_token_ttl_s, self.integer("expires_in", low=1), claims["exp"] - time.time()
        )
        scopes = KEY_SCOPES & frozenset(claims["scope"])
        token = self.auth.keys.sign(self.auth.minter.access(self.account(user), ttl_s, scopes))
        self.reply({"access_token": token})

    def _api_key(self) -> str:
        if self.request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            key: Any = self.get_body_argument("api_key", None)
        else:
            key = self.json_object().get("api_key")
        if not isinstance(key, str) or not key:
            raise BadRequest("The body lacks api_key.")
        return key


def hub_token(request: HTTPServerRequest) -> str:
    """The hub token of a request: ``Authorization: token …``, or ``bearer``.

    Raises
    ------
    AuthenticationRequired
        There is none.
    """
    headers = request.headers.get_list("Authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() not in ("token", "bearer") or not token.strip():
        raise AuthenticationRequired("Authentication Error: send your hub token as `Authorization: token …`.")
    return token.strip()


class HubHandler(AuthHandler):
    """Base of the routes that take a hub token."""

    def identify(self) -> Identity:
        """Nobody yet: only the hub can tell."""
        return ANONYMOUS

    async def admitted(self) -> tuple[HubUser, store.UserRow]:
        """The owner of the hub token, at the hub and here.

        Raises
        ------
        PermissionDenied
            He is not admitted, or his name at the hub is not in the form that policies use; so two users whom the hub
            tells apart by case can never be one here.
        """
        owner = await self.auth.hub.owner(hub_token(self.request))
        if username(owner.name) != owner.name:
            raise PermissionDenied(f"The hub calls you {owner.name!r}; this commons only knows names in lower case.")
        user = await self.auth.database.run(store.admit, self.auth.schema, owner.name, self.auth.allow_new_users)
        self.identity = Identity(user.username)
        return owner, user


class HubTokenHandler(HubHandler):
    """``/user/credentials/hub/access_token``: an access token for a hub token."""

    async def post(self) -> None:
        owner, user = await self.admitted()
        ttl_s = lifetime(self.auth.tokens.access_token_ttl_s, self.integer("expires_in", low=1))
        scopes = SESSION_SCOPES if owner.interactive else KEY_SCOPES
        token = self.auth.keys.sign(self.auth.minter.access(self.account(user), ttl_s, scopes))
        self.reply({"access_token": token, "expires_in": ttl_s, "username": user.username})


class HubKeyHandler(HubHandler):
    """``/user/credentials/hub/api_key``: a short-lived API key for a workspace, for Gen3's own client in it."""

    async def post(self) -> None:
        _, user = await self.admitted()
        ttl_s = lifetime(self.auth.workspace_key_ttl_s, self.integer("expires_in", low=1))
        key, jti = await self.auth.database.run(
            issue_key, self.auth, self.identity, self.request_id, user.username, ttl_s, workspace=True
        )
        self.reply({"api_key": key, "key_id": jti})


class ProvidersHandler(AuthHandler):
    """``/wts/external_oidc/``: other commons that tokens can be had for; none yet. Gen3's tools ask at their start."""

    lenient = True

    def get(self) -> None:
        self.reply({"providers": []})
