"""The audit trail: who was given, or refused, access to data or a credential, and who changed who may what.

A row is written in the transaction that makes the decision, and that transaction commits before the answer is sent:
nothing is handed out that the trail does not show. Rows hold no secret: no token, no signed URL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from .identity import Identity

Decision = Literal["allowed", "denied", "failed"]

DataAction = Literal["download", "upload", "upload_part", "upload_complete", "delete"]
SignInAction = Literal["login", "logout"]
TokenAction = Literal[
    "api_key", "revoke_key", "access_token", "refresh_token", "revoke_token", "end_session", "stop_server", "consent"
]
UserAction = Literal["create_user", "change_user", "deactivate_user", "reactivate_user", "delete_user"]
ClientAction = Literal["create_client", "change_client", "delete_client"]
# `grant` and `revoke` bind a policy or a group to somebody; `put` and `drop` make and remove what can be bound.
BucketAction = Literal["add_bucket", "change_bucket", "remove_bucket"]
DictionaryAction = Literal["apply_dictionary"]
PolicyAction = Literal["import_policies", "grant", "revoke", "put", "drop"]
Action = (
    DataAction | SignInAction | TokenAction | UserAction | ClientAction | BucketAction | DictionaryAction | PolicyAction
)

# Longest name of a subject that is kept, in characters.
MAX_SUBJECT = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """What one row says beside who asked.

    Attributes
    ----------
    action
        What was asked for.
    subject
        What it was asked for: a GUID, the ``jti`` of a key, the name of a user, a client, a bucket, a policy.
    detail
        More, as JSON: no secret, and nothing of unbounded size.
    """

    action: Action
    subject: str
    decision: Decision = "allowed"
    detail: Mapping[str, Any] = field(default_factory=dict)


@lru_cache
def table(schema: str) -> sa.Table:
    """The table in the auth schema; ``table(schema).create(connection)`` makes it in a test of another service."""
    return sa.Table(
        "audit",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        *(sa.Column(name, sa.Text) for name in ("request_id", "username", "client", "token_id", "session")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("action", "subject", "decision")),
        sa.Column("detail", JSONB, nullable=False, server_default="{}"),
    )


def write(
    connection: sa.Connection,
    schema: str,
    identity: Identity,
    request_id: str,
    *,
    action: Action,
    subject: str,
    decision: Decision,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one row; the parameters are those of an :class:`Entry`."""
    write_many(connection, schema, identity, request_id, [Entry(action, subject, decision, detail or {})])


def write_many(
    connection: sa.Connection, schema: str, identity: Identity, request_id: str, entries: Sequence[Entry]
) -> None:
    """Add a row for each entry of one request, in one statement."""
    write_all(connection, schema, [(identity, request_id, entry) for entry in entries])


def write_all(connection: sa.Connection, schema: str, said: Sequence[tuple[Identity, str, Entry]]) -> None:
    """Add rows of many callers, each with his request's id, in their order and in one statement."""
    if not said:
        return
    rows = [
        {
            "request_id": request_id,
            "username": identity.username,
            "client": identity.client,
            "token_id": identity.token_id,
            "session": identity.session,
            "action": entry.action,
            "subject": entry.subject[:MAX_SUBJECT],
            "decision": entry.decision,
            "detail": entry.detail,
        }
        for identity, request_id, entry in said
    ]
    # Whatever a caller may ask for can be told of: PostgreSQL's text holds no NUL.
    text = orjson.dumps(rows).decode().replace("\\u0000", "\\ufffd")
    connection.execute(_insertion(schema), {"rows": text})


@lru_cache
def _insertion(schema: str) -> sa.Insert:
    # One parameter for any number of rows: SQLAlchemy's own way costs each row some 20 µs more.
    audit = table(schema)
    columns = [column for column in audit.c if column.name not in ("id", "at")]
    given = (
        sa.func.jsonb_to_recordset(sa.cast(sa.bindparam("rows", type_=sa.Text()), JSONB))
        .table_valued(*(sa.column(column.name, column.type) for column in columns))
        .render_derived(name="given", with_types=True)
    )
    names = [column.name for column in columns]
    return audit.insert().from_select(names, sa.select(*(given.c[name] for name in names)))
