"""Revoked tokens, and the end of clients."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = op.get_bind().execute(sa.text("select current_schema()")).scalar_one()
    moment = sa.DateTime(timezone=True)
    op.add_column("client", sa.Column("expires_at", moment), schema=schema)
    op.create_table(
        "revoked",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("expires_at", moment, nullable=False, index=True),
        schema=schema,
    )
    op.execute(
        f'create function "{schema}".notify_revoked() returns trigger language plpgsql as '
        f"$$ begin perform pg_notify('commonshub_policy', 'revoked'); return null; end $$"
    )
    op.execute(
        f'create trigger notify_revoked after insert or update on "{schema}".revoked '
        f'for each statement execute function "{schema}".notify_revoked()'
    )
