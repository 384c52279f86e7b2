"""HTTP for browsers: connecting to another commons.

Gen3's paths are below ``/wts/``, where a browser sends no cookie of ours; they lead to pages below ``/user/``, which
know who is visiting.
"""

from dataclasses import asdict, dataclass
from urllib.parse import urlencode

import orjson

from commonshub.core import audit
from commonshub.core.errors import AuthenticationRequired, BadRequest, PermissionDenied
from commonshub.core.hub import Attempt
from commonshub.core.redirects import own_path

from ..handlers import AuthHandler
from ..names import as_the_hub_has_it
from ..oauth.pages import PageHandler
from ..users.store import admit

BEGIN = "/user/wts/authorization_url"
# What the names of the cookies of connections under way begin with.
ATTEMPTS = "commonshub-wts-"


@dataclass(frozen=True, slots=True)
class Connecting:
    """A connection that has begun: who connects to what, and what must come back with his browser."""

    idp: str
    username: str
    attempt: Attempt

    @classmethod
    def read(cls, value: bytes) -> "Connecting":
        """What :func:`dataclasses.asdict` wrote."""
        fields = orjson.loads(value)
        return cls(fields["idp"], fields["username"], Attempt(**fields["attempt"]))


class Onward(AuthHandler):
    """``/wts/oauth2/…`` for browsers: on to the page that may have cookies."""

    lenient = True

    def get(self, page: str) -> None:
        self.redirect(f"/user/wts/{page}?{self.request.query}")


class ConnectHandler(PageHandler):
    """``/user/wts/authorization_url``: sends the browser to another commons, to ask its user."""

    async def get(self) -> None:
        external = self.auth.connections.external(self.get_query_argument("idp", ""))
        target = own_path(self.get_query_argument("redirect", "/portal/"), self.auth.commons.origin)
        if self.visitor is None:
            self.begin_sign_in(f"{BEGIN}?{urlencode({'idp': external.idp, 'redirect': target})}")
            return
        name = as_the_hub_has_it(self.visitor.name)
        user = await self.auth.database.run(admit, self.auth.schema, name, self.auth.allow_new_users)
        connecting = Connecting(external.idp, user.username, Attempt.begin(target))
        self.keep_attempt(ATTEMPTS, connecting.attempt.state, orjson.dumps(asdict(connecting)))
        self.redirect(external.authorize_url(connecting.attempt, self.auth.connections.redirect_uri))


class ReturnHandler(PageHandler):
    """``/user/wts/authorize``: the browser comes back, and the connection is kept."""

    async def get(self) -> None:
        kept = self.take_attempt(ATTEMPTS)
        if kept is None:
            raise PermissionDenied("This connection was not begun in this browser, or too long ago. Connect again.")
        connecting = Connecting.read(kept)
        if self.visitor is None:
            raise AuthenticationRequired("You are not signed in any more. Connect again.")
        if self.visitor.name != connecting.username:
            raise PermissionDenied("Somebody else began this connection. Connect again.")
        external = self.auth.connections.external(connecting.idp)
        if self.get_query_argument("iss", external.issuer) != external.issuer:
            raise PermissionDenied(f"This answer is not from {external.label}.")
        code = self.get_query_argument("code", "")
        if not code:
            raise BadRequest(f"{external.label} did not allow the connection.")
        await self.auth.connections.connect(connecting.username, external, code, connecting.attempt.verifier)
        await self.auth.database.run(
            audit.write,
            self.auth.schema,
            self.identity,
            self.request_id,
            action="consent",
            subject=external.idp,
            decision="allowed",
            detail={"commons": external.base_url},
        )
        self.redirect(connecting.attempt.target)
