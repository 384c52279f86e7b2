"""The list of workspaces."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import ValidationFailed
from commonshub.hub.profiles import Profile, choose, form, offered, parse

GOOD = """
- slug: small
  display_name: Small
- slug: large
  display_name: Large <b>
  default: true
  groups: [lab]
  environment: {THREADS: "8"}
"""


def test_profiles_are_read_with_their_settings() -> None:
    small, large = parse(GOOD)
    assert small == Profile("small", "Small")
    assert (large.default, large.groups, dict(large.environment)) == (True, ("lab",), {"THREADS": "8"})


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- slug: a\n", 1, "display_name is missing"),
        ("- slug: a\n  display_name: A\n- slug: B!\n  display_name: B\n", 3, "slug must consist"),
        ("- slug: a\n  display_name: A\n  image: x\n", 1, "unknown key 'image'"),
        ("- slug: a\n  display_name: A\n  environment: {PATH: x}\n", 1, "belongs to the hub"),
        ("- slug: a\n  display_name: A\n  environment: {JUPYTERHUB_API_TOKEN: x}\n", 1, "belongs to the hub"),
        ("- slug: a\n  display_name: A\n  environment: {THREADS: 8}\n", 1, "must have a text"),
        ("- slug: a\n  display_name: A\n  groups: lab\n", 1, "groups must be a list"),
        ("- slug: a\n  display_name: A\n  default: 'yes'\n", 1, "default must be"),
        ("- 7\n", 1, "must be a mapping"),
    ],
)
def test_a_fault_names_line_and_reason(text: str, line: int, words: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse(text)
    assert caught.value.details[0]["line"] == line
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["", "a: 1", "[]", "- [", "!!python/object:os.system x"])
def test_what_is_no_list_of_profiles_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed):
        parse(text)


def test_a_slug_is_used_once() -> None:
    with pytest.raises(ValidationFailed, match="used twice"):
        parse("- slug: a\n  display_name: A\n- slug: a\n  display_name: B\n")


def test_only_members_are_offered_a_groups_profile_and_the_default_comes_first() -> None:
    profiles = parse(GOOD)
    assert [profile.slug for profile in offered(profiles, [])] == ["small"]
    assert [profile.slug for profile in offered(profiles, ["lab"])] == ["large", "small"]


def test_a_choice_that_is_not_offered_is_none() -> None:
    mine = offered(parse(GOOD), [])
    assert choose(mine, None) == mine[0]
    assert choose(mine, "large") is None
    assert choose([], None) is None


def test_the_form_is_shown_for_a_choice_only_and_escapes() -> None:
    profiles = parse(GOOD)
    assert form(profiles[:1]) == ""
    assert "Large &lt;b&gt;" in form(profiles)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValidationFailed):
        parse(text)
