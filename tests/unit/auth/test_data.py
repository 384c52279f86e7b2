"""What requests for data say, and how errors are shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.auth.data.bulk import read_guids
from commonshub.auth.data.pages import error_page, prefers_html
from commonshub.core.errors import BadRequest, TooLarge
from commonshub.core.uploads import Promise


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("TEXT/HTML ; q=0.5", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/json, text/html", False),
        ("application/json;q=0.2, text/html;q=0.3", True),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("text/*", False),
    ],
)
def test_pages_are_for_who_asks_for_them(accept: str, html: bool) -> None:
    assert prefers_html(accept) == html


@given(st.text())
def test_any_header_is_an_answer(accept: str) -> None:
    assert prefers_html(accept) in (True, False)


@given(st.text(), st.text())
def test_a_page_holds_text_only(message: str, request_id: str) -> None:
    page = error_page(404, message, request_id)
    assert page.count("<") == error_page(404, "", "").count("<")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=6)


@given(JSON)
def test_any_list_of_guids_is_understood_or_refused(guids: Any) -> None:
    try:
        read = read_guids({"guids": guids}, 3)
    except (BadRequest, TooLarge):
        return
    assert 0 < len(read) == len(set(read)) <= 3
    assert all(isinstance(each, str) and each for each in read)


@given(JSON | st.from_regex("[0-9a-fA-F]{32}"), JSON)
def test_any_description_of_bytes_is_understood_or_refused(md5: Any, size: Any) -> None:
    try:
        headers = Promise.read(size, md5).headers
    except BadRequest:
        return
    assert all(text.isascii() and text.isprintable() for text in headers.values())
    assert headers.keys() <= {"Content-Length", "Content-MD5"}
