"""YAML whose faults know their line."""

import contextlib
import json

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commonshub.core import located
from commonshub.core.located import Fault, read

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)
LONG = f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 100)}]\n"


@pytest.mark.parametrize(
    ("text", "line", "path", "words"),
    [
        (BOMB, 7, "a6", "more than 1000000 values"),
        (LONG, 2, "b", "characters, with what aliases name"),
        ("a:\n  b: &b [1, *b]\n", 2, "a.b[1]", "names nothing that is complete"),
        ("a: 1\nb: *c\n", 2, "b", "names nothing"),
        ("a: &x 1\nb: &x 2\n", 2, "b", "defined twice"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4, "a.b", "occurs twice"),
        ("1: a\n'1': b\n", 2, "1", "occurs twice"),
        ("a: 1\n? [b]\n: 2\n", 2, "", "a key must be text"),
        ("a: 1\n~: 2\n", 2, "", "a key must be text"),
        ("a: &m {x: 1}\nb:\n  <<: *m\n", 3, "b", "merge keys"),
        ("a: !!python/object/apply:os.system [id]\n", 1, "a", "the tag"),
        ("a: !!python/name:os.system x\n", 1, "a", "the tag"),
        ('a: "b\\0"\n', 1, "a", "NUL"),
        ("a: b\nc: \x01\n", 2, "", "control characters"),
        ("a: 1\n---\nb: 2\n", 2, "", "one YAML document"),
        ("a: [1\nb: 2\n", 2, "", "not YAML"),
        ("\n" + "[" * 1_000_000, 2, "", "nest"),
        ("\n" + "- " * 100_000, 2, "", "nest"),
        ("a:\n" + "".join(" " * depth + "b:\n" for depth in range(1, 100)), 65, "a" + ".b" * 63, "nested"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_form_that_is_not_taken_is_told_with_its_line(text: str, line: int, path: str, words: str) -> None:
    document = read(text)
    [fault] = document.faults
    assert words in fault.message
    assert fault.path.startswith(path)
    if path:
        assert fault.line == line


def test_unquoted_words_mean_what_yaml_says_and_json_can_hold() -> None:
    text = "[null, ~, yes, No, 3, 0x10, 1.5, .inf, 1e999, 123456789012345678901, 2020-01-01, '3', x]"
    told = [None, None, True, False, 3, 16, 1.5, ".inf", "1e999", "123456789012345678901", "2020-01-01", "3", "x"]
    assert read(text).data == told


@pytest.mark.parametrize("text", ["0x_", "-0x_", "+0b__"])
def test_a_number_without_digits_is_text(text: str) -> None:
    assert read(f"authz:\n  id: {text}\n").data == {"authz": {"id": text}}


def test_a_very_long_number_is_text() -> None:
    assert read("9:" * 100_000 + "9").data == "9:" * 100_000 + "9"


def test_an_alias_is_what_it_names() -> None:
    assert read("a: &a [1, {b: c}]\nd: *a\n").data == {"a": [1, {"b": "c"}], "d": [1, {"b": "c"}]}


def test_places_are_found_and_else_what_is_above_them() -> None:
    document = read("a:\n  - b: 1\n    c:\n      2\n  - *x\n".replace("*x", "d"))
    wanted = [("a",), ("a", 0), ("a", 0, "c"), ("a", 1), ("a", 1, "no", "where"), ("z",)]
    found = document.locate((place, "m") for place in wanted)
    assert [(fault.line, fault.path) for fault in found] == [
        (1, "a"),
        (1, "z"),
        (2, "a[0]"),
        (3, "a[0].c"),
        (5, "a[1]"),
        (5, "a[1].no.where"),
    ]
    assert document.lines()["a", 0, "c"] == 3


def test_a_fault_reads_as_a_sentence() -> None:
    assert str(Fault(3, "", "wrong")) == "line 3, top level: wrong"


def test_progress_is_told_in_characters() -> None:
    told: list[tuple[int, int]] = []
    text = "- x\n" * 25_000
    read(text, lambda done, total: told.append((done, total)))
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {len(text)}
    assert told[-1][0] <= len(text)


characters = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"], exclude_characters="\0")
# YAML takes a key of at most 1,024 characters, of which JSON may need six for one.
keys = st.text(characters, max_size=160)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(characters) | st.integers(-(2**53), 2**53),
        lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
    )
)
def test_json_comes_back(data: object) -> None:
    assert read(json.dumps(data)).data == data


@settings(deadline=None)
@given(st.text(alphabet=":-[]{},&*!|>'\"%@`#? \n\tab1~<=.\\0x_", max_size=60))
@example("a: 0x_\n")
@example("a: +0b__\n")
def test_any_text_is_data_or_a_fault(text: str) -> None:
    document = read(text)
    if not document.faults:
        expected = None
        # PyYAML has numbers and dates that it cannot read.
        with contextlib.suppress(yaml.YAMLError, ValueError):
            expected = yaml.safe_load(text)
        assert expected is None or document.data is not None
    assert all(1 <= fault.line <= text.count("\n") + 1 for fault in document.faults)
    assert len(document.faults) <= located.MAX_FAULTS
