"""Sessions that tokens are derived from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = op.get_bind().execute(sa.text("select current_schema()")).scalar_one()
    moment = sa.DateTime(timezone=True)
    user = sa.ForeignKey(f"{schema}.usr.id", ondelete="cascade")
    op.create_table(
        "session",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("user_id", sa.BigInteger, user, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", moment, nullable=False, index=True),
        schema=schema,
    )
    session = sa.ForeignKey(f"{schema}.session.id", ondelete="cascade")
    op.add_column("api_key", sa.Column("session_id", sa.Text, session, unique=True), schema=schema)
