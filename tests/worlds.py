"""Random worlds of policies, as the reference evaluator takes them and as the commons does."""

from collections import defaultdict
from typing import Any

from hypothesis import strategies as st
from tests.reference_evaluator import Given, Member, World

from commonshub.core.identity import Identity
from commonshub.core.policy import Binding, Client, Permission, Policy, Request, Snapshot, User, parse_path

NOW = 1000.0
SERVICE_NAMES = ("*", "fence", "indexd")
METHOD_NAMES = ("*", "read", "create")
USER_NAMES = ("alice", "bob", "carol")
CLIENT_NAMES = ("app", "tool")
GROUP_NAMES = ("anonymous", "logged-in", "g0", "g1")
ROLE_NAMES = ("r0", "r1", "r2")
POLICY_NAMES = tuple(f"p{number}" for number in range(14))
SOURCES = ("user.yaml", "cli")

paths = st.lists(st.sampled_from(["a", "ab", "b", "A", "a b"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
ends = st.sampled_from([None, None, NOW - 1, NOW, NOW + 1])
permissions = st.tuples(st.sampled_from(SERVICE_NAMES), st.sampled_from(METHOD_NAMES))
roles = st.dictionaries(st.sampled_from(ROLE_NAMES), st.lists(permissions, max_size=3))
policies = st.dictionaries(
    st.sampled_from(POLICY_NAMES),
    st.tuples(st.lists(st.sampled_from(ROLE_NAMES), max_size=2), st.lists(paths, max_size=3)),
    max_size=len(POLICY_NAMES),
)
subjects = st.one_of(
    st.tuples(st.just("user"), st.sampled_from(USER_NAMES)),
    st.tuples(st.just("group"), st.sampled_from(GROUP_NAMES)),
    st.tuples(st.just("client"), st.sampled_from(CLIENT_NAMES)),
)
given = st.builds(
    lambda subject, *rest: Given(*subject, *rest),
    subjects,
    st.sampled_from(POLICY_NAMES),
    st.sampled_from(SOURCES),
    ends,
)
# Few bindings, and so many that what somebody holds is indexed.
bindings = st.one_of(
    st.lists(given, max_size=8),
    st.builds(
        lambda subject, names: [Given(*subject, name, "user.yaml") for name in names],
        subjects,
        st.sets(st.sampled_from(POLICY_NAMES), min_size=10).map(sorted),
    ),
)
worlds = st.builds(
    World,
    roles=roles,
    policies=policies,
    # As in the tables, one source gives one thing to one subject once.
    given=st.tuples(bindings, bindings).map(lambda pair: list({each[:4]: each for each in pair[0] + pair[1]}.values())),
    members=st.lists(
        st.builds(Member, st.sampled_from(USER_NAMES), st.sampled_from(["g0", "g1"]), st.sampled_from(SOURCES), ends),
        max_size=4,
        unique_by=lambda each: each[:3],
    ),
    off=st.sets(st.sampled_from(USER_NAMES), max_size=1),
    clients=st.dictionaries(st.sampled_from(CLIENT_NAMES), ends),
    resources=st.sets(paths, max_size=6),
    now=st.just(NOW),
)
identities = st.builds(
    Identity, st.sampled_from([None, *USER_NAMES, "stranger"]), st.sampled_from([None, *CLIENT_NAMES, "unknown"])
)
requests = st.builds(Request, st.sampled_from(SERVICE_NAMES), st.sampled_from(METHOD_NAMES), paths)


def snapshot(world: World) -> Snapshot:
    """The world as the services hold it."""
    held: defaultdict[tuple[str, str], list[Binding]] = defaultdict(list)
    for each in world.given:
        held[each.kind, each.name].append(Binding(each.policy, each.end, each.source))
    groups: defaultdict[str, list[Binding]] = defaultdict(list)
    for member in world.members:
        groups[member.user].append(Binding(member.group, member.end, member.source))
    users = {name for kind, name in held if kind == "user"} | set(groups) | world.off
    return Snapshot(
        policies={
            name: Policy(
                name,
                frozenset(Permission(*each) for role in named for each in world.roles.get(role, ())),
                frozenset(map(parse_path, resources)),
            )
            for name, (named, resources) in world.policies.items()
        },
        groups={name: tuple(found) for (kind, name), found in held.items() if kind == "group"},
        users={
            name: User(tuple(held["user", name]), tuple(groups[name]), name not in world.off) for name in sorted(users)
        },
        clients={name: Client(tuple(held["client", name]), end) for name, end in world.clients.items()},
        resources=frozenset(map(parse_path, world.resources)),
        clock=lambda: world.now,
    )


def stated(world: World) -> World:
    """The part of a world that a user.yaml can say: without ends, clients as such and who is switched off."""
    roles = {role: actions for role, actions in world.roles.items() if actions}
    policies = {
        name: (sorted({role for role in named if role in roles}), sorted(set(resources)))
        for name, (named, resources) in world.policies.items()
    }
    policies = {name: parts for name, parts in policies.items() if all(parts)}
    too_much = {
        name for name, (named, _) in policies.items() if any("*" in (each[0] for each in roles[role]) for role in named)
    }
    given = {
        Given(each.kind, each.name, each.policy, "user.yaml")
        for each in world.given
        if each.policy in policies and not (each.name in ("anonymous", "logged-in") and each.policy in too_much)
    }
    return world._replace(
        roles=roles,
        policies=policies,
        given=sorted(given, key=lambda each: each[:3]),
        members=[Member(*pair, "user.yaml") for pair in sorted({each[:2] for each in world.members})],
        off=set(),
        clients={},
        resources=world.resources.union(*(resources for _, resources in policies.values())),
    )


def user_file(world: World) -> dict[str, Any]:
    """The user.yaml that says what can be said of a world."""
    world = stated(world)
    given: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in world.given:
        given[each.kind, each.name].append(each.policy)
    return {
        "authz": {
            "resources": _nested(world.resources),
            "roles": [
                {
                    "id": role,
                    "permissions": [
                        {"id": f"{role}.{number}", "action": {"service": service, "method": method}}
                        for number, (service, method) in enumerate(actions)
                    ],
                }
                for role, actions in world.roles.items()
            ],
            "policies": [
                {"id": name, "role_ids": named, "resource_paths": resources}
                for name, (named, resources) in world.policies.items()
            ],
            "groups": [
                {
                    "name": name,
                    "policies": given["group", name],
                    "users": [each.user for each in world.members if each.group == name],
                }
                for name in ("g0", "g1")
            ],
            "anonymous_policies": given["group", "anonymous"],
            "all_users_policies": given["group", "logged-in"],
        },
        "clients": {name: {"policies": policies} for (kind, name), policies in given.items() if kind == "client"},
        "users": {name: {"policies": given["user", name]} for name in USER_NAMES},
    }


def _nested(listed: set[str]) -> list[dict[str, Any]]:
    """Some resources below others, some by their whole path."""
    top: list[dict[str, Any]] = []
    nodes: dict[str, dict[str, Any]] = {}
    for path in sorted(listed, key=lambda path: path.split("/")):
        above = path.rpartition("/")[0]
        node = {"name": path.rpartition("/")[2] if above in nodes else path}
        (nodes[above].setdefault("subresources", []) if above in nodes else top).append(node)
        nodes[path] = node
    return top
