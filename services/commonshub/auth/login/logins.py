"""Sign-ins from begin to end: the providers, the rows, and what others are told of them."""

import hashlib
import re
import secrets
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from commonshub.core import audit
from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, NotFound, PermissionDenied
from commonshub.core.files import kept_secret
from commonshub.core.identity import Identity
from commonshub.core.signin import ASSERTION_AUDIENCE, ASSERTION_PURPOSE, ASSERTION_S, SignInSettings
from commonshub.core.tokens import KeySet, Verifier

from . import store
from .attempt import Attempt, unseal
from .person import Person, person
from .providers import HUB, Provider, parse_providers
from .upstream import Upstream

if TYPE_CHECKING:
    from ..app import AuthApp

# Bytes of randomness in the secret that a browser keeps.
SECRET_BYTES = 32


class Logins:
    """Signing in by OpenID providers.

    Raises
    ------
    BadRequest
        A setting is wrong; the message names it.
    """

    def __init__(self, app: "AuthApp", settings: SignInSettings) -> None:
        self.app = app
        self.settings = settings
        self.providers = parse_providers(settings.providers)
        self._check_settings()
        issuer = app.commons.issuer
        self._upstreams = {
            idp: Upstream(provider, f"{issuer}/login/{idp}/login", settings.timeout_s, settings.documents_s)
            for idp, provider in self.providers.items()
        }
        self._cookie_secret = kept_secret(app.commons.secrets / "login-cookie")
        self._assertions = Verifier(KeySet(Path(app.tokens.jwks_file)), issuer, ASSERTION_AUDIENCE)

    def _check_settings(self) -> None:
        default = self.settings.default_provider
        if default and default not in self.providers:
            raise BadRequest(
                f"SignInSettings.default_provider names {default!r}, which SignInSettings.providers does not have."
            )
        try:
            re.compile(self.settings.deny_names)
        except re.error as error:
            raise BadRequest(f"SignInSettings.deny_names is not a regular expression: {error}.") from error

    def close(self) -> None:
        """Give all connections back."""
        for upstream in self._upstreams.values():
            upstream.close()

    @property
    def secure(self) -> bool:
        """Whether browsers reach this commons by https only."""
        return self.app.commons.origin.startswith("https://")

    @property
    def offered(self) -> list[Provider]:
        """What people may choose from, the default first."""
        shown = [provider for provider in self.providers.values() if not provider.hidden]
        return sorted(shown, key=lambda provider: provider.idp != self.settings.default_provider)

    def upstream(self, idp: str) -> Upstream:
        """The provider of this name.

        Raises
        ------
        NotFound
            There is none.
        """
        if idp not in self._upstreams:
            raise NotFound(f"Nobody signs in to this commons by {idp[:40]!r}.")
        return self._upstreams[idp]

    def seal(self, attempt: Attempt) -> str:
        """Value of the cookie of a sign-in that has begun."""
        return attempt.seal(self._cookie_secret)

    def unseal(self, value: str | None, idp: str, state: str) -> Attempt:
        """The sign-in that a browser began; see :func:`.attempt.unseal`."""
        return unseal(value, self._cookie_secret, idp, state, self.settings.attempt_s)

    async def complete(self, attempt: Attempt, code: str, request_id: str) -> tuple[str, str]:
        """Sign the user in for whom a provider gave this code.

        Returns
        -------
        tuple
            The user's name, and the secret that his browser keeps.

        Raises
        ------
        AuthenticationRequired
            The provider did not prove who he is, or he is not let in; the audit trail has the reason.
        UpstreamError, Unavailable
            The provider does not do its part.
        """
        who = Identity()
        try:
            id_token, claims = await self.upstream(attempt.idp).redeem(code, attempt)
            found = person(self.providers[attempt.idp], claims, self.settings.deny_names)
            who = Identity(found.name)
            secret = secrets.token_urlsafe(SECRET_BYTES)
            name = await self.app.database.run(self._begin, attempt.idp, found, secret, id_token, request_id)
        except (AuthenticationRequired, PermissionDenied) as error:
            denied = audit.Entry("login", attempt.idp, "denied", {"reason": error.message})
            await self.app.database.run(audit.write_many, self.app.schema, who, request_id, [denied])
            raise AuthenticationRequired(error.message) from error
        return name, secret

    def _begin(
        self, connection: sa.Connection, idp: str, found: Person, secret: str, id_token: str, request_id: str
    ) -> str:
        schema, sid = self.app.schema, str(uuid.uuid4())
        user = store.admit_person(connection, schema, idp, found, self.app.allow_new_users)
        if self.providers[idp].policy_groups:
            store.put_groups(connection, schema, user, idp, found.groups, self.settings.groups_s)
        store.begin(
            connection,
            schema,
            user,
            found,
            idp=idp,
            digest=digest(secret),
            sid=sid,
            id_token=id_token,
            idle_s=self.settings.idle_s,
            life_s=self.settings.life_s,
        )
        entry = audit.Entry("login", idp, detail={"sid": sid})
        audit.write_many(connection, schema, Identity(user.username), request_id, [entry])
        return user.username

    async def assertion(self, secret: str) -> str:
        """What the hub may be told of the browser that has this secret.

        Raises
        ------
        AuthenticationRequired
            Its sign-in has ended, or its user was deactivated.
        """
        found = await self.app.database.run(store.find, self.app.schema, digest(secret), self.settings.idle_s)
        if found is None:
            raise AuthenticationRequired("Nobody is signed in, or not any more.")
        now = int(time.time())
        return self.app.keys.sign(
            {
                "pur": ASSERTION_PURPOSE,
                "iss": self.app.commons.issuer,
                "aud": ASSERTION_AUDIENCE,
                "sub": found.username,
                "groups": list(found.groups),
                "sid": found.sid,
                "iat": now,
                "exp": now + ASSERTION_S,
                "jti": str(uuid.uuid4()),
            }
        )

    async def end(self, assertion: str, state: str, request_id: str) -> str:
        """End the sign-in that an assertion is about.

        Returns
        -------
        str
            Where the browser goes to end its session at the provider too; empty where it needs not.

        Raises
        ------
        AuthenticationRequired
            The assertion is not valid.
        """
        claims = self._assertions.verify(assertion, ASSERTION_PURPOSE)
        ended = await self.app.database.run(self._end, str(claims.get("sid")), request_id)
        if ended is None or ended.idp not in self._upstreams:
            return ""
        back = f"{self.app.commons.issuer}/logout/done"
        try:
            return await self._upstreams[ended.idp].logout_url(ended.id_token, back, state)
        except CommonsError as error:
            # What is ours has ended; that the provider is away must not look as if it had not.
            self.app.log.warning("%s could not be asked for its logout page: %s", ended.idp, error.message)
            return ""

    def _end(self, connection: sa.Connection, sid: str, request_id: str) -> store.Ended | None:
        ended = store.end(connection, self.app.schema, sid)
        if ended:
            entry = audit.Entry("logout", ended.idp, detail={"sid": sid})
            audit.write_many(connection, self.app.schema, Identity(ended.username), request_id, [entry])
        return ended


def digest(secret: str) -> str:
    """What is stored of a browser's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def listing(offered: list[Provider], issuer: str) -> dict[str, Any]:
    """The answer of ``/user/login`` in Gen3's form; without providers the hub's own passwords are what there is."""
    entries = [_entry(each.idp, each.label, each.description, issuer) for each in offered]
    entries = entries or [_entry(HUB, "Password", "", issuer)]
    return {"default_provider": entries[0], "providers": entries}


def _entry(idp: str, name: str, description: str, issuer: str) -> dict[str, Any]:
    url = f"{issuer}/login/{idp}"
    return {
        "id": idp,
        "idp": idp,
        "name": name,
        "url": url,
        "urls": [{"name": name, "url": url}],
        "desc": description,
        "secondary": False,
    }
