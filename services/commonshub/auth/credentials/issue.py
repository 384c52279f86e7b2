"""Making API keys."""

from typing import TYPE_CHECKING

from commonshub.core import audit
from commonshub.core.identity import Identity

from ..claims import KEY_SCOPES, Account
from ..users.store import get_user
from . import store

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ..app import AuthApp


def issue_key(
    connection: "sa.Connection",
    auth: "AuthApp",
    identity: Identity,
    request_id: str,
    name: str,
    ttl_s: int,
    scopes: frozenset[str] = KEY_SCOPES,
    workspace: bool = False,
    session: str | None = None,
) -> tuple[str, str]:
    """A new API key of the user `name`, and its identifier; registered and in the audit trail.

    Parameters
    ----------
    workspace
        The key is a workspace's: its holder need not know that it exists.
    session
        Session that it ends with. Another key for the same session is the same key with a later end.

    Raises
    ------
    NotFound
        There is no such user.
    """
    user = get_user(connection, auth.schema, name)
    claims = auth.minter.api_key(Account(user.id, user.username), ttl_s, scopes)
    claims["jti"] = store.add_key(connection, auth.schema, user.id, claims["jti"], claims["exp"], workspace, session)
    audit.write(
        connection,
        auth.schema,
        identity,
        request_id,
        action="api_key",
        subject=claims["jti"],
        decision="allowed",
        detail={"user": user.username, "expires_in_s": ttl_s, "workspace": workspace, "scope": claims["scope"]},
    )
    return auth.keys.sign(claims), claims["jti"]
