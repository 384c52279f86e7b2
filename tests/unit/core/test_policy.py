"""Policy decisions, compared with a second evaluator that shares nothing with the first but the questions."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.core.errors import BadRequest, PermissionDenied
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Binding, Client, Permission, Policy, Request, Snapshot, User, covers, parse_path

NOW = 1000.0


def expected(world: Snapshot, identity: Identity, request: Request) -> bool:
    """Section by section what the rule says, without sets, caches or compiled rights."""
    granted = []
    if identity.client is not None:
        granted.append([b.name for b in world.clients.get(identity.client, ()) if ends_later(b)])
    if identity.username is not None or identity.client is None:
        names = ["anonymous"]
        policies = []
        if identity.username is not None:
            user = world.users.get(identity.username, User())
            if not user.active:
                return False
            names += ["logged-in"] + [b.name for b in user.groups if ends_later(b)]
            policies += [b.name for b in user.policies if ends_later(b)]
        for name in names:
            policies += [b if isinstance(b, str) else b.name for b in world.groups.get(name, ())]
        granted.append(policies)
    wanted = request.resource.split("/")[1:]
    return all(any(policy_grants(world, name, request, wanted) for name in names) for names in granted)


def ends_later(binding: Binding) -> bool:
    return binding.expires_at is None or binding.expires_at > NOW


def policy_grants(world: Snapshot, name: str, request: Request, wanted: list[str]) -> bool:
    policy = world.policies.get(name)
    return policy is not None and any(
        permission.service in ("*", request.service)
        and permission.method in ("*", request.method)
        and list(path) == wanted[: len(path)]
        for permission in policy.permissions
        for path in policy.paths
    )


WORDS = st.sampled_from(["a", "ab", "b", "A"])
SERVICES = st.sampled_from(["*", "fence", "indexd"])
METHODS = st.sampled_from(["*", "read", "create"])
PATHS = st.lists(WORDS, min_size=1, max_size=4).map(tuple)
POLICY_NAMES = st.sampled_from(["p0", "p1", "p2", "p3"])
ENDS = st.sampled_from([None, NOW - 1, NOW, NOW + 1])
BINDINGS = st.lists(st.builds(Binding, POLICY_NAMES, ENDS), max_size=3).map(tuple)
GROUP_NAMES = st.sampled_from(["anonymous", "logged-in", "g0", "g1"])
USERS = st.builds(
    User,
    BINDINGS,
    st.lists(st.builds(Binding, st.sampled_from(["g0", "g1"]), ENDS), max_size=2).map(tuple),
    st.booleans(),
)
PERMISSIONS = st.frozensets(st.builds(Permission, SERVICES, METHODS), max_size=3)
POLICIES = st.dictionaries(POLICY_NAMES, st.tuples(PERMISSIONS, st.frozensets(PATHS, max_size=3))).map(
    lambda made: {name: Policy(name, *parts) for name, parts in made.items()}
)
WORLDS = st.builds(
    Snapshot,
    policies=POLICIES,
    groups=st.dictionaries(GROUP_NAMES, st.lists(POLICY_NAMES, max_size=2)),
    users=st.dictionaries(st.sampled_from(["alice", "bob"]), USERS),
    clients=st.dictionaries(st.just("app"), st.builds(Client, BINDINGS)),
    resources=st.frozensets(PATHS, max_size=6),
    clock=st.just(lambda: NOW),
)
IDENTITIES = st.builds(
    Identity, st.sampled_from([None, "alice", "bob", "stranger"]), st.sampled_from([None, "app", "unknown"])
)
REQUESTS = st.builds(Request, SERVICES, METHODS, PATHS.map(lambda path: "/" + "/".join(path)))


@settings(deadline=None)
@given(WORLDS, IDENTITIES, REQUESTS)
def test_a_decision_is_what_the_rule_says(world: Snapshot, identity: Identity, request: Request) -> None:
    assert world.allows(identity, request) == expected(world, identity, request)


@settings(deadline=None)
@given(WORLDS, IDENTITIES, st.lists(REQUESTS, min_size=1, max_size=3))
def test_several_requests_are_granted_when_each_is(
    world: Snapshot, identity: Identity, requests: list[Request]
) -> None:
    assert world.allows(identity, *requests) == all(world.allows(identity, each) for each in requests)


@settings(deadline=None)
@given(WORLDS, IDENTITIES, REQUESTS)
def test_a_list_filter_keeps_what_a_decision_allows(world: Snapshot, identity: Identity, request: Request) -> None:
    prefixes = world.prefixes(identity, request.service, request.method)
    assert covers(prefixes, request.resource) == world.allows(identity, request)


@settings(deadline=None)
@given(WORLDS, IDENTITIES)
def test_the_mapping_lists_exactly_what_decisions_allow(world: Snapshot, identity: Identity) -> None:
    mapping = world.mapping(identity)
    assert all(mapping.values())
    for path in {*mapping, *("/" + "/".join(path) for path in world.resources)}:
        for service in ("*", "fence", "indexd"):
            for method in ("*", "read", "create"):
                shown = any(
                    item["service"] in ("*", service) and item["method"] in ("*", method)
                    for item in mapping.get(path, ())
                )
                assert shown == world.allows(identity, Request(service, method, path))


def world_of(*paths: str, **more: Any) -> Snapshot:
    policy = Policy("p", frozenset({Permission("s", "m")}), frozenset(parse_path(path) for path in paths))
    return Snapshot(policies={"p": policy}, **more)


ALICE = Identity("alice")


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        ("/programs/a", True),
        ("/programs/a/b/c", True),
        ("/programs/ab", False),
        ("/programs", False),
        ("/Programs/a", False),
        ("/programs/e\u0301", False),
        ("/programs/\u00e9", False),
    ],
)
def test_a_grant_covers_whole_segments_only(resource: str, allowed: bool) -> None:
    world = world_of("/programs/a", groups={"logged-in": ["p"]})
    assert world.allows(ALICE, Request("s", "m", resource)) == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/" + "a" * 10_000,
        "/a\nb",
        "",
        "/",
        "a",
        "//a",
        "/a/",
        "/a//b",
        "/a/.",
        "/a/../b",
        "/%2e%2e/a",
        "/a%2fb",
        "/a\x00b",
        "/a\\b",
        "/*",
        "/a/*",
    ],
    ids=lambda path: repr(path[:20]),
)
def test_a_path_that_is_not_canonical_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        parse_path(path)


@pytest.mark.parametrize(("end", "allowed"), [(NOW - 1, False), (NOW, False), (NOW + 1, True), (None, True)])
def test_a_binding_ends_at_its_moment(end: float | None, allowed: bool) -> None:
    world = world_of("/a", users={"alice": User((Binding("p", end),))}, clock=lambda: NOW)
    assert world.allows(ALICE, Request("s", "m", "/a")) == allowed


def test_a_grant_that_ends_is_not_remembered_beyond_its_end() -> None:
    now = [NOW]
    world = world_of("/a", groups={"logged-in": [Binding("p", NOW + 1)]}, clock=lambda: now[0])
    assert world.allows(ALICE, Request("s", "m", "/a"))
    now[0] = NOW + 1
    assert not world.allows(ALICE, Request("s", "m", "/a"))


@pytest.mark.parametrize(
    ("identity", "allowed"),
    [
        (ANONYMOUS, False),
        (Identity("stranger"), True),
        (Identity(None, "app"), False),
        (Identity("stranger", "app"), False),
    ],
    ids=["anonymous", "logged in", "client", "client for a user"],
)
def test_a_client_is_not_logged_in(identity: Identity, allowed: bool) -> None:
    world = world_of("/a", groups={"logged-in": ["p"]})
    assert world.allows(identity, Request("s", "m", "/a")) == allowed


def test_nothing_asked_is_nothing_granted() -> None:
    world = world_of("/a", groups={"anonymous": ["p"]})
    assert not world.allows(ANONYMOUS)
    with pytest.raises(PermissionDenied):
        world.require(ANONYMOUS)


def test_a_refusal_names_what_is_missing() -> None:
    with pytest.raises(PermissionDenied, match=r"alice may not m on /b \(s\)"):
        world_of("/a", groups={"logged-in": ["p"]}).require(ALICE, Request("s", "m", "/a"), Request("s", "m", "/b"))


def test_thousands_of_projects_are_mapped_at_once() -> None:
    paths = [f"/programs/p/projects/q{number}" for number in range(3000)]
    world = world_of(*paths, groups={"logged-in": ["p"]}, resources=frozenset(map(parse_path, paths)))
    assert len(world.mapping(ALICE)) == 3000
