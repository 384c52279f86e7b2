"""Writing a user.yaml into the tables.

One transaction: readers see the earlier policies until it commits and the new ones after it, never anything between.
Every row is marked with the source, and what the source gave earlier and does not give now is removed; rows of other
sources are not touched. A definition that somebody else made first keeps its owner.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from commonshub.core.errors import BadRequest, TooLarge
from commonshub.core.grants import Tables, tables

from .credentials.store import api_keys
from .userfile import Plan, parse

if TYPE_CHECKING:
    from .app import AuthApp

_BATCH = 1000


def import_file(app: "AuthApp", file: Path, source: str, *, always: bool = False) -> list[str]:
    """Import a file unless its content is what it was when it was imported last.

    Parameters
    ----------
    always
        Import it even then.

    Returns
    -------
    list of str
        What the file says in vain.

    Raises
    ------
    BadRequest
        There is no such file (only with `always`), or it is not UTF-8.
    TooLarge
        It is larger than ``AuthApp.max_user_file_bytes``.
    Faulty
        It has faults; nothing was changed.
    """
    if not file.is_file():
        if always:
            raise BadRequest(f"There is no file {file}.")
        return []
    content = file.read_bytes()
    if len(content) > app.max_user_file_bytes:
        raise TooLarge(f"{file} is larger than {app.max_user_file_bytes} bytes (AuthApp.max_user_file_bytes).")
    digest = hashlib.sha256(content).hexdigest()
    name = str(file.resolve())
    if not always and app.database.call(_imported, app.schema, name) == digest:
        return []
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not UTF-8: {error}.") from error
    plan = parse(text)

    def write(connection: sa.Connection) -> None:
        apply(connection, app.schema, plan, source)
        _remember(connection, app.schema, name, digest)

    app.database.call(write)
    return [str(warning) for warning in plan.warnings]


def _imported(connection: sa.Connection, schema: str, file: str) -> str | None:
    table = _imports(schema)
    return connection.execute(sa.select(table.c.digest).where(table.c.source == file)).scalar_one_or_none()


def _remember(connection: sa.Connection, schema: str, file: str, digest: str) -> None:
    done = insert(_imports(schema)).values(source=file, digest=digest)
    changes = {"digest": digest, "at": sa.func.now()}
    connection.execute(done.on_conflict_do_update(index_elements=["source"], set_=changes))


def _imports(schema: str) -> sa.TableClause:
    return sa.table("imported", sa.column("source"), sa.column("digest"), sa.column("at"), schema=schema)


def apply(connection: sa.Connection, schema: str, plan: Plan, source: str) -> None:
    """Make the rows of `source` equal to `plan`."""
    connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('commonshub.import.' || :s))"), {"s": schema})
    t = tables(schema)
    _definitions(connection, t, plan, source)
    users = _users(connection, t, schema, plan, source)
    _replace(
        connection,
        t.user_policy,
        ({"user_id": users[user], "policy_id": name} for user, name in plan.user_policies),
        source,
    )
    _replace(
        connection,
        t.user_group,
        ({"user_id": users[user], "group_name": name} for user, name in plan.memberships),
        source,
    )
    pairs = ({"group_name": group, "policy_id": name} for group, name in plan.group_policies)
    _replace(connection, t.group_policy, pairs, source)
    pairs = ({"client_name": client, "policy_id": name} for client, name in plan.client_policies)
    _replace(connection, t.client_policy, pairs, source)
    _forget_users(connection, t, schema, plan, source)


def _definitions(connection: sa.Connection, t: Tables, plan: Plan, source: str) -> None:
    resources = ({"path": path, "description": text} for path, text in plan.resources.items())
    _replace(connection, t.resource, resources, source)
    _replace(connection, t.project, ({"auth_id": name, "path": path} for name, path in plan.projects.items()), source)
    _replace(connection, t.group, ({"name": name} for name in plan.groups), source)
    _replace(connection, t.role, ({"id": name, "description": text} for name, text in plan.roles.items()), source)
    _replace(connection, t.policy, ({"id": name, "description": text} for name, text in plan.policies.items()), source)
    permissions = [
        {"role_id": role, "id": name, "description": text, "service": service, "method": method}
        for (role, name), (text, service, method) in plan.permissions.items()
    ]
    _replace_parts(connection, t.permission, t.role, permissions, plan.roles)
    roles = [{"policy_id": policy, "role_id": role} for policy, role in plan.policy_roles]
    _replace_parts(connection, t.policy_role, t.policy, roles, plan.policies)
    paths = [{"policy_id": policy, "path": path} for policy, path in plan.policy_paths]
    _replace_parts(connection, t.policy_resource, t.policy, paths, plan.policies)


def _users(connection: sa.Connection, t: Tables, schema: str, plan: Plan, source: str) -> dict[str, int]:
    """Make and update the users; their ids by name."""
    rows = [
        {
            "username": name,
            "source": source,
            "email": user.email,
            "display_name": user.display_name,
            "phone_number": user.phone_number,
            "tags": None if user.tags is None else dict(user.tags),
        }
        for name, user in plan.users.items()
    ]
    optional = ("email", "display_name", "phone_number", "tags")
    for silent in {tuple(name for name in optional if row[name] is None) for row in rows}:
        alike = [
            {name: value for name, value in row.items() if name not in silent}
            for row in rows
            if tuple(name for name in optional if row[name] is None) == silent
        ]
        _upsert(connection, t.user, alike, ["username"])
    names = sa.bindparam("names", list(plan.users), type_=ARRAY(sa.Text))
    query = sa.select(t.user.c.username, t.user.c.id).where(t.user.c.username == sa.any_(names))
    return {row.username: row.id for row in connection.execute(query)}


def _forget_users(connection: sa.Connection, t: Tables, schema: str, plan: Plan, source: str) -> None:
    """Delete users whom only this source knew: who has a key or grants from elsewhere stays, without the source's."""
    keys = api_keys(schema)
    names = sa.bindparam("names", list(plan.users), type_=ARRAY(sa.Text))
    # One who was switched off stays too: forgotten, he could come back as a new user.
    statement = t.user.delete().where(t.user.c.source == source, t.user.c.active, t.user.c.username != sa.all_(names))
    for table in (keys, t.user_policy, t.user_group):
        statement = statement.where(~sa.exists().where(table.c.user_id == t.user.c.id))
    connection.execute(statement)


