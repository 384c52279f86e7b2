"""SQL on roles, and on policies made of them. Each function is a part of one transaction."""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from commonshub.core.errors import BadRequest, Conflict, NotFound
from commonshub.core.grants import tables

from . import store
from .forms import Policy, Role
from .store import Document, Page, Query, Row


def list_roles(connection: sa.Connection, schema: str, page: Page) -> tuple[list[Document], str | None]:
    """A page of the roles, and where the next starts."""
    role = tables(schema).role
    rows = connection.execute(store.page_of(_described(role), role.c.id, page)).all()
    kept, following = store.cut(rows, page)
    return _role_documents(connection, schema, kept), following


def get_role(connection: sa.Connection, schema: str, name: str) -> Document:
    """One role.

    Raises
    ------
    NotFound
        There is none of this name.
    """
    role = tables(schema).role
    rows = connection.execute(_described(role).where(role.c.id == name)).all()
    if not rows:
        raise NotFound(f"There is no role {name}.")
    return _role_documents(connection, schema, rows)[0]


def _described(table: sa.Table) -> Query:
    return sa.select(table.c.id, table.c.description, table.c.source)


def _role_documents(connection: sa.Connection, schema: str, rows: Sequence[Row]) -> list[Document]:
    permission = tables(schema).permission.c
    query = (
        sa.select(permission.role_id, permission.id, permission.description, permission.service, permission.method)
        .where(store.one_of(permission.role_id, (row[0] for row in rows)))
        .order_by(permission.role_id, permission.id)
    )
    found: defaultdict[str, list[Document]] = defaultdict(list)
    for role, name, text, service, method in connection.execute(query):
        action = {"service": service, "method": method}
        found[role].append({"id": name, "description": text, "action": action, "constraints": {}})
    return [
        {"id": name, "description": text, "permissions": found[name], "source": source} for name, text, source in rows
    ]


def create_role(connection: sa.Connection, schema: str, role: Role, source: str) -> None:
    """Make a role.

    Raises
    ------
    Conflict
        There is one of this name.
    BadRequest
        It would give everybody a service ``*``.
    """
    if store.owner(connection, tables(schema).role.c.id, role.id) is not None:
        raise Conflict(f"The role {role.id} exists already.")
    put_role(connection, schema, role, source)


def put_role(connection: sa.Connection, schema: str, role: Role, source: str) -> bool:
    """Make a role, or replace its permissions; whether it is new.

    Raises
    ------
    Conflict
        It belongs to another source.
    BadRequest
        It would give everybody a service ``*``.
    """
    t = tables(schema)
    found = store.owner(connection, t.role.c.id, role.id)
    if found is None:
        connection.execute(t.role.insert().values(id=role.id, description=role.description, source=source))
    else:
        store.require_owner(f"The role {role.id}", found, source)
        connection.execute(t.role.update().where(t.role.c.id == role.id).values(description=role.description))
    connection.execute(t.permission.delete().where(t.permission.c.role_id == role.id))
    keys = ("id", "description", "service", "method")
    rows = [{"role_id": role.id, **dict(zip(keys, each, strict=True))} for each in role.permissions]
    connection.execute(t.permission.insert(), rows)
    require_sober(connection, schema)
    return found is None


def delete_role(connection: sa.Connection, schema: str, name: str, source: str) -> None:
    """Remove a role, also from the policies of `source`; one that is not there is gone already.

    Raises
    ------
    Conflict
        It belongs to another source, or a policy of another source has it.
    """
    t = tables(schema)
    found = store.owner(connection, t.role.c.id, name)
    if found is None:
        return
    store.require_owner(f"The role {name}", found, source)
    query = (
        sa.select(t.policy.c.id, t.policy.c.source)
        .join(t.policy_role, t.policy_role.c.policy_id == t.policy.c.id)
        .where(t.policy_role.c.role_id == name, t.policy.c.source != source)
        .limit(1)
    )
    used = connection.execute(query).one_or_none()
    if used is not None:
        raise Conflict(f"The policy {used.id} of {used.source} has the role {name}; change that first.")
    connection.execute(t.policy_role.delete().where(t.policy_role.c.role_id == name))
    connection.execute(t.permission.delete().where(t.permission.c.role_id == name))
    connection.execute(t.role.delete().where(t.role.c.id == name))


def require_sober(connection: sa.Connection, schema: str) -> None:
    """Raise where everybody has been given a service ``*``, as an import of user.yaml does.

    Raises
    ------
    BadRequest
        Names the policy.
    """
    policy = store.public_wildcard(connection, schema)
    if policy is not None:
        raise BadRequest(f"The policy {policy} would grant service * to everybody, which is too much.")


# -- policies ----------------------------------------------------------------------------------------------------------


def list_policies(
    connection: sa.Connection, schema: str, page: Page, expand: bool
) -> tuple[list[Document], str | None]:
    """A page of the policies, with their roles in full where `expand`, and where the next starts."""
    policy = tables(schema).policy
    rows = connection.execute(store.page_of(_described(policy), policy.c.id, page)).all()
    kept, following = store.cut(rows, page)
    return _policy_documents(connection, schema, kept, expand), following


