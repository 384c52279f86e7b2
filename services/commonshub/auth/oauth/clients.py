"""Applications: what one may be, and how it proves that it is the one.

A secret is 256 random bits, kept as its SHA-256: guessing it is hopeless however fast the hash, and a slow one, made
for passwords that people choose, would only let anybody keep the processor busy at the token endpoint.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote_plus, urlsplit

from commonshub.core.errors import BadRequest

# What an application can be allowed, and what its user is told of it.
SCOPES = {
    "openid": "know that you have signed in here, your user name, and your user number",
    "user": "read your name, e-mail address, groups, and what you may access",
    "data": "download and upload data in your name, where both of you may",
}
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
DEFAULT_GRANT_TYPES = frozenset({"authorization_code", "refresh_token"})
MAX_NAME_CHARS = 128
MAX_URIS = 32
MAX_URI_CHARS = 512
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_URI_CHARS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_OWN_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


@dataclass(frozen=True, slots=True)
class Client:
    """One application.

    Parameters
    ----------
    name
        What users see, and what policies are given to. While a secret is being changed, two have the same name.
    auto_approve
        Users are not asked; for applications of the commons itself.
    confidential
        It can keep a secret.
    owner
        Who answers for it; informative.
    expires_at, created_at
        Seconds since the epoch.
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset(SCOPES)
    grant_types: frozenset[str] = DEFAULT_GRANT_TYPES
    auto_approve: bool = False
    confidential: bool = True
    owner: str = ""
    expires_at: int | None = None
    created_at: int = 0
    secret_hash: str = ""

    def ended(self, now: float) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at

    def accepts(self, secret: str | None) -> bool:
        """Whether `secret` is right: the client's own, or none for a public one."""
        if not self.confidential:
            return secret is None
        return secret is not None and hmac.compare_digest(digest(secret), self.secret_hash)

    def remembers(self, redirect_uri: str) -> bool:
        """Whether a consent may be remembered: not where any program on the user's computer could take its place."""
        return self.confidential or redirect_uri.startswith("https://")


def digest(secret: str) -> str:
    """What is kept of a secret or a code."""
    return hashlib.sha256(secret.encode()).hexdigest()


def with_secret(client: Client) -> tuple[Client, str | None]:
    """The client under a fresh ``client_id``, and its secret if it has one, which is told only now."""
    secret = secrets.token_urlsafe(32) if client.confidential else None
    return replace(client, id=secrets.token_hex(20), secret_hash=digest(secret) if secret else ""), secret


def check(client: Client, insecure: bool) -> None:
    """Judge what is to be registered.

    Parameters
    ----------
    insecure
        The commons itself is reached without TLS, so that ``http`` addresses are no weaker.

    Raises
    ------
    BadRequest
        Something about it cannot be; the message names the field.
    """
    if (
        not 0 < len(client.name) <= MAX_NAME_CHARS
        or not client.name.isprintable()
        or client.name != client.name.strip()
    ):
        raise BadRequest(f"name must be 1 to {MAX_NAME_CHARS} printable characters.")
    _among("scopes", client.scopes, SCOPES)
    _among("grant_types", client.grant_types, GRANT_TYPES)
    if "authorization_code" in client.grant_types:
        if not client.redirect_uris:
            raise BadRequest("redirect_uris: the grant type authorization_code needs at least one.")
        if "openid" not in client.scopes:
            raise BadRequest("scopes: the grant type authorization_code needs openid.")
    elif "refresh_token" in client.grant_types:
        raise BadRequest("grant_types: refresh_token makes no sense without authorization_code.")
    if "client_credentials" in client.grant_types and not client.confidential:
        raise BadRequest("grant_types: a public client cannot have client_credentials, since it has no secret.")
    if len(client.redirect_uris) > MAX_URIS:
        raise BadRequest(f"redirect_uris: at most {MAX_URIS}.")
    for uri in client.redirect_uris:
        check_redirect_uri(uri, insecure)


def check_redirect_uri(uri: str, insecure: bool = False) -> None:
    """Judge an address that browsers may be sent to with a code.

    Raises
    ------
    BadRequest
        It is not an absolute ``https`` address, an ``http`` one of the user's own computer, or one of a scheme of the
        application's own (a domain of its owner's, turned round: RFC 8252, 7.1); or has a fragment or a user name.
    """
    fault = BadRequest(
        f"redirect_uris: {uri[:200]!r} must be https://…, http://localhost…, or of a scheme like org.example.app:, "
        "without a fragment."
    )
    if len(uri) > MAX_URI_CHARS or not _URI_CHARS.fullmatch(uri):
        raise fault
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise fault from error
    scheme = uri.partition(":")[0]
    if scheme in ("http", "https"):
        plain = scheme == "http" and host not in LOOPBACK and not insecure
        if not _HOST.fullmatch(parts.netloc) or not uri.startswith(f"{scheme}://") or plain:
            raise fault
    elif not _OWN_SCHEME.fullmatch(scheme):
        raise fault


def read_basic(header: str) -> tuple[str, str] | None:
    """``client_id`` and secret of an ``Authorization: Basic`` header, both form-encoded (RFC 6749, 2.3.1), or None."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, or not ASCII to begin with, or not UTF-8
        return None
    found = unquote_plus(name), unquote_plus(secret)
    return found if colon and "\0" not in found[0] else None


def _among(field: str, given: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise BadRequest(f"{field}: {unknown[0][:80]!r} does not exist here; known are {', '.join(known)}.")
