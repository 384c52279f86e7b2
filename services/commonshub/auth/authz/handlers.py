"""HTTP: the decisions of the policies, in Arborist's form."""

from typing import Any

from commonshub.core.errors import AuthenticationRequired, BadRequest
from commonshub.core.identity import Identity
from commonshub.core.policy import Request

from ..handlers import AuthHandler
from ..names import username
from ..users.userinfo import ADMIN


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
            self.auth.policy.require(self.identity, ADMIN)
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
