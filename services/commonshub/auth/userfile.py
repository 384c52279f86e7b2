"""user.yaml: what it may say, and what it means.

The file is Gen3's: ``authz`` with resources, roles, policies, groups, ``anonymous_policies`` and
``all_users_policies``, then ``clients`` and ``users``. :func:`parse` either gives a :class:`Plan` of everything that
the file defines, or all its faults at once with their lines; it touches no database.

The deprecated ``users.<name>.projects`` become policies named ``<dotted.path>-<privilege>``, as Gen3 makes them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from commonshub.core.errors import BadRequest, ValidationFailed
from commonshub.core.located import MAX_FAULTS, Document, Fault, Progress, Where, read
from commonshub.core.policy import ANY, parse_path

from .form import and_more, misfits
from .names import username

BUILT_IN = {"anonymous": "anonymous_policies", "logged-in": "all_users_policies"}

# What the services of a commons ask for, Gen3's own included; any other method is taken, with a warning.
METHODS = frozenset(
    [
        "*",
        "access",
        "admin_access",
        "create",
        "delete",
        "download",
        "file_upload",
        "launch",
        "read",
        "read-storage",
        "release",
        "update",
        "upload",
        "write",
        "write-storage",
    ]
)


class Faulty(ValidationFailed):
    """The file has faults; ``details`` has the line, path and message of each."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"user.yaml has {len(faults)} fault(s).", [fault._asdict() for fault in faults])
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join([self.message, *map(str, self.faults)])


@dataclass(frozen=True, slots=True)
class UserPlan:
    """What the file says of one user; None where it says nothing."""

    email: str | None = None
    display_name: str | None = None
    phone_number: str | None = None
    tags: Mapping[str, Any] | None = None


