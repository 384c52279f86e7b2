"""Queries are read within limits that are checked before the work they bound."""

import contextlib

import pytest
from graphql import (
    FieldNode,
    GraphQLError,
    Lexer,
    Source,
    TokenKind,
    Visitor,
    build_schema,
    parse,
    print_ast,
    specified_rules,
    validate,
    visit,
)
from graphql.validation import OverlappingFieldsCanBeMergedRule
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import TooLarge
from commonshub.query.document import MAX_PLODDING, Documents, Invalid, Limits, check
from commonshub.query.rules import rules
from commonshub.query.size import measure, tokens
from commonshub.query.validation import faults

SCHEMA = build_schema(
    """type Query { a(x: [Int], s: String, o: [O!]): Query, b: Int }
    input O { x: [Int!]! = [1], y: [Float]!, s: String, b: Boolean, o: O }"""
)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("", 0),
        ("{ a { b } }", 2),
        ("{ a(x: [1, [2]]) { b } }", 4),
        ('{ a(s: "{{{{[[(") { b } }', 2),
        ('{ a(s: "\\"{{{{") { b } }', 2),
        ('{ a(s: """ {{{ "" \\""" {{ """) { b } }', 2),
        ("{ a # {{{{\n { b } }", 2),
        ("{ a # {{{{\r { b } }", 2),
        ('{ a(s: "{{{{', 2),
        ('{ a(s: """ {{{{ "', 2),
        ("}}}} { a }", -3),
    ],
)
def test_nesting_counts_brackets_outside_texts_and_comments(text: str, depth: int) -> None:
    assert measure(tokens(text)).depth == max(depth, 0)


LIMITS: list[tuple[str, str]] = [
    ("{ b " + "# " + "x" * 300 + "\n}", "longer than 200 bytes"),
    ("{ a " * 9, "nested more than 8 brackets"),
    ("{" + " b" * 60 + "}", "more than 50 tokens"),
    ("#\n" * 60 + "{b}", "more than 50 tokens"),
    ("{b}" + " fragment f on Query {b}" * 5, "more than 4 operations"),
    ("{" + " b" * 11 + "}", "More than 10 fields"),
    ("{ a(x: [1]) { a(x: [" + "1 " * 17 + "]) { b } } }", "one field have more than 20 tokens"),
]


@pytest.mark.parametrize(("text", "told"), LIMITS, ids=[told for _, told in LIMITS])
def test_each_limit_names_itself(text: str, told: str) -> None:
    limits = Limits(
        max_query_bytes=200, max_tokens=50, max_depth=4, max_fragments=4, max_fields=10, max_argument_tokens=20
    )
    with pytest.raises((Invalid, TooLarge), match=told):
        check(SCHEMA, text, limits)


