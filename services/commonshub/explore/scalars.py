"""The scalars and enumerations of the GraphQL schema."""

from typing import Any

from graphql import GraphQLEnumType, GraphQLField, GraphQLOutputType, GraphQLScalarType

from commonshub.core.errors import BadRequest


def plain(value: Any) -> Any:
    """A number without a useless ``.0``."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


# Guppy declares every number as Float; whole numbers stay whole in the JSON, at any size. graphql-core keeps the name
# for its own scalar, which would write 61 as 61.0, so it is given afterwards.
FLOAT = GraphQLScalarType("Number", serialize=plain, parse_value=lambda value: _finite(value))
FLOAT.name = "Float"
JSON = GraphQLScalarType("JSON", serialize=lambda value: value, parse_value=lambda value: value)
ACCESSIBILITY = GraphQLEnumType("Accessibility", {name: name for name in ("all", "accessible", "unaccessible")})
FORMAT = GraphQLEnumType("Format", {name: name for name in ("json", "tsv", "csv")})


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise BadRequest(f"{value!r} is not a number.")
    return value


def fields(**types: GraphQLOutputType) -> dict[str, GraphQLField]:
    """Fields that need no resolver."""
    return {name: GraphQLField(type_) for name, type_ in types.items()}