def get_policy(connection: sa.Connection, schema: str, name: str, expand: bool) -> Document:
    """One policy.

    Raises
    ------
    NotFound
        There is none of this name.
    """
    policy = tables(schema).policy
    rows = connection.execute(_described(policy).where(policy.c.id == name)).all()
    if not rows:
        raise NotFound(f"There is no policy {name}.")
    return _policy_documents(connection, schema, rows, expand)[0]


def _policy_documents(connection: sa.Connection, schema: str, rows: Sequence[Row], expand: bool) -> list[Document]:
    t = tables(schema)
    names = [row[0] for row in rows]
    roles = _parts(connection, t.policy_role.c.policy_id, t.policy_role.c.role_id, names)
    paths = _parts(connection, t.policy_resource.c.policy_id, t.policy_resource.c.path, names)
    full: dict[str, Document] = {}
    if expand:
        used = {role for listed in roles.values() for role in listed}
        found = connection.execute(_described(t.role).where(store.one_of(t.role.c.id, used))).all()
        full = {each["id"]: each for each in _role_documents(connection, schema, found)}
    return [
        {
            "id": name,
            "description": text,
            "resource_paths": paths[name],
            **(
                {"roles": [full[role] for role in roles[name] if role in full]} if expand else {"role_ids": roles[name]}
            ),
            "source": source,
        }
        for name, text, source in rows
    ]


def _parts(
    connection: sa.Connection, key: sa.Column[str], part: sa.Column[str], names: Sequence[str]
) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, each in connection.execute(sa.select(key, part).where(store.one_of(key, names)).order_by(key, part)):
        found[name].append(each)
    return found


def create_policy(connection: sa.Connection, schema: str, policy: Policy, source: str) -> None:
    """Make a policy.

    Raises
    ------
    Conflict
        There is one of this name, or something was granted under it before it was dropped.
    BadRequest
        It names a role or resource that does not exist, or would give everybody a service ``*``.
    """
    t = tables(schema)
    if store.owner(connection, t.policy.c.id, policy.id) is not None:
        raise Conflict(f"The policy {policy.id} exists already.")
    store.require_unused(connection, f"The name {policy.id}", store.uses_of_policy(t, policy.id), None)
    row = {"id": policy.id, "description": policy.description, "source": source}
    connection.execute(t.policy.insert().values(**row))
    _compose(connection, schema, [policy])


def put_policies(connection: sa.Connection, schema: str, policies: Sequence[Policy], source: str) -> None:
    """Replace policies, all or none.

    Raises
    ------
    NotFound
        One of them does not exist.
    Conflict
        One belongs to another source.
    BadRequest
        One names a role or resource that does not exist, or would give everybody a service ``*``.
    """
    policy = tables(schema).policy
    query = sa.select(policy.c.id, policy.c.source).where(store.one_of(policy.c.id, (each.id for each in policies)))
    owners = {row.id: row.source for row in connection.execute(query)}
    for each in policies:
        if each.id not in owners:
            raise NotFound(f"There is no policy {each.id}.")
        store.require_owner(f"The policy {each.id}", owners[each.id], source)
    statement = policy.update().where(policy.c.id == sa.bindparam("name")).values(description=sa.bindparam("text"))
    connection.execute(statement, [{"name": each.id, "text": each.description} for each in policies])
    _compose(connection, schema, policies)


def _compose(connection: sa.Connection, schema: str, policies: Sequence[Policy]) -> None:
    """Make the roles and paths of policies what they say."""
    t = tables(schema)
    roles = store.missing(connection, t.role.c.id, (role for each in policies for role in each.roles))
    if roles:
        raise BadRequest(f"There is no role {roles[0]}.")
    paths = store.missing(connection, t.resource.c.path, (path for each in policies for path in each.paths))
    if paths:
        raise BadRequest(f"There is no resource {paths[0]}.")
    names = [each.id for each in policies]
    for table in (t.policy_role, t.policy_resource):
        connection.execute(table.delete().where(store.one_of(table.c.policy_id, names)))
    links = [{"policy_id": each.id, "role_id": role} for each in policies for role in each.roles]
    connection.execute(t.policy_role.insert(), links)
    links = [{"policy_id": each.id, "path": path} for each in policies for path in each.paths]
    connection.execute(t.policy_resource.insert(), links)
    require_sober(connection, schema)


def delete_policy(connection: sa.Connection, schema: str, name: str, source: str) -> None:
    """Remove a policy and what `source` granted with it; one that is not there is gone already.

    Raises
    ------
    Conflict
        It belongs to another source, or another source granted it to somebody.
    """
    t = tables(schema)
    found = store.owner(connection, t.policy.c.id, name)
    if found is None:
        return
    store.require_owner(f"The policy {name}", found, source)
    uses = store.uses_of_policy(t, name)
    store.require_unused(connection, f"The policy {name}", uses, source)
    for table, key in [*uses, (t.policy_role, {"policy_id": name}), (t.policy_resource, {"policy_id": name})]:
        connection.execute(table.delete().where(*store.matching(table, key)))
    connection.execute(t.policy.delete().where(t.policy.c.id == name))
