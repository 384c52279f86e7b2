"""Who administrates the commons, asked by every service that has something to administrate.

Administrators read what concerns others. They change it by a token of their own session alone: no API key, workspace
or application has the scope ``admin``, so what a stolen notebook holds cannot hand out rights.
"""

from .errors import AuthenticationRequired, PermissionDenied
from .identity import Identity
from .policy import ANY, Request, Snapshot

ADMIN = Request("fence", ANY, "/services/fence/admin")
SCOPE = "admin"


def require_administrator(policy: Snapshot, identity: Identity) -> None:
    """Raise unless the caller may read what concerns others.

    Raises
    ------
    AuthenticationRequired
        Nobody is signed in.
    PermissionDenied
        The policies do not make him an administrator.
    """
    if identity.anonymous:
        raise AuthenticationRequired("Authentication Error: no authorization header provided")
    policy.require(identity, ADMIN)


def require_governor(policy: Snapshot, identity: Identity) -> None:
    """Raise unless the caller may change what concerns others.

    Raises
    ------
    AuthenticationRequired
        Nobody is signed in.
    PermissionDenied
        He is no administrator, or his token is not for this.
    """
    require_administrator(policy, identity)
    if SCOPE not in identity.scopes:
        raise PermissionDenied(
            "This token lacks the scope admin, since it came from an API key, a workspace or an application. "
            "Use one of your own session."
        )