@dataclass
class Plan:
    """All that a user.yaml defines, as sets of rows.

    Attributes
    ----------
    permissions
        Role, permission, description, service, method.
    memberships, user_policies, group_policies, client_policies
        Pairs of a subject and what it gets.
    warnings
        What the file says in vain.
    """

    resources: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    permissions: dict[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    policy_roles: set[tuple[str, str]] = field(default_factory=set)
    policy_paths: set[tuple[str, str]] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    users: dict[str, UserPlan] = field(default_factory=dict)
    memberships: set[tuple[str, str]] = field(default_factory=set)
    user_policies: set[tuple[str, str]] = field(default_factory=set)
    group_policies: set[tuple[str, str]] = field(default_factory=set)
    client_policies: set[tuple[str, str]] = field(default_factory=set)
    warnings: list[Fault] = field(default_factory=list)


def parse(text: str, progress: Progress | None = None) -> Plan:
    """Read a user.yaml.

    Parameters
    ----------
    progress
        Called now and then with how many characters of how many have been read.

    Raises
    ------
    Faulty
        With every fault of the file, or the first :data:`~commonshub.core.located.MAX_FAULTS`.
    """
    document = read(text, progress)
    if not document.faults and document.data is None:
        document.data = {}
    if document.faults:
        raise Faulty(document.faults)
    if wrong := misfits(document.data):
        raise Faulty(document.locate(wrong))
    reader = _Reader(document)
    plan = reader.plan()
    if reader.faults:
        raise Faulty(document.locate(reader.faults))
    plan.warnings = document.locate(reader.warnings)
    return plan


class _Reader:
    """Turns a document of the right form into a plan, and notes what does not fit together."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.faults: list[tuple[Where, str]] = []
        self.warnings: list[tuple[Where, str]] = []
        self.found = Plan()
        self.declared: set[str] = set()
        self.made: dict[str, tuple[str, str]] = {}
        self.top = "rbac" if "rbac" in document.data and "authz" not in document.data else "authz"
        self.authz: Mapping[str, Any] = document.data.get(self.top) or {}

    def plan(self) -> Plan:
        if self.top == "authz" and "rbac" in self.document.data:
            self._fault(("rbac",), "this is the old word for authz: give one of the two")
        self._resources(self.authz.get("resources") or (), "", (self.top, "resources"))
        self._roles()
        self._projects()
        self._policies()
        self._users()
        self._groups()
        for name, client in (self.document.data.get("clients") or {}).items():
            where = ("clients", name, "policies")
            self.found.client_policies |= {(name, each) for each in self._known((client or {}).get("policies"), where)}
        return self.found

    def _fault(self, where: Where, message: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((where, message))
            self.faults += and_more(self.faults)

    def _warn(self, where: Where, message: str) -> None:
        if len(self.warnings) < MAX_FAULTS:
            self.warnings.append((where, message))

    def _items(self, name: str, key: str) -> Iterator[tuple[Where, Mapping[str, Any]]]:
        """The entries of a list under ``authz``, each `key` once."""
        seen = set()
        for index, item in enumerate(self.authz.get(name) or ()):
            where = (self.top, name, index)
            if item[key] in seen:
                self._fault((*where, key), f"{item[key]!r} is defined twice")
                continue
            seen.add(item[key])
            yield where, item

    def _resources(self, items: Iterable[Mapping[str, Any]], above: str, where: Where) -> None:
        for index, item in enumerate(items):
            here = (*where, index)
            path = f"{above}/{item['name'].removeprefix('/')}"
            if self._path(path, (*here, "name")):
                if path in self.found.resources:
                    self._fault((*here, "name"), f"{path} is defined twice")
                if path.startswith("/programs/") and "-" in path.split("/")[2]:
                    self._fault((*here, "name"), "the name of a program must not have a -: project_id is split at it")
                self.found.resources[path] = item.get("description") or ""
            self._resources(item.get("subresources") or (), path, (*here, "subresources"))

    def _path(self, path: str, where: Where) -> bool:
        try:
            parse_path(path)
        except BadRequest as error:
            self._fault(where, error.message)
            return False
        return True

    def _roles(self) -> None:
        for where, role in self._items("roles", "id"):
            self.found.roles[role["id"]] = role.get("description") or ""
            if not role["permissions"]:
                self._fault((*where, "permissions"), "a role needs at least one permission")
            for index, each in enumerate(role["permissions"] or ()):
                key = (role["id"], each["id"])
                if key in self.found.permissions:
                    self._fault((*where, "permissions", index, "id"), f"{each['id']!r} is defined twice in this role")
                action = each["action"]
                if action["method"] not in METHODS:
                    self._warn(
                        (*where, "permissions", index, "action", "method"),
                        f"no service asks for the method {action['method']!r}; is it misspelled?",
                    )
                self.found.permissions[key] = (each.get("description") or "", action["service"], action["method"])

    def _projects(self) -> None:
        for name, path in (self.authz.get("user_project_to_resource") or {}).items():
            if self._path(path, (self.top, "user_project_to_resource", name)):
                self.found.projects[name] = path

    def _policies(self) -> None:
        for where, policy in self._items("policies", "id"):
            name = policy["id"]
            self.declared.add(name)
            self.found.policies[name] = policy.get("description") or ""
            for key in ("role_ids", "resource_paths"):
                if not policy[key]:
                    self._fault((*where, key), "a policy needs at least one")
            for index, role in enumerate(policy["role_ids"] or ()):
                if role not in self.found.roles:
                    self._fault((*where, "role_ids", index), f"no role {role!r} is defined")
                self.found.policy_roles.add((name, role))
            for index, path in enumerate(policy["resource_paths"] or ()):
                if path not in self.found.resources:
                    self._fault((*where, "resource_paths", index), f"no resource {path!r} is defined")
                self.found.policy_paths.add((name, path))

    def _known(self, names: Iterable[str] | None, where: Where) -> list[str]:
        """Names of policies, each of which must be defined."""
        listed = list(names or ())
        for index, name in enumerate(listed):
            if name not in self.found.policies:
                self._fault((*where, index), f"no policy {name!r} is defined")
        return listed

    def _groups(self) -> None:
        groups = {group["name"] for group in self.authz.get("groups") or ()}
        for where, group in self._items("groups", "name"):
            name = group["name"]
            if name in BUILT_IN:
                self._fault((*where, "name"), f"this group is built in: give its policies in {BUILT_IN[name]}")
            self.found.groups.add(name)
            policies = self._known(group.get("policies"), (*where, "policies"))
            self.found.group_policies |= {(name, each) for each in policies}
            for index, each in enumerate(group.get("users") or ()):
                user = self._username(each, (*where, "users", index))
                if user is not None and user not in self.found.users:
                    no_user = "this is a group, and groups have no groups in them: name its users"
                    self._fault(
                        (*where, "users", index),
                        no_user if each in groups else f"no user {each!r} is defined under users",
                    )
                elif user is not None:
                    self.found.memberships.add((user, name))
        self._built_in_groups()

    def _built_in_groups(self) -> None:
        wide_roles = {role for (role, _), (_, service, _) in self.found.permissions.items() if service == ANY}
        wide = {policy for policy, role in self.found.policy_roles if role in wide_roles}
        for group_name, key in BUILT_IN.items():
            for index, each in enumerate(self._known(self.authz.get(key), (self.top, key))):
                self.found.group_policies.add((group_name, each))
                if each in wide:
                    self._fault((self.top, key, index), f"{each!r} grants service *, too much for everybody")

    def _username(self, name: str, where: Where) -> str | None:
        try:
            return username(name)
        except BadRequest as error:
            self._fault(where, error.message)
            return None

    def _users(self) -> None:
        for given, entry in (self.document.data.get("users") or {}).items():
            where = ("users", given)
            name = self._username(given, where)
            if name is None:
                continue
            if name in self.found.users:
                self._fault(where, f"{name!r} is defined twice: names of users are compared in lower case")
            said = entry or {}
            email = said.get("email") or (name if "@" in name else None)
            self.found.users[name] = UserPlan(
                email, said.get("display_name"), said.get("phone_number"), said.get("tags")
            )
            policies = self._known(said.get("policies"), (*where, "policies"))
            self.found.user_policies |= {(name, each) for each in policies}
            for index, project in enumerate(said.get("projects") or ()):
                self._privileges(name, project, (*where, "projects", index))
            if said.get("admin"):
                self._warn((*where, "admin"), "admin is not used here; give a policy on /services/fence/admin")

    def _privileges(self, user: str, project: Mapping[str, Any], where: Where) -> None:
        """The deprecated grants by project: one policy a privilege."""
        path = project.get("resource") or self.found.projects.get(project["auth_id"])
        if path is None:
            self._fault((*where, "auth_id"), "user_project_to_resource does not say which resource this is")
            return
        if not self._path(path, (*where, "resource")):
            return
        self.found.projects.setdefault(project["auth_id"], path)
        for privilege in project["privilege"] or ():
            policy = f"{path[1:].replace('/', '.')}-{privilege}"
            if self.made.setdefault(policy, (path, privilege)) != (path, privilege) or policy in self.declared:
                # Two that share a name would each give what the other gives.
                self._fault(where, f"the policy that Gen3 makes of this, {policy!r}, is another one already")
                continue
            if privilege not in self.found.roles:
                self.found.roles[privilege] = ""
                self.found.permissions[privilege, privilege] = ("", ANY, privilege)
            self.found.resources.setdefault(path, "")
            self.found.policies.setdefault(policy, "")
            self.found.policy_roles.add((policy, privilege))
            self.found.policy_paths.add((policy, path))
            self.found.user_policies.add((user, policy))
