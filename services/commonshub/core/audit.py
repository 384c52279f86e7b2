"""The audit trail: who was given, or refused, access to data or a credential.

A row is written in the transaction that makes the decision, and that transaction commits before the answer is sent:
nothing is handed out that the trail does not show. Rows hold no secret: no token, no signed URL.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from .identity import Identity

Decision = Literal["allowed", "denied", "failed"]


@lru_cache
def table(schema: str) -> sa.Table:
    """The table in the auth schema; ``table(schema).create(connection)`` makes it in a test of another service."""
    return sa.Table(
        "audit",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        *(sa.Column(name, sa.Text) for name in ("request_id", "username", "client", "token_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("action", "subject", "decision")),
        sa.Column("detail", JSONB, nullable=False, server_default="{}"),
    )


def write(
    connection: sa.Connection,
    schema: str,
    identity: Identity,
    request_id: str,
    *,
    action: str,
    subject: str,
    decision: Decision,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one row.

    Parameters
    ----------
    action
        What was asked for: ``download``, ``upload``, ``delete``, ``api_key``, ``access_token``…
    subject
        What it was asked for: a GUID, the ``jti`` of a key.
    """
    connection.execute(
        table(schema)
        .insert()
        .values(
            request_id=request_id,
            username=identity.username,
            client=identity.client,
            token_id=identity.token_id,
            action=action,
            subject=subject,
            decision=decision,
            detail=dict(detail or {}),
        )
    )