def _upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> None:
    """Store rows; of those that there are, all but the key and the owner is brought up to date."""
    if not rows:
        return
    statement = insert(table)
    changes: dict[str, Any] = {name: statement.excluded[name] for name in rows[0] if name not in (*key, "source")}
    if "expires_at" in table.c:
        changes["expires_at"] = sa.null()
    if changes:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    else:
        statement = statement.on_conflict_do_nothing()
    for start in range(0, len(rows), _BATCH):
        connection.execute(statement, list(rows[start : start + _BATCH]))


def _replace(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]], source: str) -> None:
    """Make the rows of one source in a table with a ``source`` column equal to `rows`."""
    wanted = [{**row, "source": source} for row in rows]
    key = [column.name for column in table.primary_key]
    _upsert(connection, table, wanted, key)
    connection.execute(table.delete().where(table.c.source == source, _absent(table, key, wanted)))


def _replace_parts(
    connection: sa.Connection, table: sa.Table, owner: sa.Table, rows: Sequence[Mapping[str, Any]], names: Iterable[str]
) -> None:
    """Make the parts of the named roles or policies equal to `rows`, and drop those of owners that are gone."""
    key = [column.name for column in table.primary_key]
    _upsert(connection, table, rows, key)
    named = sa.bindparam("owners", list(names), type_=ARRAY(sa.Text))
    gone = table.c[key[0]].not_in(sa.select(owner.c.id))
    connection.execute(
        table.delete().where(sa.or_(gone, sa.and_(table.c[key[0]] == sa.any_(named), _absent(table, key, rows))))
    )


def _absent(table: sa.Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> sa.ColumnElement[bool]:
    """Whether a row's key is in none of `rows`."""
    columns = [table.c[name] for name in key]
    lists = [
        sa.func.unnest(sa.bindparam(None, [row[column.name] for row in rows], type_=ARRAY(column.type)))
        for column in columns
    ]
    return sa.tuple_(*columns).not_in(sa.select(*lists))
