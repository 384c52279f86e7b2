"""Who is asking, in the one form that every decision takes."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a request.

    Parameters
    ----------
    username
        Name of the user, or None for an anonymous caller or a client acting for itself.
    client
        ``client_id`` of the third-party application that acts (``azp`` of its token), or None.
    scopes
        Scopes of the token; empty for anonymous callers.
    token_id
        ``jti`` of the token, for audit and revocation.
    session
        What the token was derived from (``sid``): an API key, a workspace, a sign-in; it ends with that.
    account
        Id of the user's account (``sub``): nobody else ever gets it, whatever his name.
    token
        The token itself, to pass on to another service of the same commons; never logged.
    """

    username: str | None = None
    client: str | None = None
    scopes: frozenset[str] = frozenset()
    token_id: str | None = None
    session: str | None = None
    account: str | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def anonymous(self) -> bool:
        """Whether nobody is signed in."""
        return self.username is None and self.client is None


ANONYMOUS = Identity()


def account_mark(user_id: object) -> str:
    """What to revoke so that all tokens of a user are refused: by his id (``sub``), which nobody else ever gets."""
    return f"user {user_id}"
