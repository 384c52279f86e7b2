"""Where a client's access tokens come from.

Vocabulary: an *access token* is short-lived and goes with every request; an *API key* is long-lived and is exchanged
for access tokens; a *hub token* is what JupyterHub gives each workspace's server, and is exchanged likewise. The
*origin* is ``scheme://host[:port]`` of the commons; API keys carry it in their ``iss`` claim.

The order in which :func:`find` looks: explicit arguments; the workspace's hub token; an API key file (``GEN3_API_KEY``,
``~/.gen3/credentials.json``). A credential is only ever sent to the origin that it belongs to.
"""

import base64
import binascii
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from .errors import NoCredentials, SignInFailed

# Posts JSON to a path of the origin with these headers and returns the JSON that came back.
Post = Callable[[str, Mapping[str, str], Mapping[str, Any]], Mapping[str, Any]]

_DEFAULT_LIFE_S = 300
_SIGN_IN = (
    "In a workspace of a commons nothing is needed. Elsewhere: create an API key on the profile page of the commons, "
    "save it as ~/.gen3/credentials.json, or pass Commons(api_key='path/to/credentials.json')."
)


@dataclass(frozen=True)
class AccessToken:
    """An access token and the moment when it stops being valid, in seconds since 1970."""

    value: str = field(repr=False)
    expires: float


class Source(Protocol):
    """Something that gives access tokens for one origin."""

    @property
    def origin(self) -> str:
        """The commons that it belongs to."""
        ...

    @property
    def description(self) -> str:
        """What it is, for people."""
        ...

    def fetch(self, post: Post) -> AccessToken:
        """A fresh access token."""
        ...


@dataclass(frozen=True)
class HubToken:
    """A workspace's hub token."""

    origin: str
    token: str = field(repr=False)
    description: str = "this workspace"

    def fetch(self, post: Post) -> AccessToken:
        """Exchange the hub token."""
        headers = {"Authorization": f"token {self.token}"}
        return _received(post("/user/credentials/hub/access_token", headers, {}))


@dataclass(frozen=True)
class ApiKey:
    """An API key of the commons, as its profile page gives it."""

    origin: str
    key: str = field(repr=False)
    description: str = "an API key"

    def fetch(self, post: Post) -> AccessToken:
        """Exchange the key."""
        return _received(post("/user/credentials/api/access_token", {}, {"api_key": self.key}))


@dataclass(frozen=True)
class GivenToken:
    """An access token that somebody else obtained; it cannot be renewed."""

    origin: str
    token: str = field(repr=False)
    description: str = "a given access token"

    def fetch(self, post: Post) -> AccessToken:
        """The token itself, while it is valid."""
        expires = _expiry(self.token)
        if expires <= time.time():
            raise SignInFailed("The access token has expired. Make a new Commons with a fresh one.")
        return AccessToken(self.token, expires)


def find(
    origin: str | None = None,
    *,
    api_key: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    access_token: str | None = None,
    hub_token: str | None = None,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Source:
    """The credentials to use.

    Parameters
    ----------
    origin
        The commons that is meant; None for the one that the credentials belong to.
    api_key
        Path of a credentials file, or its content.
    access_token
        An access token.
    hub_token
        A JupyterHub token; needs `origin` outside a workspace.
    environ, home
        Where to look.

    Raises
    ------
    NoCredentials
        There are none, or none for this origin.
    """
    wanted = normal_origin(origin) if origin else None
    if access_token is not None:
        return GivenToken(wanted or _issuer(access_token), access_token)
    if api_key is not None:
        return _checked(_key(api_key), wanted)
    here = environ.get("COMMONSHUB_ORIGIN")
    if hub_token is not None:
        if not (wanted or here):
            raise NoCredentials("A hub token needs the address of its commons: Commons(origin='https://…').")
        return HubToken(wanted or normal_origin(str(here)), hub_token, "a hub token")
    own = environ.get("JUPYTERHUB_API_TOKEN")
    if own and here and wanted in (None, normal_origin(here)):
        return HubToken(normal_origin(here), own)
    return _from_files(wanted, environ, home or Path.home())


def normal_origin(text: str) -> str:
    """``scheme://host[:port]`` of an address, in lower case and without path.

    Raises
    ------
    NoCredentials
        It is not an http(s) address.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NoCredentials(
            f"{text!r} is not the address of a commons; it should look like https://commons.example.org."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port and parts.port != {"http": 80, "https": 443}[parts.scheme] else ""
    return f"{parts.scheme}://{host}{port}"


def _from_files(wanted: str | None, environ: Mapping[str, str], home: Path) -> Source:
    """An API key file, found by the rules of Gen3's SDK."""
    named = environ.get("GEN3_API_KEY", "")
    if named.startswith("accesstoken:///"):
        token = named.removeprefix("accesstoken:///")
        return _checked(GivenToken(_issuer(token), token), wanted)
    if named and any(mark in named for mark in "/\\"):
        candidates = [Path(named).expanduser()]
    else:
        name = named or "credentials"
        candidates = [Path(name), home / ".gen3" / name, home / ".gen3" / f"{name}.json"]
    for file in candidates:
        if file.is_file():
            return _checked(_key(file), wanted)
    if named:
        raise NoCredentials(f"GEN3_API_KEY names {named!r}, but there is no such file. {_SIGN_IN}")
    raise NoCredentials(f"There is nothing here to sign in with. {_SIGN_IN}")


def _checked(source: Source, wanted: str | None) -> Source:
    """The source, if it belongs to the wanted origin."""
    if wanted is not None and source.origin != wanted:
        owner = f"{source.description[:1].upper()}{source.description[1:]}"
        raise NoCredentials(f"{owner} belongs to {source.origin}, not to {wanted}. {_SIGN_IN}")
    return source


def _key(given: str | os.PathLike[str] | Mapping[str, Any]) -> ApiKey:
    if isinstance(given, Mapping):
        document: Any = given
        name = "the API key"
    else:
        name = f"the API key in {os.fspath(given)}"
        try:
            document = json.loads(Path(given).expanduser().read_text("utf-8"))
        except OSError as error:
            raise NoCredentials(f"{name[:1].upper()}{name[1:]} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise NoCredentials(f"{name[:1].upper()}{name[1:]} is not JSON. {_SIGN_IN}") from error
    key = document.get("api_key") if isinstance(document, Mapping) else None
    if not isinstance(key, str):
        raise NoCredentials(f"There is no field 'api_key' in {name.removeprefix('the API key in ')}. {_SIGN_IN}")
    return ApiKey(_issuer(key), key, name)


def claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT, unverified: enough to know whom to ask and when to renew.

    Raises
    ------
    NoCredentials
        It is not a JWT.
    """
    try:
        part = token.split(".")[1]
        document = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, binascii.Error) as error:
        raise NoCredentials(f"That is not a token of a commons. {_SIGN_IN}") from error
    if not isinstance(document, dict):
        raise NoCredentials(f"That is not a token of a commons. {_SIGN_IN}")
    return document


def _issuer(token: str) -> str:
    return normal_origin(str(claims(token).get("iss", "")))


def _expiry(token: str) -> float:
    expires = claims(token).get("exp")
    return float(expires) if isinstance(expires, int | float) else time.time() + _DEFAULT_LIFE_S


def _received(answer: Mapping[str, Any]) -> AccessToken:
    """The token of an exchange; its own ``exp`` says when it ends."""
    token = answer.get("access_token")
    if not isinstance(token, str):
        raise SignInFailed("The commons answered the sign-in without an access token. Is this really a commons?")
    return AccessToken(token, _expiry(token))
