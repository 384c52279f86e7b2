"""The tables as a user.yaml.

What is exported imports to the same rows. A few things can be in the tables that a file cannot say: a binding that
ends, a user who is switched off, a policy without roles. They are left out and told, and what is written is read once
more before it is given out.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
import yaml

from commonshub.core.errors import BadRequest
from commonshub.core.grants import Tables, tables
from commonshub.core.policy import ANY, parse_path

from .names import username
from .userfile import BUILT_IN, parse

# Below so many levels resources are listed by their whole path: files are not nested without end.
MAX_LEVELS = 20
_WIDTH = 120

Entry = dict[str, Any]


def export(connection: sa.Connection, schema: str, source: str | None) -> tuple[str, list[str]]:
    """What `source` gave, or for None everybody, and all definitions that it needs.

    Returns
    -------
    str
        The file.
    list of str
        What could not be said in it.

    Raises
    ------
    Faulty
        The tables hold what no file may say, such as a name with a line break.
    """
    connection.execute(sa.text("set transaction isolation level repeatable read, read only"))
    exporter = _Exporter(connection, tables(schema), source)
    text = yaml.dump(
        exporter.data(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=_WIDTH
    )
    parse(text)
    return text, exporter.left_out


class _Dumper(yaml.CSafeDumper):
    """Writes text so that it is read as it was, and everything in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    # Line breaks of Unicode would be folded to spaces outside of double quotes.
    odd = any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if odd else None)


_Dumper.add_representer(str, _text)


