"""What a user.yaml may say, and how its faults are told."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.auth.form import SCHEMA
from commonshub.auth.userfile import Faulty, parse

GOOD = """\
authz:
  resources:
    - name: programs
      subresources:
        - {name: p, description: A program}
    - name: /open
  roles:
    - id: reader
      permissions:
        - {id: r, action: {service: fence, method: read}}
  policies:
    - {id: readers, role_ids: [reader], resource_paths: [/programs/p]}
  groups:
    - {name: team, policies: [readers], users: [Alice]}
  anonymous_policies: [readers]
  all_users_policies:
clients:
  app: {policies: [readers]}
users:
  Alice: {policies: [readers], display_name: Alice A.}
  bob@example.org:
cloud_providers: {}
groups: {}
"""


def faults(text: str) -> list[tuple[int, str]]:
    with pytest.raises(Faulty) as caught:
        parse(text)
    return [(fault.line, fault.path) for fault in caught.value.faults]


def test_a_good_file_becomes_a_plan() -> None:
    plan = parse(GOOD)
    assert plan.resources == {"/programs": "", "/programs/p": "A program", "/open": ""}
    assert plan.permissions == {("reader", "r"): ("", "fence", "read")}
    assert plan.policy_paths == {("readers", "/programs/p")}
    assert plan.group_policies == {("team", "readers"), ("anonymous", "readers")}
    assert plan.client_policies == {("app", "readers")}


def test_names_of_users_are_taken_in_lower_case() -> None:
    plan = parse(GOOD)
    assert set(plan.users) == {"alice", "bob@example.org"}
    assert plan.memberships == {("alice", "team")}
    assert plan.user_policies == {("alice", "readers")}


def test_an_email_is_inferred_from_a_name_that_is_one() -> None:
    plan = parse(GOOD)
    assert (plan.users["bob@example.org"].email, plan.users["alice"].email) == ("bob@example.org", None)


def test_the_old_word_rbac_is_taken_too() -> None:
    assert parse(GOOD.replace("authz:", "rbac:")) == parse(GOOD)


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "authz: {}\nusers: {}\n", "authz:\nusers:\nclients:\n"])
def test_an_empty_file_defines_nothing(text: str) -> None:
    assert not parse(text).policies


@pytest.mark.parametrize(
    ("old", "new", "line", "path"),
    [
        ("role_ids: [reader]", "role_ids: [writer]", 12, "authz.policies[0].role_ids[0]"),
        ("resource_paths: [/programs/p]", "resource_paths: [/programs/q]", 12, "authz.policies[0].resource_paths[0]"),
        ("resource_paths: [/programs/p]", "resource_paths: []", 12, "authz.policies[0].resource_paths"),
        ("role_ids: [reader]", "roles: [reader]", 12, "authz.policies[0]"),
        ("users: [Alice]", "users: [Carol]", 14, "authz.groups[0].users[0]"),
        ("policies: [readers], users", "policies: [nothing], users", 14, "authz.groups[0].policies[0]"),
        ("{name: team,", "{name: anonymous,", 14, "authz.groups[0].name"),
        ("anonymous_policies: [readers]", "anonymous_policies: [nothing]", 15, "authz.anonymous_policies[0]"),
        ("app: {policies: [readers]}", "app: {policies: [nothing]}", 18, "clients.app.policies[0]"),
        ("Alice: {policies: [readers]", "Alice: {policies: [nothing]", 20, "users.Alice.policies[0]"),
        ("Alice: {policies:", "Alice: {polices:", 20, "users.Alice"),
        ("display_name: Alice A.", "display_name: 7", 20, "users.Alice.display_name"),
        ("bob@example.org:", "alice:", 21, "users.alice"),
        ("bob@example.org:", "Alice:", 21, "users.Alice"),
        ("bob@example.org:", "a/b:", 21, "users.a/b"),
        ("bob@example.org:", '"a b":', 21, "users.a b"),
        ("{name: p,", "{name: a-b,", 5, "authz.resources[0].subresources[0].name"),
        ("{name: p,", '{name: "..",', 5, "authz.resources[0].subresources[0].name"),
        ("{name: p,", '{name: "p%2fq",', 5, "authz.resources[0].subresources[0].name"),
        ("- name: /open", "- name: programs", 6, "authz.resources[1].name"),
        ("{id: r, action: {service: fence, method: read}}", "{id: r}", 10, "authz.roles[0].permissions[0]"),
        ("method: read}}", "method: read}, constraints: {a: b}}", 10, "authz.roles[0].permissions[0].constraints"),
        ("cloud_providers: {}", "cloud_provider: {}", 1, ""),
        ("users: [Alice]}", "users: [Alice]", 15, ""),
        ("users: [Alice]", "users: [team]", 14, "authz.groups[0].users[0]"),
        ("name: team, policies: [readers]", "name: team, policies: [readers], groups: [team]", 14, "authz.groups[0]"),
        ("{id: readers, role_ids: [reader]", "{id: 7, role_ids: [reader]", 12, "authz.policies[0].id"),
        ("{id: readers, role_ids: [reader]", "{id: '', role_ids: [reader]", 12, "authz.policies[0].id"),
        ("{id: readers, role_ids: [reader]", '{id: "a\\n", role_ids: [reader]', 12, "authz.policies[0].id"),
        ("role_ids: [reader]", "role_ids: reader", 12, "authz.policies[0].role_ids"),
        ("  roles:", "  role:", 1, "authz"),
        ("users:\n  Alice: {policies: [readers], display_name: Alice A.}\n", "users: [Alice]\n#", 19, "users"),
        ("authz:\n", "rbac: {}\nauthz:\n", 1, "rbac"),
        ("app: {policies", '"a\\tb": {policies', 17, "clients"),
        ("app: {policies: [readers]}", "app: {<<: {policies: [readers]}}", 18, "clients.app"),
        ("app: {policies: [readers]}", "[app]: {policies: [readers]}", 18, "clients"),
        ("display_name: Alice A.", 'display_name: "A\\0"', 20, "users.Alice.display_name"),
    ],
)
def test_a_fault_is_told_with_its_line_and_place(old: str, new: str, line: int, path: str) -> None:
    assert old in GOOD
    assert (line, path) in faults(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("list_", "entry"),
    [
        ("roles", "{id: x, permissions: [{id: r, action: {service: s, method: read}}]}"),
        ("policies", "{id: x, role_ids: [reader], resource_paths: [/open]}"),
        ("groups", "{name: x}"),
        ("resources", "{name: x}"),
    ],
)
def test_two_of_one_name_are_a_fault_of_the_second(list_: str, entry: str) -> None:
    text = GOOD.replace(f"  {list_}:\n", f"  {list_}:\n    - {entry}\n    - {entry}\n")
    [(line, path)] = faults(text)
    assert text.splitlines()[line - 1].strip() == f"- {entry}"
    assert path.startswith(f"authz.{list_}[1].")


def test_a_permission_of_one_name_twice_in_a_role_is_a_fault() -> None:
    twice = "        - {id: r, action: {service: fence, method: read}}\n"
    assert faults(GOOD.replace(twice, twice * 2)) == [(11, "authz.roles[0].permissions[1].id")]


def test_a_method_that_no_service_asks_for_is_told() -> None:
    [warning] = parse(GOOD.replace("method: read}", "method: raed}")).warnings
    assert (warning.line, "'raed'" in warning.message) == (10, True)


def test_a_fault_is_told_in_few_words() -> None:
    text = GOOD.replace("display_name: Alice A.", f"display_name: [{'x' * 100_000}]").replace("{id: r,", "{id: {a: b},")
    with pytest.raises(Faulty) as caught:
        parse(text)
    assert [fault.message for fault in caught.value.faults] == [
        "this mapping must be text",
        "this list must be text or empty",
    ]


@pytest.mark.parametrize("entry", ["1", "{policies: [nothing]}", "{policies: [/x/, 3]}"], ids=["form", "sense", "both"])
def test_of_very_many_faults_the_first_thousand_are_told(entry: str) -> None:
    text = "users:\n" + "".join(f"  u{number}: {entry}\n" for number in range(20_000))
    with pytest.raises(Faulty) as caught:
        parse(text)
    assert len(caught.value.faults) == 1001
    assert "more than 1000 faults" in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    text = GOOD.replace("role_ids: [reader]", "role_ids: [x]").replace(
        "app: {policies: [readers]}", "app: {policies: [y]}"
    )
    assert [line for line, _ in faults(text)] == [12, 18]


def test_everybody_is_not_given_every_service() -> None:
    assert (15, "authz.anonymous_policies[0]") in faults(GOOD.replace("service: fence", "service: '*'"))


def test_old_grants_by_project_become_policies() -> None:
    plan = parse(
        "users:\n  u:\n    projects:\n    - {auth_id: X, resource: /programs/p/projects/X, privilege: [read]}\n"
    )
    assert plan.user_policies == {("u", "programs.p.projects.X-read")}
    assert plan.permissions == {("read", "read"): ("", "*", "read")}
    assert plan.projects == {"X": "/programs/p/projects/X"}


def test_an_old_grant_whose_resource_is_unknown_is_a_fault() -> None:
    text = "users:\n  u:\n    projects:\n    - {auth_id: X, privilege: [read]}\n"
    assert faults(text) == [(4, "users.u.projects[0].auth_id")]


def test_two_old_grants_whose_policies_would_share_a_name_are_a_fault() -> None:
    text = (
        "users:\n  u:\n    projects:\n"
        "    - {auth_id: X, resource: /a/b.c, privilege: [read]}\n"
        "    - {auth_id: Y, resource: /a.b/c, privilege: [read]}\n"
    )
    assert faults(text) == [(5, "users.u.projects[1]")]


def test_an_old_grant_does_not_widen_a_policy_of_its_name() -> None:
    text = GOOD.replace("id: readers", "id: open-read").replace("[readers]", "[open-read]") + ""
    text = text.replace("bob@example.org:", "bob: {projects: [{auth_id: X, resource: /open, privilege: [read]}]}")
    assert faults(text) == [(21, "users.bob.projects[0]")]


def test_the_old_admin_flag_is_told_to_be_vain() -> None:
    assert [warning.line for warning in parse("users:\n  u: {admin: true}\n").warnings] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [" + "x," * 200 + "]\nb: &b [" + "*a," * 200 + "]\nc: &c [" + "*b," * 200 + "]\n",
        "a: &a [*a]\n",
        "[" * 1_000_000,
        "users: !!python/object/apply:os.system [id]\n",
        "\x00",
        "a: 1\n---\nb: 2\n",
    ],
    ids=["bomb", "loop", "deep", "object", "nul", "two documents"],
)
def test_a_hostile_file_is_a_fault(text: str) -> None:
    assert faults(text)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_document_breaks_the_reader(data: object) -> None:
    with contextlib.suppress(Faulty):
        parse(yaml.safe_dump(data, allow_unicode=True))


def test_the_shipped_file_is_good() -> None:
    shipped = Path(__file__).parents[3] / "hub_ext/commonshub/hub/demo/user.yaml"
    assert "administrator" in parse(shipped.read_text()).policies


def test_the_example_of_the_reference_page_is_good() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/user-file.md").read_text()
    plan = parse(page.partition("```yaml\n")[2].partition("```")[0])
    assert plan.memberships == {("maria@example.org", "lung-team")}
    assert plan.warnings == []


def test_the_schema_is_a_schema() -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(dict(SCHEMA))
