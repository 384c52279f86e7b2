"""Faulty queries for the benchmark: of each kind the longest that is still read, its fault at the end; and bombs."""

from collections.abc import Callable, Iterator
from typing import Any

from commonshub.query.document import MAX_PLODDING, Limits
from commonshub.query.size import measure, tokens

LIMITS = Limits()


def queries() -> Iterator[tuple[str, str, Any]]:
    """Each kind's name, its query, and the value of its variable ``x``."""
    for name, (head, part, tail) in LONG.items():
        yield name, head + " ".join(map(part, range(_most(head, part, tail)))) + tail, None
    for name, text in BOMBS.items():
        yield name, text, None
    for name, (type_, argument, value) in FLOODS.items():
        yield name, f"query ($x: {type_}) {{ case({argument}: $x) {{ id }} }}", value


def _most(head: str, part: Callable[[int], str], tail: str) -> int:
    """How many parts a query may have."""
    one, rest = tokens(part(1_000)), len(tokens(head + tail))
    most = [(LIMITS.max_tokens - rest) // len(one)]
    if fields := measure(["{", *one]).fields:
        most.append((LIMITS.max_fields - rest) // fields)
    if "[" in head:
        most.append((LIMITS.max_argument_tokens - rest) // len(one))
    return min(most)


_TYPOS = " ".join(f"submitter_i{number}: 1" for number in range(20))
LONG: dict[str, tuple[str, Callable[[int], str], str]] = {
    "aliases": ("{", lambda i: f"a{i}: case {{ id }}", " oops }"),
    "repetition": ("{ case {", lambda i: "id", " oops } }"),
    "typenames": ("{", lambda i: f"a{i}: __typename", " oops }"),
    "unknown fields": ("{", lambda i: f"submitted_measurement_files_{i}", "}"),
    "wrong values": ("{", lambda i: f"a{i}: _case_count(id: {i})", "}"),
    "arguments": ("{", lambda i: '_case_count(id: "a" submitter_id: "b" first: 1)', " oops }"),
    "unknown arguments": ("{", lambda i: f"_case_count(submitter_i{i}: 1)", "}"),
    "filters": ("{", lambda i: f'a{i}: _case_count(filter: {{and: [{{id: {{eq: "{i}"}}}}]}})', " oops }"),
    "unknown filters": ("{", lambda i: f"a{i}: _case_count(filter: {{{_TYPOS}}})", "}"),
    "unknown paths": ("{", lambda i: f"a{i}: _case_count(with_path_to: {{{_TYPOS}}})", "}"),
    "ids": ("{ case(ids: [", lambda i: f'"{i:036}"', "]) { oops } }"),
    "paths": ("{ case(with_path_to: [", lambda i: '{type: "case" id: "x"}', "]) { oops } }"),
    "directives": ("{", lambda i: "__typename @skip(if: true)", " oops }"),
    "variables": ("query ($x: String) {", lambda i: "_case_count(id: $x)", " oops }"),
    "unknown variables": ("{", lambda i: f"_case_count(id: $x{i})", "}"),
    "inline fragments": ("{", lambda i: "... { __typename }", " oops }"),
    "spreads": ("{ case {", lambda i: "...f", "} } fragment f on case { oops }"),
    "no end": ("{", lambda i: f'a{i}: case(id: "x") {{ id }}', ""),
    "links": ("{", lambda i: f'a{i}: case(with_links: ["oops"]) {{ id }}', "}"),
    "orders": ("{", lambda i: f'a{i}: case(order_by_asc: "oops") {{ id }}', "}"),
}
_SPREADS = " ".join(f"...f{number}" for number in range(60))
_CHAIN = " ".join(
    f"fragment f{number} on case {{ a: samples {{ cases {{ ...f{number + 1} }} }} b: samples {{ id }} }}"
    for number in range(150)
)
BOMBS = {
    "nesting": "{ case " * 10_000,
    "lists": "{ case(ids: " + "[" * 10_000,
    "too many aliases": "{" + " ".join(f"a{i}: __typename" for i in range(6_000)) + "}",
    "chained fragments": f"{{ case {{ ...f0 }} }} {_CHAIN}",
    "operations": " ".join(f"query q{i}($x: String) {{ case {{ {_SPREADS} }} }}" for i in range(20)),
    "comments": "{" + "#\n" * 3_000 + " oops }",
    "lines": "{" + "\n" * 120_000 + " oops" * 20 + " }",
    "a long name": "{ " + "x" * 130_000 + " }",
    "a long number": "{ case(first: " + "9" * 130_000 + ") { id } }",
    "a long text": '{ case(id: "' + "x" * 130_000 + '") { oops } }',
    "escapes": '{ case(id: "' + "\\n" * (MAX_PLODDING // 2 - 1) + '") { oops } }',
    "no end of a text": '{ case(id: """' + "x" * 130_000,
    "too long": '{ case(id: "' + "x" * 1_000_000 + '") { id } }',
}
_OBJECTS = LIMITS.max_parts - 10
_FILTERS = [{"submitter_id": {"eq": "x"}}] * (_OBJECTS // 2)
FLOODS: dict[str, tuple[str, str, Any]] = {
    "variable paths": ("[WithPathToInput]", "with_path_to", [{"type": "case", "id": "x"}] * _OBJECTS + [{"id": "x"}]),
    "variable exclusions": ("[NotPropertiesInput_case]", "not", [{"submitter_id": "x"}] * _OBJECTS + [{"oops": 1}]),
    "variable filters": ("Filter_case", "filter", {"or": [*_FILTERS, {"oops": {"eq": 1}}]}),
    "variable typos": ("[WithPathToInput]", "with_path_to", [{f"submitter_i{i}": 1 for i in range(10_000)}]),
    "variable objects": ("[WithPathToInput]", "with_path_to", [{"type": "case"}] * 10 * _OBJECTS),
    "variable values": ("[String]", "ids", ["x", None] * (_OBJECTS // 2) + [1]),
}
