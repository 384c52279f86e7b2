"""The signed-in user and what they may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .display import table


@dataclass(frozen=True)
class User:
    """Somebody who is signed in.

    Attributes
    ----------
    authz
        For each resource path, the ``(service, method)`` pairs that are allowed there and below.
    """

    username: str
    email: str | None = None
    admin: bool = False
    authz: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict, repr=False)

    def may(self, method: str, path: str, service: str | None = None) -> bool:
        """Whether `method` is allowed on a resource path, by any service or by the one named.

        A grant on a path holds for all paths below it. The commons decides anew at each request; this only spares
        asking for what would be refused.
        """
        wanted = [part for part in path.split("/") if part]
        for granted, pairs in self.authz.items():
            parts = [part for part in granted.split("/") if part]
            if wanted[: len(parts)] != parts:
                continue
            for its_service, its_method in pairs:
                if its_method in (method, "*") and (service is None or its_service in (service, "*")):
                    return True
        return False

    def _repr_html_(self) -> str:
        rows = [
            (path, ", ".join(sorted({method for _, method in pairs}))) for path, pairs in sorted(self.authz.items())
        ]
        return table(["resource", "you may"], rows, f"{self.username}{' (administrator)' if self.admin else ''}")


def user_of(document: Mapping[str, Any]) -> User:
    """The user of a ``/user/user`` answer."""
    return User(
        username=str(document.get("username") or document.get("name") or ""),
        email=document.get("email"),
        admin=bool(document.get("is_admin")),
        authz={
            str(path): tuple((str(each.get("service")), str(each.get("method"))) for each in pairs)
            for path, pairs in (document.get("authz") or {}).items()
        },
    )
