"""What the OAuth provider keeps: applications, sessions, codes, refresh tokens and consents."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _list(name: str) -> sa.Column[Any]:
    return sa.Column(name, ARRAY(sa.Text), nullable=False, server_default="{}")


def _flag(name: str, default: bool) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.true() if default else sa.false())


def _moment(name: str, nullable: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, **options)


def _of(schema: str, table: str, key: str, kind: Any, name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, sa.ForeignKey(f"{schema}.{table}.{key}", ondelete="cascade"), **options)


def upgrade() -> None:
    schema = op.get_bind().execute(sa.text("select current_schema()")).scalar_one()
    columns: list[sa.Column[Any]] = [
        sa.Column("secret_hash", sa.Text, nullable=False, server_default=""),
        *map(_list, ("redirect_uris", "scopes", "grant_types")),
        _flag("auto_approve", False),
        _flag("confidential", True),
        sa.Column("owner", sa.Text, nullable=False, server_default=""),
        _moment("created_at", server_default=sa.func.now()),
    ]
    for column in columns:
        op.add_column("client", column, schema=schema)
    op.create_index("client_name", "client", ["name"], schema=schema)
    op.create_table(
        "oauth_session",
        sa.Column("id", sa.Text, primary_key=True),
        _of(schema, "client", "client_id", sa.Text, "client_id", nullable=False, index=True),
        _of(schema, "usr", "id", sa.BigInteger, "user_id", nullable=False, index=True),
        _list("scopes"),
        sa.Column("authenticated_at", sa.BigInteger),
        _moment("created_at", server_default=sa.func.now()),
        _moment("expires_at", index=True),
        schema=schema,
    )
    op.create_table(
        "oauth_code",
        sa.Column("digest", sa.Text, primary_key=True),
        _of(schema, "oauth_session", "id", sa.Text, "session_id", nullable=False, index=True),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in ("redirect_uri", "challenge")),
        sa.Column("nonce", sa.Text),
        _moment("expires_at"),
        _moment("used_at", nullable=True),
        schema=schema,
    )
    op.create_table(
        "oauth_refresh",
        sa.Column("jti", sa.Text, primary_key=True),
        _of(schema, "oauth_session", "id", sa.Text, "session_id", nullable=False, index=True),
        _moment("used_at", nullable=True),
        schema=schema,
    )
    op.create_table(
        "oauth_consent",
        _of(schema, "usr", "id", sa.BigInteger, "user_id", primary_key=True),
        _of(schema, "client", "client_id", sa.Text, "client_id", primary_key=True, index=True),
        _list("scopes"),
        _moment("at", server_default=sa.func.now()),
        schema=schema,
    )
