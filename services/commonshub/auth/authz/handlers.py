"""HTTP: the decisions of the policies, in Arborist's form.

Vocabulary
----------
caller
    Whom the bearer token of the request stands for, or anybody.
subject
    About whom is asked. Everybody may ask about himself; about somebody whose access token he holds; and, as an
    administrator, about anybody by name.
"""

from typing import Any

from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, NotFound
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Request

from ..handlers import AuthHandler
from ..names import username

MAX_REQUESTS = 1000
_FIELDS = frozenset({"resource", "action", "constraints"})
_ACTION = frozenset({"service", "method"})


class ArboristHandler(AuthHandler):
    """Base of all routes of this package: errors in Arborist's form."""

    def error_body(self, error: CommonsError) -> Any:
        """``{"error": {"message", "code"}}``, with our details where there are some."""
        told: dict[str, Any] = {"message": error.message, "code": error.status}
        return {"error": {**told, "details": error.details} if error.details else told}

    def subject(self, given: Any) -> Identity:
        """The subject that ``user`` of a body names: by ``token`` or ``user_id``, and the caller where by neither.

        Raises
        ------
        BadRequest
            It has another form.
        AuthenticationRequired
            The token is not valid (any more), or lacks a scope that ``scope`` asks for.
        PermissionDenied
            It names somebody else, and the caller is no administrator.
        """
        if not given:
            return self.identity
        if not isinstance(given, dict) or given.keys() - {"token", "user_id", "policies", "scope"}:
            raise BadRequest("user may hold token, user_id and scope, and nothing else.")
        if given.get("policies"):
            raise BadRequest("user.policies is not supported: decisions go by all that the user was given.")
        token, name = self.text(given, "token"), self.text(given, "user_id")
        if token and name:
            raise BadRequest("user must have token or user_id, not both.")
        found = self.service.identify(token) if token else self.named(name) if name else self.identity
        self._require_scopes(found, given.get("scope") or [])
        return found

    def _require_scopes(self, subject: Identity, scopes: Any) -> None:
        if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
            raise BadRequest("user.scope must be a list of strings.")
        lacking = sorted(set(scopes) - subject.scopes)
        if lacking and subject.token_id is not None:
            raise AuthenticationRequired(f"Authentication Error: the token lacks the scope {lacking[0]}.")

    def named(self, name: str) -> Identity:
        """The user of this name, for himself or an administrator."""
        name = username(name)
        if name != self.identity.username:
            self.require_administrator()
        return Identity(name)


class MappingHandler(ArboristHandler):
    """``/authz/auth/mapping``: what a user or client may do where."""

    def get(self) -> None:
        self.reply(self.auth.policy.mapping(self.identity))

    def post(self) -> None:
        body = self.json_object() if self.request.body else {}
        if body.keys() - {"username", "clientID"}:
            raise BadRequest("The body may hold username or clientID, and nothing else.")
        user, client = self.text(body, "username"), self.text(body, "clientID")
        if (user and client) or (self.identity.anonymous and self.request.body and not user and not client):
            raise BadRequest("Send a token, or name exactly one of username and clientID.")
        self.reply(self.auth.policy.mapping(self._asked(user, client)))

    def _asked(self, user: str | None, client: str | None) -> Identity:
        if user:
            return self.named(user)
        if client:
            if self.identity.client != client:
                self.require_administrator()
            return Identity(client=client)
        return self.identity


class ResourcesHandler(ArboristHandler):
    """``/authz/auth/resources``: the paths on which somebody may do anything at all."""

    def get(self) -> None:
        self._reply(self.identity)

    def post(self) -> None:
        body = self.json_object() if self.request.body else {}
        if body.keys() - {"user"}:
            raise BadRequest("The body may hold user, and nothing else.")
        self._reply(self.subject(body.get("user")))

    def _reply(self, subject: Identity) -> None:
        if "tags" in self.request.query_arguments:
            raise BadRequest("Resources have no tags here; ask for their paths.")
        self.reply({"resources": sorted(self.auth.policy.mapping(subject))})


class DecisionHandler(ArboristHandler):
    """``GET /authz/auth/proxy``: one decision, as a reverse proxy's ``auth_request`` asks for it."""

    def get(self) -> None:
        asked = {name: self.get_query_argument(name, "") for name in ("service", "method", "resource")}
        missing = [name for name, value in asked.items() if not value]
        if missing:
            raise BadRequest(f"The query lacks {missing[0]}.")
        if self.identity.anonymous:
            raise AuthenticationRequired("Authentication Error: no authorization header provided")
        self.auth.policy.require(self.identity, Request(**asked))
        # As bytes, since a name may have any letters and a header's text only Latin ones.
        self.set_header("REMOTE_USER", (self.identity.username or "").encode())
        self.reply({"auth": True})


class RequestHandler(ArboristHandler):
    """``POST /authz/auth/request``: whether the subject may do all of what is listed."""

    def post(self) -> None:
        body = self.json_object()
        if body.keys() - {"user", "request", "requests"}:
            raise BadRequest("The body may hold user, request and requests, and nothing else.")
        requests = _requests(body)
        self.reply({"auth": self.auth.policy.allows(self.subject(body.get("user")), *requests)})


class HealthHandler(ArboristHandler):
    """``/authz/health``: ``"Healthy"`` when the service can do its work."""

    lenient = True

    async def get(self) -> None:
        await self.service.check_health()
        self.reply("Healthy")


class NothingHandler(ArboristHandler):
    """Every path below ``/authz`` that no route matches."""

    def prepare(self) -> None:
        self.identity = ANONYMOUS
        raise NotFound(f"There is nothing at {self.request.path}.")


def _requests(body: dict[str, Any]) -> list[Request]:
    """What is asked: ``request``, ``requests`` or both together, as one conjunction."""
    listed = body.get("requests")
    if listed is None:
        listed = []
    if not isinstance(listed, list):
        raise BadRequest("requests must be a list.")
    if body.get("request") is not None:
        listed = [body["request"], *listed]
    if not 1 <= len(listed) <= MAX_REQUESTS:
        raise BadRequest(f"The body must have request, or requests: a list of 1 to {MAX_REQUESTS}.")
    return [_request(each, index) for index, each in enumerate(listed)]


def _request(given: Any, index: int) -> Request:
    # Constraints are conditions that Arborist takes and never looks at; who sets some must not be told yes.
    if isinstance(given, dict) and given.keys() <= _FIELDS and not given.get("constraints"):
        resource, action = given.get("resource"), given.get("action")
        if isinstance(resource, str) and isinstance(action, dict) and action.keys() == _ACTION:
            service, method = action["service"], action["method"]
            if isinstance(service, str) and isinstance(method, str):
                return Request(service, method, resource)
    raise BadRequest(f"requests[{index}] is not of the form {{resource, action: {{service, method}}}}.")
