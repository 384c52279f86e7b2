"""Sessions that tokens are derived from, and the connections of users to other commons."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _user_id(schema: str, **options: Any) -> sa.Column[Any]:
    return sa.Column("user_id", sa.BigInteger, sa.ForeignKey(f"{schema}.usr.id", ondelete="cascade"), **options)


def upgrade() -> None:
    schema = op.get_bind().execute(sa.text("select current_schema()")).scalar_one()
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "session",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        _user_id(schema, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", moment, nullable=False, index=True),
        schema=schema,
    )
    op.create_table(
        "wts_connection",
        _user_id(schema, primary_key=True),
        sa.Column("idp", sa.Text, primary_key=True),
        sa.Column("refresh_token", sa.Text, nullable=False),
        sa.Column("refresh_expires_at", moment),
        sa.Column("access_token", sa.Text),
        sa.Column("access_expires_at", moment),
        sa.Column("claimed_until", moment),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        schema=schema,
    )
    session = sa.ForeignKey(f"{schema}.session.id", ondelete="cascade")
    op.add_column("api_key", sa.Column("session_id", sa.Text, session, unique=True), schema=schema)
