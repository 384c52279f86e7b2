"""The forms of administration: whatever comes is understood or refused."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.auth.authz import forms
from commonshub.core.errors import BadRequest
from commonshub.core.paths import MAX_SEGMENTS
from commonshub.core.policy import parse_path

TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
RESOURCE = st.recursive(
    st.fixed_dictionaries({}, optional={"name": NAME, "path": TEXT | NAME.map("/{}".format), "description": TEXT}),
    lambda inner: st.fixed_dictionaries(
        {"subresources": st.lists(inner, max_size=3)}, optional={"name": NAME, "path": TEXT}
    ),
    max_leaves=8,
)
READERS = [forms.role, forms.policy, forms.policies, forms.new_user, forms.group, forms.client, forms.grants]


@pytest.mark.parametrize("read", [*READERS, forms.member], ids=lambda read: read.__name__)
@given(body=JSON)
def test_any_body_is_understood_or_refused(read: Any, body: Any) -> None:
    with suppress(BadRequest):
        read(body)


def test_what_is_wrong_is_told_in_a_line_however_long_the_body() -> None:
    with pytest.raises(BadRequest) as caught:
        forms.role({"id": "x", "permissions": "y" * 1_000_000})
    assert len(caught.value.message) < 500


@given(body=RESOURCE | JSON, parent=st.sampled_from(["", "/a", "/a/b"]))
def test_a_tree_has_paths_below_its_root_only(body: Any, parent: str) -> None:
    try:
        tree = forms.tree(body, parent)
    except BadRequest:
        return
    assert tree.root.startswith(f"{parent}/")
    for path in tree.described:
        assert parse_path(path)
        assert path == tree.root or path.startswith(f"{tree.root}/")


def test_a_tree_may_not_be_deeper_than_a_path_is_long() -> None:
    body: dict[str, Any] = {"name": "x"}
    for _ in range(5000):
        body = {"name": "x", "subresources": [body]}
    with pytest.raises(BadRequest):
        forms.tree(body, "")


def test_a_tree_may_be_as_deep_as_a_path_can_be() -> None:
    body: dict[str, Any] = {"name": "x"}
    for _ in range(MAX_SEGMENTS - 1):
        body = {"name": "x", "subresources": [body]}
    assert len(forms.tree(body, "").described) == MAX_SEGMENTS
    with pytest.raises(BadRequest):
        forms.tree({"name": "x", "subresources": [body]}, "")


@given(text=st.text(max_size=40) | st.datetimes().map(lambda moment: moment.isoformat() + "Z"))
def test_an_end_is_a_moment_to_come(text: str) -> None:
    try:
        found = forms.moment(text)
    except BadRequest:
        return
    assert (found is None) == (text == "")
    assert found is None or found > datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2999-01-31T12:00:00Z", datetime(2999, 1, 31, 12, tzinfo=UTC)),
        ("2999-01-31t12:00:00z", datetime(2999, 1, 31, 12, tzinfo=UTC)),
        ("2999-01-31T12:00:00.25+02:00", datetime(2999, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_moments_are_read_as_rfc_3339_has_them(text: str | None, expected: datetime | None) -> None:
    assert forms.moment(text) == expected


@given(header=st.text(max_size=70))
def test_a_source_is_a_plain_word_that_is_not_reserved(header: str) -> None:
    try:
        found = forms.source(header)
    except BadRequest:
        return
    assert found == header
    assert found.isascii()
    assert found not in forms.RESERVED
