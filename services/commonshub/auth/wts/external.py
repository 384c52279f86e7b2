"""The other commons that users may connect to, as the operator configured them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from commonshub.core.errors import BadRequest, UpstreamError
from commonshub.core.hub import Attempt
from commonshub.core.options import read_options, read_secret
from commonshub.core.outbound import check_url

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
# What Gen3's clients call the commons itself.
OWN = frozenset({"default", "local"})
SCOPES = ("openid", "user", "data")


@dataclass(frozen=True, slots=True)
class External:
    """One other commons.

    Parameters
    ----------
    idp
        Its short name.
    base_url
        Its origin: ``scheme://host[:port]``. All that is asked of it is below this.
    client_id, client_secret_file
        How it knows this commons; without a file this commons is a public client.
    name
        What people read.
    scopes
        What its tokens may be used for; a caller needs these scopes himself.
    """

    idp: str
    base_url: str
    client_id: str
    client_secret_file: str = ""
    name: str = ""
    scopes: tuple[str, ...] = SCOPES

    @property
    def issuer(self) -> str:
        """``iss`` of its tokens."""
        return f"{self.base_url}/user"

    @property
    def label(self) -> str:
        """What people read of it."""
        return self.name or self.idp

    @property
    def secret(self) -> str:
        """The secret that this commons has there; empty for a public client."""
        return read_secret(self.client_secret_file)

    def authorize_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where a browser goes to connect."""
        query = {
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(self.scopes),
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.issuer}/oauth2/authorize?{urlencode(query)}"


def parse_commons(settings: Mapping[str, Any]) -> dict[str, External]:
    """The commons of ``AuthApp.external_commons``.

    Raises
    ------
    BadRequest
        A setting is missing, unknown or of the wrong kind; the message names commons and setting.
    """
    return {str(idp): _parse(str(idp), values) for idp, values in settings.items()}


def _parse(idp: str, values: Any) -> External:
    where = f"AuthApp.external_commons[{idp!r}]"
    if not _NAME.fullmatch(idp) or idp in OWN:
        raise BadRequest(f"{where}: the name must be of a-z, 0-9, '.', '-', '_', and none of {', '.join(sorted(OWN))}.")
    options = read_options(External, where, values, ("base_url", "client_id"))
    scopes = tuple(dict.fromkeys(("openid", *options.get("scopes", SCOPES))))
    return External(idp, **{**options, "base_url": _origin(where, options["base_url"]), "scopes": scopes})


def _origin(where: str, url: str) -> str:
    try:
        check_url(url)
    except UpstreamError as error:
        raise BadRequest(f"{where}['base_url']: {error.message}") from error
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query:
        raise BadRequest(f"{where}['base_url'] must be scheme, host and port only, not {url!r}.")
    return f"{parts.scheme}://{parts.netloc}"
