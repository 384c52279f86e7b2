"""Redirects lead to paths of this commons only, as every browser and every program on the way reads them."""

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import BadRequest
from commonshub.core.redirects import own_path

ORIGIN = "https://commons.example"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/portal/profile", "/portal/profile"),
        ("/jupyter/user/a%40b.org/lab/tree/x%20y.ipynb", "/jupyter/user/a%40b.org/lab/tree/x%20y.ipynb"),
        ("/jupyter/hub/login?next=%2Fjupyter%2Fhub%2F", "/jupyter/hub/login?next=%2Fjupyter%2Fhub%2F"),
        ("/a?b=https://elsewhere.example/", "/a?b=https://elsewhere.example/"),
        (f"{ORIGIN}/portal/", "/portal/"),
        ("/a..b/.hidden", "/a..b/.hidden"),
    ],
)
def test_own_paths_are_let_through(text: str, path: str) -> None:
    assert own_path(text, ORIGIN) == path


ELSEWHERE = [
    "",
    "portal",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example/portal/",
    "https://commons.example@evil.example/",
    "https://commons.example.evil.example/",
    "https://commons.example",
    "http://commons.example/portal/",
    "%2f%2fevil.example",
    "/%2f%2fevil.example",
    "/%2fevil.example",
    "/%5cevil.example",
    "/%252fevil.example",
    "/a//b",
    "/../a",
    "/a/..",
    "/a/%2e%2e/b",
    "/./a",
    "javascript:alert(1)",
    "/\r\nSet-Cookie: a=b",
    "/a%0d%0aSet-Cookie:%20a=b",
    "/a\n",
    "/a?b=\r\nc",
    "/a#fragment",
    "/\tevil.example",
    "/a b",
    "/é",
    "/%",
    "/%zz",
    "/" + "a" * 5000,
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        own_path(text, ORIGIN)


@given(st.text(alphabet=st.sampled_from("/\\.:@?#%25fFcCeE&=htps \n\t"), max_size=30))
def test_no_text_leads_to_another_host(text: str) -> None:
    try:
        path = own_path("/" + text)
    except BadRequest:
        return
    assert urlsplit(urljoin(ORIGIN + "/x/y", path)).netloc == "commons.example"
    assert not unquote(path.partition("?")[0]).startswith(("//", "/\\"))
