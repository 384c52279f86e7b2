"""What a user.yaml would change in the tables, and the change.

Vocabulary
----------
kind
    One sort of thing that the file says: a resource, a role, a permission of a role, a user's policy…
stored
    The rows of a kind that an import answers for: those of its source, and those of the names that the file defines,
    whoever defined them first.
difference
    What must be added, changed and removed so that what is stored becomes what is wanted. It is computed before
    anything is written: a file that says nothing new writes nothing, and no service hears of it.

Rows are compared under the names that people use, so a binding of a user goes by his name and not by his number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from commonshub.core.grants import Tables, revoke, tables
from commonshub.core.identity import account_mark

from .authz.store import one_of
from .credentials.store import api_keys
from .userfile import Plan

# Longer than any token lives.
LONGEST_TOKEN_S = 90 * 86400

Key = tuple[str, ...]
Values = tuple[Any, ...]
Rows = Mapping[Key, Values]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Kind:
    """One sort of thing that the file says.

    Attributes
    ----------
    key
        Columns that name a row, ``username`` for the number of a user.
    values
        Columns of which the file says something.
    owner
        What a row is a part of (a permission of a role): it goes where its owner goes, and has no source.
    """

    name: str
    table: sa.Table
    key: tuple[str, ...]
    values: tuple[str, ...] = ()
    owner: sa.Table | None = None

    @property
    def of_user(self) -> bool:
        """Whether rows name a user by number."""
        return "user_id" in self.table.c

    @property
    def has_source(self) -> bool:
        """Whether each source has rows of its own."""
        return "source" in self.table.primary_key.columns


@dataclass
class Difference:
    """What must happen to the rows of one kind."""

    kind: Kind
    added: dict[Key, Values] = field(default_factory=dict)
    changed: dict[Key, Values] = field(default_factory=dict)
    removed: list[Key] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def counts(self) -> dict[str, int]:
        """How many rows are added, changed and removed."""
        return {"added": len(self.added), "changed": len(self.changed), "removed": len(self.removed)}

    def lines(self) -> Iterator[str]:
        """One line a row: ``+`` added, ``~`` changed, ``-`` removed, its kind and its names."""
        marked = [*((key, "+") for key in self.added), *((key, "~") for key in self.changed)]
        for key, mark in sorted([*marked, *((key, "-") for key in self.removed)]):
            yield f"{mark} {self.kind.name} {': '.join(key)}"


def kinds(t: Tables) -> list[Kind]:
    """All kinds, in the order in which they are told and written."""
    return [
        Kind("resource", t.resource, ("path",), ("description",)),
        Kind("project", t.project, ("auth_id",), ("path",)),
        Kind("role", t.role, ("id",), ("description",)),
        Kind("permission", t.permission, ("role_id", "id"), ("description", "service", "method"), t.role),
        Kind("policy", t.policy, ("id",), ("description",)),
        Kind("role of policy", t.policy_role, ("policy_id", "role_id"), (), t.policy),
        Kind("path of policy", t.policy_resource, ("policy_id", "path"), (), t.policy),
        Kind("group", t.group, ("name",)),
        Kind("user", t.user, ("username",), ("email", "display_name", "phone_number", "tags")),
        Kind("policy of user", t.user_policy, ("username", "policy_id"), ("expires_at",)),
        Kind("group of user", t.user_group, ("username", "group_name"), ("expires_at",)),
        Kind("policy of group", t.group_policy, ("group_name", "policy_id"), ("expires_at",)),
        Kind("policy of client", t.client_policy, ("client_name", "policy_id"), ("expires_at",)),
    ]


def _wanted(plan: Plan) -> dict[str, Rows]:
    """What the file says, by kind. None is: as it is, or else nothing."""
    users: Rows = {
        (name,): (user.email, user.display_name, user.phone_number, None if user.tags is None else dict(user.tags))
        for name, user in plan.users.items()
    }
    return {
        "resource": {(path,): (text,) for path, text in plan.resources.items()},
        "project": {(name,): (path,) for name, path in plan.projects.items()},
        "role": {(name,): (text,) for name, text in plan.roles.items()},
        "permission": dict(plan.permissions.items()),
        "policy": {(name,): (text,) for name, text in plan.policies.items()},
        "role of policy": dict.fromkeys(plan.policy_roles, ()),
        "path of policy": dict.fromkeys(plan.policy_paths, ()),
        "group": {(name,): () for name in plan.groups},
        "user": users,
        "policy of user": dict.fromkeys(plan.user_policies, (None,)),
        "group of user": dict.fromkeys(plan.memberships, (None,)),
        "policy of group": dict.fromkeys(plan.group_policies, (None,)),
        "policy of client": dict.fromkeys(plan.client_policies, (None,)),
    }


def compare(
    connection: sa.Connection, schema: str, plan: Plan, source: str, progress: Progress | None = None
) -> list[Difference]:
    """The difference of each kind between what `source` stored and what the file says.

    Parameters
    ----------
    progress
        Called with what is done, how many steps of it are done, and of how many.
    """
    t = tables(schema)
    wanted = _wanted(plan)
    found = []
    for number, kind in enumerate(listed := kinds(t)):
        if progress:
            progress("comparing", number, len(listed))
        found.append(_difference(kind, _stored(connection, t, kind, wanted, source), wanted[kind.name]))
    return found


def _difference(kind: Kind, stored: Rows, wanted: Rows) -> Difference:
    found = Difference(kind, removed=[key for key in stored if key not in wanted])
    for key, values in wanted.items():
        if key not in stored:
            found.added[key] = values
            continue
        if kind.name == "user":
            # Of a user the file may say only a part.
            values = tuple(old if new is None else new for old, new in zip(stored[key], values, strict=True))
        if stored[key] != values:
            found.changed[key] = values
    return found


def _stored(connection: sa.Connection, t: Tables, kind: Kind, wanted: Mapping[str, Rows], source: str) -> Rows:
    table = kind.table
    key = [t.user.c.username if name == "username" else table.c[name] for name in kind.key]
    query = sa.select(*key, *(table.c[name] for name in kind.values))
    if kind.of_user:
        query = query.select_from(table.join(t.user))
    if kind.owner is not None:
        # Parts of what nothing defines any more go with the rest.
        owner = kind.owner.c
        named = one_of(owner.id, (name for (name,) in wanted["role" if kind.owner is t.role else "policy"]))
        query = query.select_from(table.outerjoin(kind.owner, owner.id == key[0])).where(
            sa.or_(owner.id.is_(None), owner.source == source, named)
        )
    elif kind.has_source:
        query = query.where(table.c.source == source)
    else:
        mine = table.c.source == source
        if table is t.user:
            mine = sa.and_(mine, *_forgettable(t, source))
        query = query.where(sa.or_(mine, one_of(key[0], (name for (name,) in wanted[kind.name]))))
    width = len(key)
    return {tuple(row[:width]): tuple(row[width:]) for row in connection.execute(query).all()}


def _forgettable(t: Tables, source: str) -> list[sa.ColumnElement[bool]]:
    """When a user whom the file made and no longer names is forgotten: nobody else gave him anything, nor has he a key.

    One who was switched off is kept: forgotten, he could come back as a new user.
    """
    keys = api_keys(str(t.user.schema)).c
    others = [
        sa.exists().where(given.c.user_id == t.user.c.id, given.c.source != source)
        for given in (t.user_policy, t.user_group)
    ]
    return [t.user.c.active, ~sa.exists().where(keys.user_id == t.user.c.id), *(~each for each in others)]


def write(
    connection: sa.Connection, schema: str, found: Sequence[Difference], source: str, progress: Progress | None = None
) -> None:
    """Make what is stored what is wanted; of what does not differ nothing is written."""
    t = tables(schema)
    # What is taken away comes last, and users after what they were given.
    steps = [*((_put, each) for each in found), *((_remove, each) for each in reversed(found))]
    for number, (step, each) in enumerate(steps):
        if progress:
            progress("writing", number, len(steps))
        step(connection, t, each, source)


def _put(connection: sa.Connection, t: Tables, difference: Difference, source: str) -> None:
    kind, rows = difference.kind, {**difference.added, **difference.changed}
    if not rows:
        return
    table = kind.table
    given = _given(kind, [*kind.key, *kind.values], [[*key, *values] for key, values in rows.items()])
    columns = {name: given.c[name] for name in (*kind.key, *kind.values)}
    query = sa.select()
    if kind.of_user:
        columns = {"user_id": t.user.c.id, **columns}
        del columns["username"]
        query = query.where(t.user.c.username == given.c.username)
    if table is t.user:
        empty = {name: sa.literal("") for name in kind.values} | {"tags": sa.literal({}, JSONB)}
        columns |= {name: sa.func.coalesce(given.c[name], empty[name]) for name in kind.values}
    if "source" in table.c:
        columns["source"] = sa.literal(source)
    statement = insert(table).from_select(list(columns), query.add_columns(*columns.values()))
    key = [column.name for column in table.primary_key] if table is not t.user else ["username"]
    changes = {name: statement.excluded[name] for name in kind.values}
    connection.execute(
        statement.on_conflict_do_update(index_elements=key, set_=changes)
        if changes
        else statement.on_conflict_do_nothing()
    )


def _remove(connection: sa.Connection, t: Tables, difference: Difference, source: str) -> None:
    kind = difference.kind
    if not difference.removed:
        return
    table = kind.table
    given = _given(kind, kind.key, difference.removed)
    statement = table.delete()
    for name in kind.key:
        column = t.user.c.username if name == "username" else table.c[name]
        statement = statement.where(column == given.c[name])
    if kind.of_user:
        statement = statement.where(t.user.c.id == table.c.user_id)
    if "source" in table.c:
        statement = statement.where(table.c.source == source)
    if table is t.user:
        # Somebody may have given him something since the comparison.
        gone = connection.execute(statement.where(*_forgettable(t, source)).returning(t.user.c.id)).scalars()
        # Whoever comes to have his name is somebody else.
        revoke(connection, str(table.schema), [account_mark(each) for each in gone], LONGEST_TOKEN_S)
    else:
        connection.execute(statement)


def _given(kind: Kind, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Rows as a table of the statement: one parameter, however many there are."""
    types = [kind.table.c[name].type if name in kind.table.c else sa.Text() for name in names]
    text = orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()
    columns = [sa.column(name, type_) for name, type_ in zip(names, types, strict=True)]
    return (
        sa.func.jsonb_to_recordset(sa.cast(sa.bindparam(None, text, type_=sa.Text()), JSONB))
        .table_valued(*columns)
        .render_derived(name="given", with_types=True)
    )
