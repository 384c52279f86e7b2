"""After a sign-in, browsers go to a page of the portal and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.portal.redirects import HOME, safe_next


@pytest.mark.parametrize(
    "page", ["/portal/", "/portal/profile", "/portal/dictionary/imaging_file", "/portal/dictionary?category=clinical"]
)
def test_pages_of_the_portal_are_let_through(page: str) -> None:
    assert safe_next(page) == page


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https://evil.example/portal/",
        "https://127.0.0.1:8000@evil.example",
        "https://127.0.0.1:8000.evil.example",
        "%2f%2fevil.example",
        "/portal/%2f%2fevil.example",
        "/portal//evil.example",
        "/portal/../jupyter/user/mallory/",
        "/portal/./profile",
        "/portal/\\evil.example",
        "javascript:alert(1)",
        "/portal/\r\nSet-Cookie: a=b",
        "/portal/profile\n",
        "/portal/profile#fragment",
        "/portal/login?next=https://evil.example",
        "/portalevil",
        "/jupyter/user/mallory/",
        "/portal/" + "a" * 600,
    ],
)
def test_everything_else_becomes_the_landing_page(elsewhere: str | None) -> None:
    assert safe_next(elsewhere) == HOME


@given(st.text(alphabet=st.sampled_from("/\\.:@?#%&=hptorlae \n\t"), max_size=30))
def test_no_text_leads_out_of_the_portal(text: str) -> None:
    assert safe_next("/portal/" + text).startswith("/portal/")
    assert "//" not in safe_next(text)
