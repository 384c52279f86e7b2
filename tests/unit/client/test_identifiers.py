"""Identifiers in all the forms in which people pass them on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.client import Refused
from commonshub.client.identifiers import Identifier, parse
from commonshub.client.objects import guid_of

UUID = "0b5e1f6a-31b2-4a0e-8f0e-1c2d3e4f5a6b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (UUID, Identifier(UUID)),
        (f"  {UUID}\n", Identifier(UUID)),
        (f"dg.DEMO/{UUID}", Identifier(f"dg.DEMO/{UUID}")),
        (f"drs://commons.org/{UUID}", Identifier(UUID, "commons.org")),
        (f"DRS://Commons.org/{UUID}", Identifier(UUID, "commons.org")),
        (f"drs://127.0.0.1:8000/{UUID}", Identifier(UUID, "127.0.0.1:8000")),
        (f"drs://commons.org/dg.DEMO/{UUID}", Identifier(f"dg.DEMO/{UUID}", "commons.org")),
        (f"drs://commons.org/dg.DEMO%2F{UUID}", Identifier(f"dg.DEMO/{UUID}", "commons.org")),
        (f"drs://dg.DEMO:{UUID}", Identifier(f"dg.DEMO/{UUID}")),
        (f"drs://dg.DEMO/{UUID}", Identifier(f"dg.DEMO/{UUID}")),
        (f"drs://{UUID}", Identifier(UUID)),
    ],
)
def test_every_form_is_understood(text: str, expected: Identifier) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        "drs://",
        "drs://h/",
        "../x",
        "a//b",
        "a?b",
        "a#b",
        "drs://h/../../user/user",
        "drs://h/%2e%2e/x",
        "a\\b",
    ],
)
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse(text)


@given(st.text())
def test_nothing_but_a_clean_path_comes_out(text: str) -> None:
    try:
        guid = parse(text).guid
    except Refused:
        return
    assert not {"", ".", ".."} & set(guid.split("/"))
    assert not set("?#\\") & set(guid)


def test_the_address_of_another_commons_is_not_asked_here() -> None:
    with pytest.raises(Refused, match=r"https://other\.org"):
        guid_of(f"drs://other.org/{UUID}", "https://here.org")