class _Exporter:
    def __init__(self, connection: sa.Connection, t: Tables, source: str | None) -> None:
        self.connection = connection
        self.t = t
        self.source = source
        self.left_out: list[str] = []

    def data(self) -> Entry:
        """The whole file."""
        t = self.t
        given = {
            "users": self._bindings(t.user.c.username, t.user_policy, "policy_id"),
            "groups": self._bindings(t.group_policy.c.group_name, t.group_policy, "policy_id"),
            "clients": self._bindings(t.client_policy.c.client_name, t.client_policy, "policy_id"),
        }
        members = self._bindings(t.user_group.c.group_name, t.user_group, "username")
        needed = {policy for subjects in given.values() for policies in subjects.values() for policy in policies}
        roles, policies, paths = self._definitions(needed)
        known = {policy["id"]: policy for policy in policies}
        for subjects in given.values():
            for subject, names in subjects.items():
                for name in [name for name in names if name not in known]:
                    names.remove(name)
                    self.left_out.append(f"policy {name} of {subject}, which is not defined")
        groups = self._groups(given["groups"], members)
        everybody = self._everybody(given["groups"], known, roles)
        users = self._users(given["users"], {user for group in groups for user in group.get("users", ())})
        authz = {
            **everybody,
            "resources": _tree(paths),
            "roles": roles,
            "policies": policies,
            "groups": groups,
            "user_project_to_resource": self._mine(t.project, t.project.c.auth_id, t.project.c.path),
        }
        clients = {name: {"policies": sorted(given["clients"][name])} for name in sorted(given["clients"])}
        return {"authz": authz, "clients": clients, "users": users}

    def _rows(self, *columns: sa.Column[Any], where: Iterable[sa.ColumnElement[bool]] = ()) -> Iterator[Any]:
        return iter(self.connection.execute(sa.select(*columns).where(*where).order_by(*columns)).all())

    def _mine(self, table: sa.Table, key: sa.Column[Any], value: sa.Column[Any]) -> dict[str, Any]:
        """Rows of the source as a mapping."""
        where = [] if self.source is None else [table.c.source == self.source]
        return {row[0]: row[1] for row in self._rows(key, value, where=where)}

    def _bindings(self, subject: sa.Column[Any], table: sa.Table, what: str) -> defaultdict[str, set[str]]:
        """What each subject was given for good."""
        t = self.t
        name = t.user.c.username if what == "username" else table.c[what]
        query = sa.select(subject, name, table.c.expires_at)
        if "user_id" in table.c:
            query = query.select_from(table.join(t.user))
        if self.source is not None:
            query = query.where(table.c.source == self.source)
        found: defaultdict[str, set[str]] = defaultdict(set)
        for who, given, end in self.connection.execute(query):
            if end is None:
                found[who].add(given)
            else:
                self.left_out.append(f"{given} of {who}, which ends at {end:%Y-%m-%d %H:%M:%S} UTC")
        return found

    def _definitions(self, needed: set[str]) -> tuple[list[Entry], list[Entry], dict[str, str]]:
        """Roles, policies and resources: those of the source and those that something exported needs."""
        t = self.t
        policy_roles, policy_paths, permissions = defaultdict(list), defaultdict(list), defaultdict(list)
        for policy, role in self._rows(t.policy_role.c.policy_id, t.policy_role.c.role_id):
            policy_roles[policy].append(role)
        for policy, path in self._rows(t.policy_resource.c.policy_id, t.policy_resource.c.path):
            policy_paths[policy].append(path)
        columns = [t.permission.c[name] for name in ("role_id", "id", "description", "service", "method")]
        for role, name, text, service, method in self._rows(*columns):
            action = {"service": service, "method": method}
            permissions[role].append({"id": name, **_described(text), "action": action})
        defined = {role: text for role, text in self._rows(t.role.c.id, t.role.c.description) if permissions[role]}
        wanted_roles = set(self._mine(t.role, t.role.c.id, t.role.c.description))
        mine = self._mine(t.policy, t.policy.c.id, t.policy.c.description)
        paths = self._mine(t.resource, t.resource.c.path, t.resource.c.description)
        policies = []
        for name, text in self._rows(t.policy.c.id, t.policy.c.description):
            if name not in mine and name not in needed:
                continue
            known = [role for role in policy_roles[name] if role in defined]
            good = [path for path in policy_paths[name] if _is_path(path)]
            if not known or not good:
                self.left_out.append(f"policy {name}, which has no role or no path")
                continue
            policies.append({"id": name, **_described(text), "role_ids": known, "resource_paths": good})
            wanted_roles.update(known)
            for path in good:
                paths.setdefault(path, "")
        self.left_out += [f"role {role}, which has no permission" for role in sorted(wanted_roles - defined.keys())]
        roles = [
            {"id": role, **_described(defined[role]), "permissions": permissions[role]}
            for role in sorted(wanted_roles & defined.keys())
        ]
        return roles, policies, {path: text for path, text in paths.items() if _is_path(path)}

    def _groups(self, given: Mapping[str, set[str]], members: Mapping[str, set[str]]) -> list[Entry]:
        mine = self._mine(self.t.group, self.t.group.c.name, self.t.group.c.source)
        return [
            {
                "name": name,
                **({"policies": sorted(given[name])} if given.get(name) else {}),
                **({"users": sorted(filter(_is_username, members[name]))} if members.get(name) else {}),
            }
            for name in sorted((mine.keys() | given.keys() | members.keys()) - BUILT_IN.keys())
        ]

    def _everybody(self, given: Mapping[str, set[str]], policies: Mapping[str, Entry], roles: list[Entry]) -> Entry:
        """The policies of the built-in groups, without those that no file may give them."""
        too_much = {
            role["id"] for role in roles if any(each["action"]["service"] == ANY for each in role["permissions"])
        }
        found = {}
        for group, key in BUILT_IN.items():
            names = sorted(given.get(group, ()))
            found[key] = [name for name in names if not too_much.intersection(policies[name]["role_ids"])]
            self.left_out += [
                f"policy {name} of {group}: it grants service *" for name in names if name not in found[key]
            ]
        return found

    def _users(self, given: Mapping[str, set[str]], members: set[str]) -> dict[str, Entry]:
        user = self.t.user.c
        columns = [user.username, user.email, user.display_name, user.phone_number, user.tags, user.active, user.source]
        found = {}
        for row in self.connection.execute(sa.select(*columns).order_by(user.username)):
            if self.source not in (None, row.source) and row.username not in given and row.username not in members:
                continue
            if not _is_username(row.username):
                self.left_out.append(f"user {row.username!r}, whose name is not taken any more")
                continue
            if not row.active:
                self.left_out.append(f"that user {row.username} is switched off")
            said = {"email": row.email, "display_name": row.display_name, "phone_number": row.phone_number}
            entry = {name: value for name, value in said.items() if value} | ({"tags": row.tags} if row.tags else {})
            found[row.username] = entry | ({"policies": sorted(given[row.username])} if given.get(row.username) else {})
        return found


def _described(text: str) -> Entry:
    return {"description": text} if text else {}


def _is_path(text: str) -> bool:
    try:
        parse_path(text)
    except BadRequest:
        return False
    return True


def _is_username(name: str) -> bool:
    try:
        return username(name) == name
    except BadRequest:
        return False


def _tree(paths: Mapping[str, str]) -> list[Entry]:
    """Resources, each below the closest that is above it."""
    nodes: dict[str, Entry] = {}
    top: list[Entry] = []
    for path in sorted(paths, key=parse_path):
        above = "" if path.count("/") > MAX_LEVELS else path.rpartition("/")[0]
        while above and above not in nodes:
            above = above.rpartition("/")[0]
        node: Entry = {"name": path[len(above) + 1 :], **_described(paths[path])}
        nodes[path] = node
        siblings = nodes[above].setdefault("subresources", []) if above else top
        siblings.append(node)
    return top
