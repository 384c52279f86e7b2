"""HTTP: what applications call themselves, without a browser."""

from typing import TYPE_CHECKING, Any

from commonshub.core.errors import BadRequest, CommonsError, Unavailable
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.web import CredentialHandler

from ..handlers import AuthHandler
from . import store
from .clients import Client, read_basic
from .issue import Answer, Issuer
from .protocol import Parameters, ProtocolError, read_parameters, single

if TYPE_CHECKING:
    import sqlalchemy as sa

FORM = "application/x-www-form-urlencoded"
# These must not stand in an address, which proxies and browsers write down.
SECRETS = ("client_secret", "refresh_token", "token")


class ClientHandler(CredentialHandler, AuthHandler):
    """Base of the routes at which applications prove themselves, by HTTP Basic, in the body, or by being public."""

    failures = frozenset({401})

    def identify(self) -> Identity:
        """Nobody yet: the credentials are an application's."""
        return ANONYMOUS

    def claimed(self) -> str:
        """The client that this claims to come from."""
        basic = read_basic(self.request.headers.get("Authorization", ""))
        return basic[0] if basic else self.get_body_argument("client_id", "") or super().claimed()

    def set_default_headers(self) -> None:
        """A page of another site may call these: they take no cookie."""
        super().set_default_headers()
        self.set_header("Access-Control-Allow-Origin", "*")

    def options(self) -> None:
        """What such a page's browser asks first."""
        self.set_header("Access-Control-Allow-Methods", "POST")
        self.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type")
        self.set_status(204)
        self.finish()

    def read_body(self) -> Parameters:
        """The parameters of the body.

        Raises
        ------
        ProtocolError
            It is not a form.
        """
        body, kind = self.request.body, self.request.headers.get("Content-Type", "")
        if body and kind.partition(";")[0].strip().lower() != FORM:
            raise ProtocolError("invalid_request", f"The body must be {FORM}.")
        return read_parameters(body)

    def authenticate(self, connection: "sa.Connection", parameters: Parameters) -> Client:
        """The application that proves itself.

        Raises
        ------
        ProtocolError
            ``invalid_client``: it does not exist, has ended, or the secret is wrong.
        """
        client_id, secret = self._credentials(parameters)
        client = store.find_client(connection, self.auth.schema, client_id)
        if client is None or client.ended(self.auth.policy.clock()) or not client.accepts(secret):
            raise ProtocolError(
                "invalid_client", "This client does not exist, or did not prove that it is the one.", 401
            )
        return client

    def _credentials(self, parameters: Parameters) -> tuple[str | None, str | None]:
        client_id, secret = single(parameters, "client_id"), single(parameters, "client_secret")
        headers = self.request.headers.get_list("Authorization")
        if not headers:
            return client_id, secret
        basic = read_basic(headers[0]) if len(headers) == 1 else None
        if basic is None:
            raise ProtocolError("invalid_client", "The Authorization header is not that of HTTP Basic.", 401)
        if secret is not None or client_id not in (None, basic[0]):
            raise ProtocolError("invalid_request", "Prove the client in one way: by HTTP Basic or in the body.")
        return basic

    def error_body(self, error: CommonsError) -> Any:
        """The form of RFC 6749, 5.2."""
        code = error.code
        if isinstance(error, BadRequest):
            code = "invalid_request"
        elif isinstance(error, Unavailable):
            code = "temporarily_unavailable"
        return {"error": code, "error_description": error.message}

    def finish_error(self, error: CommonsError) -> None:
        if error.status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="client"')
        super().finish_error(error)


class TokenHandler(ClientHandler):
    """``/user/oauth2/token``: tokens for a code, a refresh token, or a client's own secret.

    As at Gen3, what is no secret may also stand in the query; its SDK sends client credentials so.
    """

    async def post(self) -> None:
        query = read_parameters(self.request.query)
        for name in SECRETS:
            if name in query:
                raise ProtocolError("invalid_request", f"{name} must be in the body, since addresses are written down.")
        body = self.read_body()
        parameters = {name: [*query.get(name, ()), *body.get(name, ())] for name in {*query, *body}}
        outcome = await self.auth.database.run(self._issue, parameters)
        if isinstance(outcome, ProtocolError):
            await self.auth.grants.reload_revoked()
            raise outcome
        self.set_header("Pragma", "no-cache")
        self.reply(outcome)

    def _issue(self, connection: "sa.Connection", parameters: Parameters) -> Answer | ProtocolError:
        client = self.authenticate(connection, parameters)
        self.identity = Identity(client=client.id)
        return Issuer(connection, self.auth, client, parameters, self.request_id).issue()


class ErrorsHandler(AuthHandler):
    """``/user/oauth2/errors``: the query as JSON, for applications that lead their users' errors here."""

    lenient = True

    def get(self) -> None:
        parameters = read_parameters(self.request.query)
        self.reply({name: values[-1] for name, values in parameters.items()})
