"""The difference of two dictionaries, and what it says of stored records."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker
from tests.dictionaries import SMALL

from commonshub.core.dictionary import Dictionary, NodeType, load, validation_schema
from commonshub.core.dictionary.compile import make_node
from commonshub.core.dictionary.difference import Difference, difference
from commonshub.core.dictionary.inclusion import includes
from commonshub.submission.links import broken_rules

FRIENDS = "  - {name: friends_of, backref: known_by, label: knows"
WITH_FRIENDS = "required: [type, submitter_id, experiments"
GROUP = "exclusive: true\n    required: true"


@pytest.fixture(scope="module")
def small() -> Dictionary:
    return load(str(SMALL))


def told(found: Difference) -> list[tuple[str, str, str]]:
    return [(each.where, each.kind, each.effect) for each in found.changes]


def test_a_dictionary_does_not_differ_from_itself(small: Dictionary) -> None:
    assert difference(small, load(str(SMALL))).changes == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("case.yaml", "primary_site: {type", "sites: {type: integer}\n  primary_site: {type",
         [("case.sites", "property", "wider")]),
        ("case.yaml", "primary_site: {type: string}", "", [("case.primary_site", "property", "tighter")]),
        ("case.yaml", "melanoma, glioma", "melanoma, glioma, sarcoma", [("case.disease_type", "values", "wider")]),
        ("case.yaml", "melanoma, glioma", "glioma, melanoma", [("case.disease_type", "values", "wider")]),
        ("case.yaml", "melanoma, glioma", "melanoma", [("case.disease_type", "values", "tighter")]),
        ("case.yaml", "{enum: [melanoma, glioma]}", "{type: string}",
         [("case.disease_type", "type", "wider"), ("case.disease_type", "values", "wider")]),
        ("case.yaml", "{enum: [melanoma, glioma]}", "{type: string, pattern: '^[a-z]+$'}",
         [("case.disease_type", "type", "wider"), ("case.disease_type", "values", "wider"),
          ("case.disease_type", "pattern", "wider")]),
        ("case.yaml", "primary_site: {type: string}", "primary_site: {type: [string, integer]}",
         [("case.primary_site", "type", "wider")]),
        ("case.yaml", "primary_site: {type: string}", "primary_site: {type: integer}",
         [("case.primary_site", "type", "tighter")]),
        ("case.yaml", "primary_site: {type: string}", "primary_site: {type: string, description: where}",
         [("case.primary_site", "documentation", "documentation")]),
        ("case.yaml", WITH_FRIENDS, f"{WITH_FRIENDS}, primary_site", [("case.primary_site", "required", "tighter")]),
        ("demographic.yaml", "minimum: 1900", "minimum: 1800", [("demographic.year_of_birth", "range", "wider")]),
        ("demographic.yaml", "minimum: 1900", "minimum: 1901", [("demographic.year_of_birth", "range", "tighter")]),
        ("demographic.yaml", "minimum: 1900", "minimum: 1900, exclusiveMinimum: true",
         [("demographic.year_of_birth", "range", "tighter")]),
        ("reads_file.yaml", ', pattern: "^[a-f0-9]{32}$"', "", [("reads_file.md5sum", "pattern", "wider")]),
        ("reads_file.yaml", "{32}", "{31,32}", [("reads_file.md5sum", "pattern", "tighter")]),
        ("reads_file.yaml", "file_size, md5sum]", "file_size]", [("reads_file.md5sum", "required", "wider")]),
        ("reads_file.yaml", "default: registered", "default: validated",
         [("reads_file.file_state", "default", "wider")]),
        ("reads_file.yaml", "datetime, file_state]", "datetime]", [("reads_file.file_state", "system", "wider")]),
        ("reads_file.yaml", "category: data_file", "category: biospecimen", [("reads_file", "category", "wider")]),
        ("sample.yaml", "category: biospecimen", "category: data_file", [("sample", "category", "tighter")]),
        ("sample.yaml", "additionalProperties: false", "", [("sample", "additional_properties", "wider")]),
        ("sample.yaml", "title: Sample", "title: A sample", [("sample", "documentation", "documentation")]),
        ("sample.yaml", "[project_id, submitter_id]", "[project_id, submitter_id], [is_ffpe]",
         [("sample.is_ffpe", "unique_key", "tighter")]),
        ("sample.yaml", "[project_id, submitter_id]", "[project_id, submitter_id, is_ffpe]",
         [("sample.project_id+submitter_id+is_ffpe", "unique_key", "wider"),
          ("sample.project_id+submitter_id", "unique_key", "wider")]),
        ("sample.yaml", "many_to_one", "many_to_many", [("sample.cases", "multiplicity", "wider")]),
        ("sample.yaml", "many_to_one", "one_to_one", [("sample.cases", "multiplicity", "tighter")]),
        ("sample.yaml", "derived_from", "taken_from", [("sample.cases", "label", "tighter")]),
        ("sample.yaml", "derived_from", "derivedfrom", [("sample.cases", "label", "wider")]),
        ("sample.yaml", "target_type: case", "target_type: experiment", [("sample.cases", "target", "tighter")]),
        ("sample.yaml", "backref: samples", "backref: specimens", [("sample.cases", "backref", "wider")]),
        ("aliquot.yaml", "exclusive: true", "exclusive: false",
         [("aliquot.samples+cases", "link_group", "wider"), ("aliquot.samples+cases", "link_group", "wider")]),
        ("sample.yaml", "required: true", "required: false", [("sample", "documentation", "documentation")]),
        ("case.yaml", "knows, target_type: experiment, multiplicity: many_to_one, required: false",
         "knows, target_type: experiment, multiplicity: many_to_one, required: true",
         [("case.friends_of", "required", "tighter")]),
        ("_terms.yaml", "Years", "years",
         [("demographic.age", "documentation", "documentation"), ("_terms", "documentation", "documentation")]),
        ("visit.yaml", "",
         "{id: visit, category: clinical, links: [], properties: {type: {}, submitter_id: {}, project_id: {}}}",
         [("visit", "node_type", "wider")]),
    ],
)  # fmt: skip
def test_a_change_is_told_with_its_effect(
    small: Dictionary, edited: Callable[..., str], file: str, old: str, new: str, expected: Any
) -> None:
    assert told(difference(small, load(edited(file, old, new)))) == expected


def test_a_rule_is_tighter_the_other_way_round(small: Dictionary, edited: Callable[..., str]) -> None:
    loose = load(edited("aliquot.yaml", "exclusive: true", "exclusive: false"))
    assert ("aliquot.samples+cases", "link_group", "tighter") in told(difference(loose, small))


def test_a_node_type_that_is_gone_is_told(small: Dictionary, edited: Callable[..., str]) -> None:
    visit = "{id: visit, category: clinical, links: [], properties: {type: {}, submitter_id: {}, project_id: {}}}"
    more = load(edited("visit.yaml", "", visit))
    [change] = difference(more, small).changes
    assert (change.where, change.kind, change.effect) == ("visit", "node_type", "tighter")


def test_a_renamed_node_type_that_takes_over_a_table_is_told(small: Dictionary) -> None:
    nodes = dict(small.nodes)
    nodes["read_s_file"] = dataclasses.replace(nodes.pop("reads_file"), id="read_s_file")
    found = difference(small, dataclasses.replace(small, nodes=nodes, digest="other"))
    assert told(found) == [("read_s_file", "node_type", "tighter"), ("reads_file", "node_type", "tighter")]


def test_a_renamed_link_says_that_stored_links_are_kept(small: Dictionary, edited: Callable[..., str]) -> None:
    folder = edited("aliquot.yaml", "samples", "specimens")
    messages = [each.message for each in difference(small, load(folder)).changes if each.where == "aliquot.samples"]
    assert messages == ["now named specimens; stored links are kept"]


def test_values_are_named_and_many_are_counted(small: Dictionary, edited: Callable[..., str]) -> None:
    more = ", ".join(f"v{number}" for number in range(9))
    [change] = difference(small, load(edited("case.yaml", "melanoma, glioma", f"glioma, {more}"))).changes
    assert change.message == "values gone melanoma; new v0, v1, v2, v3, v4 and 4 more"
    assert (change.before, len(change.after)) == (["melanoma"], 9)


def test_it_can_be_written_as_json_and_as_text(small: Dictionary, edited: Callable[..., str]) -> None:
    found = difference(small, load(edited("case.yaml", "melanoma, glioma", "melanoma")))
    document = json.loads(json.dumps(found.document()))
    assert document["counts"] == {"wider": 0, "tighter": 1, "documentation": 0}
    assert document["changes"][0]["names"] == ["disease_type"]
    assert list(found.lines()) == ["tighter       case.disease_type: values gone glioma"]
    assert [each.where for each in found.tighter] == ["case.disease_type"]


VALUES: list[Any] = [
    None, True, False, 0, 1, 2, 5, 1.5, -1, "", "a", "b", "ab", "1", "2020-01-01T00:00:00Z", [], ["a"], ["a", "a"], [1],
    ["a", 1], {}, {"x": 1}, {"x": "a"}, {"x": 1, "y": 2}, {"y": 2},
]  # fmt: skip
_TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
_NUMBERS = st.sampled_from([0, 1, 2, 5])
_PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "type": _TYPES | st.lists(_TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(st.sampled_from(VALUES[:15]), min_size=1, max_size=4, unique_by=repr),
        "minimum": _NUMBERS,
        "maximum": _NUMBERS,
        "minLength": _NUMBERS,
        "maxLength": _NUMBERS,
        "minItems": _NUMBERS,
        "maxItems": _NUMBERS,
        "multipleOf": st.sampled_from([1, 2, 4]),
        "uniqueItems": st.booleans(),
        "pattern": st.sampled_from(["^a", "b$"]),
        "format": st.just("date-time"),
        "description": st.sampled_from(["this", "that"]),
    },
)


def _nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    fields = st.dictionaries(st.sampled_from("xy"), inner, max_size=2)
    rest = st.booleans() | inner
    names = st.lists(st.sampled_from("xy"), min_size=1, unique=True)
    return st.one_of(
        st.fixed_dictionaries({"oneOf": several}),
        st.fixed_dictionaries({"anyOf": several}, optional={"type": _TYPES}),
        st.fixed_dictionaries({"allOf": several}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"items": inner | several}, optional={"additionalItems": rest, "type": _TYPES}),
        st.fixed_dictionaries({}, optional={"properties": fields, "additionalProperties": rest, "required": names}),
    )


SCHEMAS = st.recursive(_PLAIN, _nested, max_leaves=4).map(
    lambda schema: (
        {**schema, "minimum": schema["minimum"], "exclusiveMinimum": True} if schema.get("minimum") == 1 else schema
    )
)


@st.composite
def changed(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """A schema near to another one."""
    other = draw(SCHEMAS)
    keys = [key for key in schema if draw(st.booleans())]
    near = {key: schema[key] for key in keys}
    if draw(st.booleans()):
        near |= {key: other[key] for key in other if key not in ("exclusiveMinimum",)}
    if "enum" in near and draw(st.booleans()):
        near["enum"] = [*near["enum"], "new"]
    alternatives = [{"oneOf": [schema, other]}, {"anyOf": [schema, other]}, {"oneOf": [schema, {"type": "null"}]}, near]
    result = draw(st.sampled_from(alternatives))
    if "exclusiveMinimum" in result and "minimum" not in result:
        del result["exclusiveMinimum"]
    return result


def _valid(schema: Mapping[str, Any], value: Any) -> bool:
    return bool(Draft4Validator(schema, format_checker=FormatChecker()).is_valid(value))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_schema_that_includes_another_one_allows_all_that_it_allows(data: st.DataObject) -> None:
    narrow = data.draw(SCHEMAS)
    wide = data.draw(changed(narrow))
    if includes(wide, narrow):
        assert [value for value in VALUES if _valid(narrow, value) and not _valid(wide, value)] == []


@given(SCHEMAS)
def test_a_schema_includes_itself_whatever_its_documentation(schema: dict[str, Any]) -> None:
    assert includes(schema, {**schema, "description": "other", "term": {"description": "x"}})


NAMES = ("a", "b")
LINKS = ("p", "q", "r")
_LINK = st.fixed_dictionaries(
    {
        "name": st.just(""),
        "backref": st.just("nodes"),
        "label": st.sampled_from(["of", "from", "with"]),
        "target_type": st.sampled_from(["case", "sample"]),
        "multiplicity": st.sampled_from(["many_to_one", "many_to_many"]),
        "required": st.booleans(),
    }
)


@st.composite
def node_schemas(draw: st.DrawFn, near: dict[str, Any] | None = None) -> dict[str, Any]:
    """The schema of a node type; near to another one, where that is given."""

    def take(old: Any, new: st.SearchStrategy[Any]) -> Any:
        return old if near and old is not None and draw(st.integers(0, 9)) < 9 else draw(new)

    def kept(name: str, known: Collection[str]) -> bool:
        return draw(st.integers(0, 9)) < (9 if name in known else 7)

    old = near or {"properties": {}, "links": [], "required": []}
    old_links = {link["name"]: link for link in _flat(old["links"])}
    properties = {name: take(old["properties"].get(name), SCHEMAS) for name in NAMES if kept(name, old["properties"])}
    links = {name: {**take(old_links.get(name), _LINK), "name": name} for name in LINKS if kept(name, old_links)}
    # No two links share a table; that is refused.
    assume(len({(each["label"], each["target_type"]) for each in links.values()}) == len(links))
    listed: list[Any] = list(links.values())
    if len(listed) > 1 and draw(st.booleans()):
        group = {"subgroup": listed[1:], "required": draw(st.booleans()), "exclusive": draw(st.booleans())}
        listed = [listed[0], group]
    known = [*properties, *links]
    required = [name for name in known if not draw(st.integers(0, 3))]
    return {
        "id": "node",
        "category": "clinical",
        "properties": {**properties, **{name: {} for name in links}},
        "links": listed,
        "required": take(old["required"] if set(old["required"]) <= set(known) else None, st.just(required)),
        "additionalProperties": take(old.get("additionalProperties"), st.booleans()),
    }


def _flat(links: list[Any]) -> Iterator[dict[str, Any]]:
    for each in links:
        yield from _flat(each["subgroup"]) if "subgroup" in each else [each]


def _dictionary(node: NodeType, digest: str) -> Dictionary:
    return Dictionary(nodes={node.id: node}, document={}, digest=digest)


def _accepts(node: NodeType, values: dict[str, Any], edges: dict[tuple[str, str], int]) -> bool:
    """Whether a stored record of these values, and of so many edges by label and target, keeps all rules."""
    targets = {link.name: edges.get((link.label, link.target), 0) for link in node.links}
    filled = [name for name, count in targets.items() if count]
    document = {**values, **{name: [{"id": "x"}] * targets[name] for name in filled}}
    too_many = any(link.to_one and targets[link.name] > 1 for link in node.links)
    return _valid(validation_schema(node), document) and not any(broken_rules(node, filled)) and not too_many


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_change_that_is_not_tighter_leaves_stored_records_valid(data: st.DataObject) -> None:
    before = data.draw(node_schemas())
    old, new = make_node(before), make_node(data.draw(node_schemas(before)))
    if difference(_dictionary(old, "old"), _dictionary(new, "new")).tighter:
        return
    places = sorted({(link.label, link.target) for link in old.links})
    choices = [*itertools.product([0, 1, 2], repeat=len(places))]
    for _ in range(5):
        values = data.draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)))
        edges = dict(zip(places, data.draw(st.sampled_from(choices)), strict=True))
        if _accepts(old, values, edges):
            assert _accepts(new, values, edges)
