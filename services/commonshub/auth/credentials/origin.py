"""What a hub token belongs to, and so what the tokens that are made for it end with."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

WORKSPACE = "workspace"
BROWSER = "browser"


@dataclass(frozen=True, slots=True)
class Origin:
    """A workspace's server, or a browser's sign-in at the hub.

    Parameters
    ----------
    kind
        :data:`WORKSPACE` or :data:`BROWSER`.
    name
        The server's name at the hub, empty for the default one; a digest of the browser's session.
    key
        What tells two runs of a server, or two sign-ins, apart: a digest of what only they know.
    """

    kind: str
    name: str
    key: str


def digest(kind: str, secret: str) -> str:
    """A name for something secret: it can be stored, and compared with others of its kind."""
    return hashlib.sha256(f"{kind}\0{secret}".encode()).hexdigest()


def browser(username: str, session_id: str) -> Origin:
    """The sign-in of a browser, by the hub's identifier of its session, which two users of one browser may share."""
    return Origin(BROWSER, digest(BROWSER, session_id), digest(BROWSER, f"{username}\0{session_id}"))


def origin(token: str, username: str, scopes: Collection[str], session_id: str | None) -> Origin | None:
    """What a hub token belongs to, by what the hub says of it; None for one that a user made for himself.

    A workspace's token is the one that may reach that server and no other: the hub gives it
    ``access:servers!server=<user>/<server>``.
    """
    if session_id:
        return browser(username, session_id)
    prefix = f"access:servers!server={username}/"
    servers = [scope for scope in scopes if scope.startswith("access:servers")]
    if len(servers) != 1 or not servers[0].startswith(prefix):
        return None
    return Origin(WORKSPACE, servers[0].removeprefix(prefix), digest(WORKSPACE, token))
