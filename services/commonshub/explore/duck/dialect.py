"""DuckDB's SQL."""

from collections.abc import Mapping, Sequence

from ..catalog import Nest
from ..sql.dialect import Change, Dialect
from ..sql.names import quote


class DuckDialect(Dialect):
    """See :class:`~commonshub.explore.sql.dialect.Dialect`."""

    def list_type(self, element: str) -> str:
        return f"{element}[]"

    def type_of_nest(self, nest: Nest) -> str:
        """The type of the list of a nest's elements."""
        inner = [(field.name, self.type_of(field)) for field in nest.fields]
        inner += [(child.name, self.type_of_nest(child)) for child in nest.nests]
        return f"struct({', '.join(f'{quote(name)} {type_}' for name, type_ in inner)})[]"

    def numbered(self, key: str) -> str:
        # Numbers are joined faster than texts.
        return f"row_number() over (order by {key})"

    def literal(self, text: str) -> str:
        return literal(text)

    def text(self, value: str) -> str:
        return f"{value}::string"

    def struct(self, parts: Mapping[str, str]) -> str:
        return f"struct_pack({', '.join(f'{quote(name)} := {part}' for name, part in parts.items())})"

    def listed(self, items: Sequence[str]) -> str:
        return f"[{', '.join(items)}]"

    def changed(self, values: str, change: Change) -> str:
        return f"list_transform({values}, lambda x: {change('x')})"

    def some(self, values: str, test: Change) -> str:
        return f"len(list_filter({values}, lambda x: {test('x')})) > 0"

    def each(self, values: str) -> str:
        return f"unnest({values})"

    def beside(self, values: str, alias: str) -> str:
        return f", unnest({values}) as {alias}(v)"

    def sorted(self, value: str, *, distinct: bool) -> str:
        return f"list({'distinct ' if distinct else ''}{value} order by {value}) filter ({value} is not null)"

    def ordered(self, value: str, order: str) -> str:
        return f"list({value} order by {order})"

    def total(self, value: str) -> str:
        # DuckDB adds whole numbers as such of 128 bits.
        return f"sum({value})::double"


def literal(text: str) -> str:
    """An SQL text literal."""
    return "'" + text.replace("'", "''") + "'"
