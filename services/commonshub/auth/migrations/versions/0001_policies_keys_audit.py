"""Users, policies, bindings, API keys and the audit trail."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAMES = {
    "client": ("client_id",),
    "grp": ("name",),
    "role": ("id",),
    "permission": ("role_id", "id"),
    "policy": ("id",),
    "policy_role": ("policy_id", "role_id"),
    "policy_resource": ("policy_id", "path"),
    "resource": ("path", "source"),
    "project": ("auth_id", "source"),
    "group_policy": ("group_name", "policy_id", "source"),
    "client_policy": ("client_name", "policy_id", "source"),
}
TEXTS = {
    "client": ("name", "source"),
    "grp": ("source",),
    "role": ("description", "source"),
    "permission": ("description", "service", "method"),
    "policy": ("description", "source"),
    "resource": ("description",),
    "project": ("path",),
}
BINDINGS = ("user_policy", "user_group", "group_policy", "client_policy")


def _moment(name: str, nullable: bool = True) -> sa.Column[Any]:
    default = None if nullable else sa.func.now()
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _user_id(schema: str, **options: Any) -> sa.Column[Any]:
    return sa.Column("user_id", sa.BigInteger, sa.ForeignKey(f"{schema}.usr.id", ondelete="cascade"), **options)


def upgrade() -> None:
    schema = op.get_bind().execute(sa.text("select current_schema()")).scalar_one()
    op.create_table(
        "usr",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("username", sa.Text, nullable=False, unique=True),
        *map(_text, ("email", "display_name", "phone_number", "source")),
        sa.Column("tags", JSONB, nullable=False, server_default="{}"),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        _moment("created_at", nullable=False),
        schema=schema,
    )
    for name, keys in NAMES.items():
        columns: list[sa.Column[Any]] = [sa.Column(key, sa.Text, primary_key=True) for key in keys]
        columns += [_text(text) for text in TEXTS.get(name, ())]
        columns += [_moment("expires_at")] if name in BINDINGS else []
        op.create_table(name, *columns, schema=schema)
    for name, what in (("user_policy", "policy_id"), ("user_group", "group_name")):
        named = [sa.Column(key, sa.Text, primary_key=True) for key in (what, "source")]
        op.create_table(name, _user_id(schema, primary_key=True), *named, _moment("expires_at"), schema=schema)
    _create_keys_and_audit(schema)
    _notify_changes(schema)
    groups = sa.table("grp", sa.column("name"), sa.column("source"), schema=schema)
    op.bulk_insert(groups, [{"name": name, "source": "built-in"} for name in ("anonymous", "logged-in")])


def _create_keys_and_audit(schema: str) -> None:
    op.create_table(
        "api_key",
        sa.Column("jti", sa.Text, primary_key=True),
        _user_id(schema, nullable=False, index=True),
        _moment("created_at", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("workspace", sa.Boolean, nullable=False, server_default=sa.false()),
        schema=schema,
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp(), index=True
        ),
        *(sa.Column(name, sa.Text) for name in ("request_id", "username", "client", "token_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("action", "subject", "decision")),
        sa.Column("detail", JSONB, nullable=False, server_default="{}"),
        schema=schema,
    )
    op.create_table(
        "imported",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        _moment("at", nullable=False),
        schema=schema,
    )


def _notify_changes(schema: str) -> None:
    op.execute(
        f'create function "{schema}".notify_policy() returns trigger language plpgsql as '
        f"$$ begin perform pg_notify('commonshub_policy', '{schema}'); return null; end $$"
    )
    for name in ("usr", *NAMES, "user_policy", "user_group"):
        op.execute(
            f'create trigger notify_policy after insert or update or delete or truncate on "{schema}"."{name}" '
            f'for each statement execute function "{schema}".notify_policy()'
        )
