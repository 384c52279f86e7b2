"""Variables are coerced as graphql-core does it, in time that hardly grows with long lists."""

import re
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    OperationDefinitionNode,
    build_schema,
    get_named_type,
    get_nullable_type,
    parse,
)
from graphql.execution.values import get_variable_values
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.query.test_planner import ANSWERS

from commonshub.core.errors import TooLarge
from commonshub.query import variables

SCHEMA = build_schema(
    """type Query { a: Int }
    input O { texts: [String], numbers: [Float!], flags: [Boolean], inner: [O!], not: O, needed: String! = "x" }"""
)


def coerced(types: dict[str, str], values: dict[str, Any], max_parts: int = 1_000) -> Any:
    return variables.coerced(SCHEMA, declared(types), values, max_depth=10, max_parts=max_parts, max_errors=5)


def declared(types: dict[str, str]) -> Any:
    text = f"query ({' '.join(f'${name}: {type_}' for name, type_ in types.items())}) {{ a }}"
    [operation] = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation.variable_definitions


TYPES = st.sampled_from(["[String]", "[String!]!", "[Float]", "[Boolean]", "O", "[O]", "[O!]"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.sampled_from("ab"))
FIELDS = st.sampled_from(["texts", "numbers", "flags", "inner", "not", "needed", "zz"])
VALUES = st.recursive(
    st.one_of(SCALARS, st.lists(st.sampled_from("ab"), min_size=2), st.lists(st.integers(-9, 9), min_size=2)),
    lambda values: st.one_of(st.lists(values, max_size=3), st.dictionaries(FIELDS, values, max_size=3)),
    max_leaves=8,
)


@given(types=st.dictionaries(st.sampled_from("xyz"), TYPES, min_size=1), data=st.data())
def test_values_and_faults_are_those_of_the_library(types: dict[str, str], data: st.DataObject) -> None:
    values = data.draw(st.dictionaries(st.sampled_from([*types, "undeclared"]), VALUES))
    expected = get_variable_values(SCHEMA, declared(types), values, max_errors=5)
    assert told(coerced(types, values)) == told(expected)
    with pytest.MonkeyPatch.context() as patch:
        # The first item speaks for every list of one kind.
        patch.setattr(variables, "LONG", 1)
        found = coerced(types, values)
    assert told(found)[:1] == told(expected)[:1] if isinstance(expected, list) else found == expected


def told(found: Any) -> Any:
    """Values, or the texts of faults, without what may have been meant."""
    return [re.sub(" Did you mean.*", "", each.message) for each in found] if isinstance(found, list) else found


def test_an_object_is_told_what_it_has_and_may_not_have() -> None:
    [unknown] = coerced({"x": "O"}, {"x": {"txets": []}})
    assert unknown.message.endswith("""Field 'txets' is not defined by type 'O'. Did you mean "texts"?""")


def test_nothing_but_texts_numbers_and_truth_values_comes_in_lists() -> None:
    """What makes one item of a list speak for all."""
    types = []
    for each in ANSWERS.schema.type_map.values():
        if each.name.startswith("__"):
            continue
        if isinstance(each, GraphQLInputObjectType):
            types += [field.type for field in each.fields.values()]
        elif isinstance(each, GraphQLObjectType):
            types += [argument.type for field in each.fields.values() for argument in field.args.values()]
    listed = {str(get_named_type(each)) for each in types if isinstance(get_nullable_type(each), GraphQLList)}
    assert {each for each in listed if each[0].isupper() and not each.startswith(("Filter", "NotProp"))} <= {
        *("String", "Float", "Boolean", "NodeFilter", "DataNodeFilter", "WithPathToInput")
    }


@pytest.mark.parametrize("values", [[1, "a"] * 600, ["a", None] * 600, [{}] * 1_200, {"inner": [{"not": {}}] * 600}])
def test_many_values_of_several_kinds_are_refused(values: Any) -> None:
    with pytest.raises(TooLarge, match="more than 1000 objects, or values in lists of several kinds"):
        coerced({"x": "[String]"}, {"x": values})


def test_many_values_of_one_kind_come_through_wherever_they_are() -> None:
    texts, numbers = [f"t{number}" for number in range(5_000)], [1, 2.5] * 2_500
    given = {"inner": {"not": {"texts": texts}, "numbers": numbers}}
    assert coerced({"x": "O"}, {"x": given}) == {
        "x": {"inner": [{"not": {"texts": texts, "needed": "x"}, "numbers": numbers, "needed": "x"}], "needed": "x"}
    }


@pytest.mark.parametrize(
    ("values", "told"),
    [([5] * 5_000, "'x[0]'; String cannot represent a non string value: 5"), ("a", None), (["a", 5], "'x[1]'")],
)
def test_the_first_wrong_value_is_told(values: Any, told: str | None) -> None:
    found = coerced({"x": "[String]"}, {"x": values})
    assert (told in str(found[0])) if told else (found == {"x": ["a"]})
