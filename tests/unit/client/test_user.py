"""What a user may do, and how it looks."""

import pytest

from commonshub.client.objects import object_of
from commonshub.client.user import user_of

USER = user_of(
    {
        "username": "<alice>",
        "authz": {
            "/programs/a": [{"service": "*", "method": "read"}],
            "/programs/a/projects/b": [{"service": "sheepdog", "method": "create"}],
            "/open": [{"service": "*", "method": "*"}],
        },
    }
)


@pytest.mark.parametrize(
    ("method", "path", "service", "expected"),
    [
        ("read", "/programs/a", None, True),
        ("read", "/programs/a/projects/b", None, True),
        ("read", "/programs/ab", None, False),
        ("read", "/programs", None, False),
        ("create", "/programs/a/projects/b", "sheepdog", True),
        ("create", "/programs/a/projects/b", "fence", False),
        ("create", "/programs/a/projects/c", None, False),
        ("delete", "/open/x", "fence", True),
    ],
)
def test_a_grant_holds_for_its_path_and_below(method: str, path: str, service: str | None, expected: bool) -> None:
    assert USER.may(method, path, service) is expected


def test_names_from_elsewhere_are_escaped() -> None:
    assert "<alice>" not in USER._repr_html_()
    assert "<b>" not in object_of({"did": "g", "file_name": "<b>x"}, "http://h")._repr_html_()
