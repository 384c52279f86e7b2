"""Sign-ins by an OpenID provider."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _text(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, **options)


def _moment(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, **options)


def upgrade() -> None:
    schema = op.get_bind().execute(sa.text("select current_schema()")).scalar_one()

    def user_id(**options: Any) -> sa.Column[Any]:
        user = sa.ForeignKey(f"{schema}.usr.id", ondelete="cascade")
        return sa.Column("user_id", sa.BigInteger, user, nullable=False, **options)

    op.create_table(
        "login_identity",
        _text("idp", primary_key=True),
        _text("subject", primary_key=True),
        user_id(unique=True),
        _moment("created_at", server_default=sa.func.now()),
        schema=schema,
    )
    op.create_table(
        "login",
        _text("id", primary_key=True),
        _text("sid", unique=True),
        user_id(index=True),
        *map(_text, ("idp", "subject", "id_token")),
        sa.Column("groups", JSONB, nullable=False, server_default="[]"),
        _moment("created_at", server_default=sa.func.now()),
        _moment("seen_at", server_default=sa.func.now()),
        _moment("expires_at", index=True),
        _moment("ends_at"),
        schema=schema,
    )
