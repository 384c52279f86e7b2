"""HTTP: ``/user/oauth2/authorize``, where a user lets an application act for him, and his sign-in for that."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from commonshub.core import audit
from commonshub.core.browser import BrowserHandler, content_policy, secure_headers
from commonshub.core.errors import CommonsError, PermissionDenied
from commonshub.core.identity import Identity

from ..handlers import AuthHandler
from ..names import as_the_hub_has_it
from ..users.store import UserRow, admit
from . import sessions, store
from .clients import SCOPES, Client
from .protocol import (
    AuthorizationRequest,
    Parameters,
    ProtocolError,
    Step,
    next_step,
    read_parameters,
    read_request,
    single,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

PATH = "/user/oauth2/authorize"
REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}


class PageHandler(BrowserHandler, AuthHandler):
    """Base of the pages."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        secure_headers(self, content_policy("form-action 'self'"))

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        user = self.visitor.name if self.visitor else None
        self.render(template, commons=self.auth.commons, user=user, xsrf=self.xsrf, **values)

    def finish_error(self, error: CommonsError) -> None:
        """Errors as pages, titled as Gen3's are."""
        self.clear_header("WWW-Authenticate")
        reason = REASONS.get(error.status, "Error")
        self.show("oauth/error.html", error=error, reason=reason, request_id=self.request_id)


class AuthorizeHandler(PageHandler):
    """``/user/oauth2/authorize``.

    A GET, or a form that an application's page sends, asks; only a POST with ``confirm`` and the token of our own page
    answers for the user.
    """

    async def get(self) -> None:
        client, request = await self._read(read_parameters(self.request.query))
        user, consent = await self._user(client)
        approved = client.auto_approve or (client.remembers(request.redirect_uri) and request.scopes <= consent)
        try:
            step = next_step(
                request,
                signed_in=user is not None,
                authenticated_at=self.session.authenticated_at if self.session else None,
                approved=approved,
                now=self.auth.policy.clock(),
            )
        except ProtocolError as refusal:
            self._answer(request, error=refusal.code, error_description=refusal.message)
            return
        if user is None or step in (Step.SIGN_IN, Step.SIGN_IN_ANEW):
            self.begin_sign_in(f"{PATH}?{request.signed_in().query()}", anew=step is Step.SIGN_IN_ANEW)
        elif step is Step.ASK:
            self._ask(client, request)
        else:
            await self._grant(client, request, user)

    async def post(self) -> None:
        client, request = await self._read(read_parameters(self.request.query, self.request.body))
        confirm = self.decision()
        if confirm is None:
            self.redirect(f"{PATH}?{request.query()}", status=303)
            return
        user, _ = await self._user(client)
        if user is None:
            raise PermissionDenied("You are not signed in any more. Begin anew at the application.")
        if confirm == "yes":
            await self._grant(client, request, user, asked=True)
        else:
            await self.auth.database.run(self._note, client, request, "denied")
            self._answer(request, error="access_denied", error_description="The user did not allow it.")

    def decision(self) -> str | None:
        """What the user decides: nothing but the body can say it, however it is labelled."""
        return single(read_parameters(self.request.body), "confirm")

    def check_xsrf(self) -> None:
        """Only a decision needs the token; a request to be asked comes from the application's page."""
        if self.decision() is not None:
            super().check_xsrf()

    async def _read(self, parameters: Parameters) -> tuple[Client, AuthorizationRequest]:
        """The client and its request.

        Raises
        ------
        ProtocolError
            See :func:`~commonshub.auth.oauth.protocol.read_request`.
        """
        client_id = single(parameters, "client_id")
        client = await self.auth.database.run(store.find_client, self.auth.schema, client_id)
        request = read_request(parameters, client, self.auth.policy.clock())
        assert client is not None
        return client, request

    async def _user(self, client: Client) -> tuple[UserRow | None, frozenset[str]]:
        """Who is visiting, and what he allowed the client before.

        Raises
        ------
        PermissionDenied
            This commons does not let him in.
        """
        if self.visitor is None:
            return None, frozenset()
        name = as_the_hub_has_it(self.visitor.name)

        def look(connection: "sa.Connection") -> tuple[UserRow, frozenset[str]]:
            user = admit(connection, self.auth.schema, name, self.auth.allow_new_users)
            return user, sessions.consented(connection, self.auth.schema, user.id, client.id)

        return await self.auth.database.run(look)

    def _ask(self, client: Client, request: AuthorizationRequest) -> None:
        # Browsers hold also the redirect after the form to this rule.
        target = origin(request.redirect_uri)
        # A policy cannot name an IPv6 address.
        source = f"{target.partition(':')[0]}:" if "[" in target else target
        secure_headers(self, content_policy(f"form-action 'self' {source}"))
        self.show(
            "oauth/consent.html",
            client=client,
            scopes=[SCOPES[name] for name in SCOPES if name in request.scopes],
            action=f"{PATH}?{request.query()}",
            other=f"{PATH}?{request.query()}&prompt=select_account" if not request.prompts else "",
            target=target,
        )

    async def _grant(self, client: Client, request: AuthorizationRequest, user: UserRow, asked: bool = False) -> None:
        authenticated_at = self.session.authenticated_at if self.session else None

        def grant(connection: "sa.Connection") -> str:
            schema = self.auth.schema
            if asked and client.remembers(request.redirect_uri):
                sessions.remember(connection, schema, user.id, client.id, request.scopes)
            self._note(connection, client, request, "allowed")
            return sessions.add_code(connection, schema, user.id, request, authenticated_at, self.auth.code_ttl_s)

        self._answer(request, code=await self.auth.database.run(grant))

    def _note(
        self, connection: "sa.Connection", client: Client, request: AuthorizationRequest, decision: audit.Decision
    ) -> None:
        audit.write(
            connection,
            self.auth.schema,
            Identity(self.identity.username, client.id),
            self.request_id,
            action="consent",
            subject=client.name,
            decision=decision,
            detail={"scope": sorted(request.scopes)},
        )

    def _answer(self, request: AuthorizationRequest, **parameters: str) -> None:
        """Send the browser back to the application; never by a method that would send a form along."""
        self.redirect(request.answer(self.auth.commons.issuer, **parameters), status=303)


class CallbackHandler(PageHandler):
    """``/user/oauth_callback``: where the hub sends browsers after the sign-in."""

    async def get(self) -> None:
        await self.complete_sign_in()


def origin(uri: str) -> str:
    """Scheme and host of an address that was registered; of one of an application's own scheme, the scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"