@pytest.mark.parametrize("text", ['"{}"', '"""{}"""', '"{}', '"""{}'])
def test_no_more_is_read_character_by_character_than_the_limit(text: str) -> None:
    with pytest.raises(TooLarge, match="send them as variables"):
        check(SCHEMA, "{ a(s: " + text.format("\\n" * (MAX_PLODDING // 2)), Limits())


def test_the_digits_of_a_number_are_no_fault_of_ours() -> None:
    with pytest.raises(Invalid, match='Expected type "Int", found 999') as caught:
        check(SCHEMA, f"{{ a(x: [{'9' * 10_000}]) {{ b }} }}", Limits())
    assert caught.value.places == [(1, 9)]


@given(st.text(alphabet='{}[]()"\\#\n ab1.-e:$!@|&=,', max_size=60))
def test_no_query_is_refused_for_tokens_that_it_does_not_have(text: str) -> None:
    try:
        parse(text, no_location=True)
    except GraphQLError:
        return
    lexer, count = Lexer(Source(text)), 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    with contextlib.suppress(Invalid):
        check(SCHEMA, text, Limits(max_tokens=count))


def test_documents_are_kept_by_text_and_the_oldest_go_first() -> None:
    documents = Documents(SCHEMA, Limits(), 2)
    first = documents.get("{ b }")
    documents.get("{ a { b } }")
    assert documents.get("{ b }") is first
    documents.get("{ __typename }")
    assert documents.get("{ b }") is first


def test_no_more_faults_are_told_than_the_limit() -> None:
    with pytest.raises(Invalid) as caught:
        check(SCHEMA, "{" + " ".join(f"x{i}" for i in range(100)) + "}", Limits(max_errors=3))
    assert len(caught.value.errors) <= 4


QUERIES = [
    "{ b }",
    "{ a { b } a { b } }",
    "{ zz }",
    "query q($x: [Int]) { a(x: $x) { b } }",
    "query q($x: [Int]) { b }",
    "query q($x: [Int], $x: Int) { a(x: $x) { b } }",
    "query q($x: Query) { a(x: $x) { b } }",
    "query q($x: Nothing) { a(x: $x) { b } }",
    "query q($x: String) { a(x: $x) { b } }",
    "{ a(x: $x) { b } }",
    "{ b } fragment f on Query { b }",
    "{ ...f } fragment f on Query { b }",
    "{ ...f } fragment f on Query { ...f }",
    "{ ...f ...g } fragment f on Query { b } fragment f on Query { b }",
    "{ ...f }",
    "{ ...f } fragment f on O { b }",
    "{ ... on Int { b } }",
    "{ b @include(if: true) @include(if: true) }",
    "{ b @zz }",
    "{ b @skip(if: 1) }",
]


@pytest.mark.parametrize("text", QUERIES)
def test_our_rules_agree_with_the_standard_ones(text: str) -> None:
    document = parse(text)
    assert bool(faults(SCHEMA, document, rules(text), 9)) == bool(validate(SCHEMA, document))


PARTS = st.sampled_from(
    [
        *QUERIES,
        "fragment f on Query { a(x: $x) { b ...g } }",
        "fragment g on Query { zz ...f }",
        "type Query { b: Int }",
    ]
)


@given(st.lists(PARTS, min_size=1, max_size=4), st.integers(1, 5))
def test_our_walk_finds_what_that_of_the_library_finds(parts: list[str], most: int) -> None:
    document = parse(" ".join(parts))
    for those in (rules("...@$"), [rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule]):
        found = [str(error) for error in faults(SCHEMA, document, those, most)]
        assert found == [str(error) for error in validate(SCHEMA, document, those, max_errors=most)]


@pytest.mark.parametrize("text", ["{\n\n b oops\r\n oops2\roops3 }", "{ b }\n\n}"])
def test_faults_are_placed_as_the_library_places_them(text: str) -> None:
    try:
        expected = [error.locations for error in validate(SCHEMA, parse(text))]
    except GraphQLError as error:
        expected = [error.locations]
    with pytest.raises(Invalid) as caught:
        check(SCHEMA, text, Limits())
    assert [[place] for place in caught.value.places] == expected


def test_the_first_unknown_names_are_told_with_what_may_be_meant() -> None:
    wide = build_schema(f"type Query {{ {' '.join(f'a_rather_long_name_{number}: Int' for number in range(300))} }}")
    with pytest.raises(Invalid) as caught:
        check(wide, "{" + " ".join(f"a_rather_long_name_x{number}" for number in range(10)) + "}", Limits())
    hinted = ["Did you mean" in error for error in caught.value.errors]
    assert hinted[0]
    assert not hinted[-1]


class _Counter(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.fields = 0

    def enter_field(self, _node: FieldNode, *_args: object) -> None:
        self.fields += 1


NAMES = st.sampled_from(["a", "b", "on", "on: a", "c: b", 'a(s: "{b b}", o: {b: b})', "b @skip(if: true)"])
SELECTIONS = st.recursive(
    NAMES,
    lambda inner: st.tuples(
        st.sampled_from(["a", "d: a", "... on Query", "..."]), st.lists(inner, min_size=1, max_size=4)
    ).map(lambda each: f"{each[0]} {{ {' '.join(each[1])} }}"),
    max_leaves=12,
)


@given(SELECTIONS)
def test_fields_are_counted_as_they_are_parsed(selection: str) -> None:
    counter, document = _Counter(), parse(f"query on {{ b {selection} ...f }} fragment f on Query {{ b }}")
    visit(document, counter)
    for text in (print_ast(document), " ".join(print_ast(document).split())):
        assert measure(tokens(text)).fields == counter.fields


SCALARS = st.sampled_from(["1", "2.5", '"x"', "true", "null", "E", "12345678901"])
VALUES = st.recursive(
    SCALARS,
    lambda values: st.one_of(
        st.lists(values, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from("xysboz"), values, max_size=4).map(
            lambda fields: f"{{{', '.join(f'{name}: {value}' for name, value in fields.items())}}}"
        ),
    ),
    max_leaves=6,
)


@given(st.sampled_from("xso"), VALUES)
def test_our_rules_agree_with_the_standard_ones_on_values(name: str, value: str) -> None:
    text = f"{{ a({name}: {value}) {{ b }} }}"
    document = parse(text)
    assert bool(faults(SCHEMA, document, rules(text), 9)) == bool(validate(SCHEMA, document))


def test_no_more_is_shown_of_a_wrong_value_than_can_be_read() -> None:
    with pytest.raises(Invalid) as caught:
        check(SCHEMA, f"{{ a(x: [{'true ' * 2400}]) {{ b }} }}", Limits())
    [told] = caught.value.errors
    assert told.startswith('Argument "x" has invalid value [true true')
    assert told.endswith('\nIn element #19: Expected type "Int", found true.')
    assert len(told) < 3000


@given(st.text(alphabet='{}[]()"\\#\n ab:$!@.', max_size=60))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    with contextlib.suppress(Invalid, TooLarge):
        assert check(SCHEMA, text, Limits()).definitions
