"""Policy decisions, compared with a second evaluator that shares nothing with the first but the questions."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import reference_evaluator as reference
from tests.reference_evaluator import Why, World
from tests.worlds import METHOD_NAMES, NOW, SERVICE_NAMES, identities, paths, requests, snapshot, worlds

from commonshub.core.errors import BadRequest, PermissionDenied
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Binding, Permission, Policy, Request, Snapshot, User, covers, parse_path


@settings(deadline=None)
@given(worlds, identities, requests)
def test_a_decision_is_what_the_rule_says(world: World, identity: Identity, request: Request) -> None:
    expected = reference.allow(world, identity.username, identity.client, *request)
    assert snapshot(world).allows(identity, request) == expected


@settings(deadline=None)
@given(worlds, identities, st.lists(requests, min_size=1, max_size=3))
def test_several_requests_are_granted_when_each_is(world: World, identity: Identity, several: list[Request]) -> None:
    expected = all(reference.allow(world, identity.username, identity.client, *each) for each in several)
    assert snapshot(world).allows(identity, *several) == expected


@settings(deadline=None)
@given(worlds, identities, requests)
def test_a_list_filter_keeps_what_a_decision_allows(world: World, identity: Identity, request: Request) -> None:
    prefixes = snapshot(world).prefixes(identity, request.service, request.method)
    expected = reference.allow(world, identity.username, identity.client, *request)
    assert covers(prefixes, request.resource) == expected
    assert not any(covers([one], other) for one in prefixes for other in prefixes if one != other)


@settings(deadline=None)
@given(worlds, identities, paths)
def test_the_mapping_lists_exactly_what_decisions_allow(world: World, identity: Identity, path: str) -> None:
    world.resources.add(path)
    mapping = snapshot(world).mapping(identity)
    assert all(mapping.values())
    for resource in {*mapping, *world.resources}:
        for service in SERVICE_NAMES:
            for method in METHOD_NAMES:
                shown = any(
                    item["service"] in ("*", service) and item["method"] in ("*", method)
                    for item in mapping.get(resource, ())
                )
                expected = reference.allow(world, identity.username, identity.client, service, method, resource)
                assert shown == expected


@settings(deadline=None)
@given(worlds, identities, requests)
def test_an_explanation_names_every_reason_and_no_other(world: World, identity: Identity, request: Request) -> None:
    expected = reference.reasons(world, identity.username, identity.client, *request)
    explained = snapshot(world).explain(identity, request)
    found = {
        "client" if reason.kind == "client" else "user": {
            Why(reason.name, grant.policy.id, grant.binding.source, grant.group) for grant in reason.grants
        }
        for reason in explained
    }
    assert found == expected
    assert all(len(reason.grants) == len(set(reason.grants)) for reason in explained)


@settings(deadline=None)
@given(worlds, requests)
def test_who_can_lists_everybody_who_may(world: World, request: Request) -> None:
    found = {(reason.kind, reason.name) for reason in snapshot(world).who_can(*request)}
    assert found == reference.who_can(world, *request)


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
