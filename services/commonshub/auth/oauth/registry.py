"""Registering applications: what the command line and the administrators' API both do, each in one transaction."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from commonshub.core import audit
from commonshub.core.errors import BadRequest, NotFound
from commonshub.core.identity import Identity

from ..names import username
from . import store
from .clients import Client, check, with_secret

if TYPE_CHECKING:
    from ..app import AuthApp

DAY_S = 86400
# How long before its end an application is announced to be ending.
SOON_S = 7 * DAY_S
TEXTS = ("name", "owner")
LISTS = ("redirect_uris", "scopes", "grant_types", "policies")
FLAGS = ("auto_approve", "confidential")
FIELDS = (*TEXTS, *LISTS, *FLAGS, "expires_in_days")


@dataclass(frozen=True)
class Registered:
    """A client with its policies, and its secret where it was just made."""

    client: Client
    policies: Sequence[str] = ()
    secret: str | None = None

    def document(self) -> dict[str, Any]:
        """The client as JSON; the hash of its secret stays here."""
        client = self.client
        return {
            "client_id": client.id,
            **({"client_secret": self.secret} if self.secret else {}),
            "name": client.name,
            "redirect_uris": list(client.redirect_uris),
            "scopes": sorted(client.scopes),
            "grant_types": sorted(client.grant_types),
            "auto_approve": client.auto_approve,
            "confidential": client.confidential,
            "owner": client.owner,
            "policies": list(self.policies),
            "created_at": client.created_at,
            "expires_at": client.expires_at,
        }


def read_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a client, as JSON has them.

    Raises
    ------
    BadRequest
        One is unknown or of another type; the message names it.
    """
    for name, value in body.items():
        if name not in FIELDS:
            raise BadRequest(f"A client has no field {name[:80]!r}; there are {', '.join(FIELDS)}.")
        if name in TEXTS and not isinstance(value, str):
            raise BadRequest(f"{name} must be a string.")
        if name in LISTS and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise BadRequest(f"{name} must be a list of strings.")
        if name in FLAGS and not isinstance(value, bool):
            raise BadRequest(f"{name} must be true or false.")
    return dict(body)


@dataclass(frozen=True)
class Registry:
    """Changes applications on one connection, on behalf of `identity`.

    Parameters
    ----------
    source
        What gives the policies: ``cli`` or ``api``.
    """

    connection: sa.Connection
    auth: "AuthApp"
    identity: Identity
    request_id: str
    source: str

    def listed(self, name: str | None = None) -> list[Registered]:
        """All clients, or those of a name."""
        found = store.list_clients(self.connection, self.auth.schema, name)
        policies = store.policies_of(self.connection, self.auth.schema, [client.name for client in found])
        return [Registered(client, policies.get(client.name, ())) for client in found]

    def get(self, client_id: str) -> Registered:
        """One client.

        Raises
        ------
        NotFound
            There is none.
        """
        client = store.get_client(self.connection, self.auth.schema, client_id)
        return Registered(client, self._policies(client.name))

    def create(self, fields: Mapping[str, Any]) -> Registered:
        """Register a client.

        Raises
        ------
        BadRequest, Conflict, NotFound
            A field is not acceptable, the name is taken, or a policy does not exist.
        """
        client, secret = with_secret(self._judged(Client(id="", name=""), fields))
        store.add_client(self.connection, self.auth.schema, client, self.source)
        self._bind(client.name, fields)
        self._write("create_client", client, fields)
        return replace(self.get(client.id), secret=secret)

    def change(self, clients: Sequence[Client], fields: Mapping[str, Any]) -> list[Registered]:
        """Change clients that exist; what `fields` does not name stays.

        Raises
        ------
        BadRequest, NotFound
            A field is not acceptable, or a policy does not exist.
        """
        for name in ("name", "confidential"):
            if name in fields:
                raise BadRequest(f"{name} cannot be changed; register another client.")
        for client in clients:
            store.put_client(self.connection, self.auth.schema, self._judged(client, fields))
            self._bind(client.name, fields)
            self._write("change_client", client, fields)
        return [self.get(client.id) for client in clients]

    def rotate(self, client: Client, fields: Mapping[str, Any]) -> Registered:
        """Another ``client_id`` and secret under the same name; the old ones serve until they are deleted or end.

        Parameters
        ----------
        fields
            Nothing but ``expires_in_days`` of the new one.
        """
        if set(fields) - {"expires_in_days"}:
            raise BadRequest("A rotation takes expires_in_days and nothing else.")
        fresh, secret = with_secret(self._judged(replace(client, expires_at=None), fields))
        store.add_client(self.connection, self.auth.schema, fresh, self.source, rotated=True)
        self._write("create_client", fresh, {"rotated": client.id})
        return replace(self.get(fresh.id), secret=secret)

    def delete(self, clients: Sequence[Client]) -> None:
        """Delete clients. Every service refuses their tokens within moments; their policies do not outlive the name."""
        store.delete_clients(self.connection, self.auth.schema, [client.id for client in clients])
        store.unbind_unused(self.connection, self.auth.schema, [client.name for client in clients])
        for client in clients:
            self._write("delete_client", client, {})

    def delete_expired(self) -> tuple[list[Client], list[Client]]:
        """Delete clients whose time is over; returns these, and those that end soon."""
        now = time.time()
        every = store.list_clients(self.connection, self.auth.schema)
        ended = [client for client in every if client.ended(now)]
        self.delete(ended)
        return ended, [client for client in every if client.ended(now + SOON_S) and not client.ended(now)]

    def named(self, name: str) -> list[Client]:
        """The clients of a name, the newest first.

        Raises
        ------
        NotFound
            There is none.
        """
        found = store.list_clients(self.connection, self.auth.schema, name)
        if not found:
            raise NotFound(f"This commons has no client {name[:80]!r}.")
        return found

    def _judged(self, client: Client, fields: Mapping[str, Any]) -> Client:
        changes: dict[str, Any] = {name: fields[name] for name in (*TEXTS, *FLAGS) if name in fields}
        if changes.get("owner"):
            changes["owner"] = username(changes["owner"])
        if "redirect_uris" in fields:
            changes["redirect_uris"] = tuple(dict.fromkeys(fields["redirect_uris"]))
        changes |= {name: frozenset(fields[name]) for name in ("scopes", "grant_types") if name in fields}
        if "expires_in_days" in fields:
            changes["expires_at"] = _moment(fields["expires_in_days"])
        changed = replace(client, **changes)
        check(changed, insecure=not self.auth.commons.secure)
        return changed

    def _bind(self, name: str, fields: Mapping[str, Any]) -> None:
        if "policies" in fields:
            store.bind_policies(self.connection, self.auth.schema, name, fields["policies"], self.source)

    def _policies(self, name: str) -> Sequence[str]:
        return store.policies_of(self.connection, self.auth.schema, [name]).get(name, ())

    def _write(self, action: audit.ClientAction, client: Client, fields: Mapping[str, Any]) -> None:
        audit.write(
            self.connection,
            self.auth.schema,
            self.identity,
            self.request_id,
            action=action,
            subject=client.id,
            decision="allowed",
            detail={"name": client.name, **fields},
        )


def _moment(days: Any) -> int | None:
    """The end of a client that lives `days` more; none for None or, as with Gen3's command, 0."""
    if days is None or days == 0:
        return None
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= 36_500:
        raise BadRequest("expires_in_days must be a number of days; 0 for no end.")
    return int(time.time() + days * DAY_S)
