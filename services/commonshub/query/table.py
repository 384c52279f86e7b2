"""An answer as a table: the columns that the fields of a query make, and the rows that its data make.

Vocabulary
----------
column
    A field whose value stands in one cell. It is named by its path of keys: ``samples.aliquots.submitter_id``.
level
    The columns of one list's items, and at most one list below them. The root of the answer is a level with one item.
row
    One item of the deepest list, with the cells of all that it is below. An item that has nothing below it has a row,
    too, in which the cells of the deeper columns are empty.

Two lists side by side have no rows in common. Which of their items belong together nobody has said, so a query with
two is refused rather than answered with all pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
)

from commonshub.core.dictionary import Dictionary
from commonshub.core.errors import BadRequest

from .fields import Value
from .selection import INTROSPECTION, Selected

Kind = Literal["string", "integer", "number", "boolean"]
Row = list[Any]
Keys = tuple[str, ...]
Children = Mapping[str, Sequence[Selected]]

_KINDS: Mapping[Any, Kind] = {GraphQLInt: "integer", GraphQLFloat: "number", GraphQLBoolean: "boolean"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Parameters
    ----------
    name
        Its path of keys, with dots.
    kind
        Of its values, as the dictionary and the schema have it; a record of an earlier dictionary may have others.
    many
        Whether a value is a list of these.
    """

    name: str
    kind: Kind
    many: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What one item gives to a row.

    Parameters
    ----------
    plain, deep
        Where each of its columns is in the row, by the key of the item or by the keys of objects in it.
    list
        The keys of the list below it.
    below
        The level of that list's items.
    """

    plain: tuple[tuple[int, str], ...]
    deep: tuple[tuple[int, Keys], ...]
    list: Keys = ()
    below: "Level | None" = None

    def rows(self, item: Mapping[str, Any], row: Row) -> Iterator[Row]:
        """The rows of an item.

        Parameters
        ----------
        item
            Its list may be any iterable, so that its items need not be there at once.
        row
            Has the cells of what it is below, and is changed.
        """
        for place, key in self.plain:
            row[place] = item.get(key)
        for place, keys in self.deep:
            row[place] = _reach(item, keys)
        if self.below is None:
            yield row
            return
        empty = True
        for each in _reach(item, self.list) or ():
            empty = False
            yield from self.below.rows(each or {}, row.copy())
        if empty:
            yield row


def _reach(item: Any, keys: Keys) -> Any:
    for key in keys:
        if item is None:
            return None
        item = item.get(key)
    return item


@dataclass(frozen=True, slots=True)
class Table:
    """The table of a query.

    Parameters
    ----------
    name
        The key of its first root field.
    """

    name: str
    columns: tuple[Column, ...]
    root: Level

    def rows(self, data: Mapping[str, Any]) -> Iterator[Row]:
        """The rows of the ``data`` of an answer, whose root list may be any iterable."""
        row: Row = [None] * len(self.columns)
        if self.root.below is None or self.root.plain or self.root.deep:
            yield from self.root.rows(data, row)
            return
        # The root itself has nothing to tell: where its list is empty, there is no row.
        for each in _reach(data, self.root.list) or ():
            yield from self.root.below.rows(each or {}, row.copy())


def table_of(schema: GraphQLSchema, dictionary: Dictionary, selection: Sequence[Selected]) -> Table:
    """The table of the root fields `selection`.

    Raises
    ------
    BadRequest
        They make none: two lists are side by side, or the schema itself is asked for.
    """
    shaper = _Shaper(schema, dictionary)
    root = shaper.level({"Root": selection}, ())
    columns = shaper.columns
    if len(selection) == 1 and selection[0].children:
        # All of it is below the one root field, which would stand before every name.
        columns = [replace(each, name=each.name.partition(".")[2]) for each in columns]
    return Table(selection[0].key, tuple(columns), root)


class _Shaper:
    """Collects columns from left to right, as the query has them."""

    def __init__(self, schema: GraphQLSchema, dictionary: Dictionary) -> None:
        self.schema = schema
        self.dictionary = dictionary
        self.columns: list[Column] = []

    def level(self, children: Children, path: Keys) -> Level:
        cells: list[tuple[int, Keys]] = []
        lists: list[tuple[Keys, Level]] = []
        self._object(children, path, (), cells, lists)
        if len(lists) > 1:
            names = " and ".join(".".join(path + keys) for keys, _ in lists)
            raise BadRequest(
                f"A table has one list below another, and none beside it; {names} are beside one another. "
                "Ask for them in queries of their own, each with an id that tells which rows belong together."
            )
        plain = tuple((place, keys[0]) for place, keys in cells if len(keys) == 1)
        deep = tuple((place, keys) for place, keys in cells if len(keys) > 1)
        return Level(plain, deep, *lists[0]) if lists else Level(plain, deep)

    def _object(
        self,
        children: Children,
        path: Keys,
        keys: Keys,
        cells: list[tuple[int, Keys]],
        lists: list[tuple[Keys, Level]],
    ) -> None:
        """Add what an object has, which may be one of several types."""
        for key, those in _by_key(children).items():
            here = (*keys, key)
            many, nested = self._form(path + here, those)
            if not nested:
                cells.append((len(self.columns), here))
                self.columns.append(Column(".".join(path + here), self._kind(those), many))
                continue
            below: dict[str, list[Selected]] = {}
            for each in those:
                for name, fields in each.children.items():
                    below.setdefault(name, []).extend(fields)
            if many:
                lists.append((here, self.level(below, path + here)))
            else:
                self._object(below, path, here, cells, lists)

    def _form(self, path: Keys, those: Sequence[Selected]) -> tuple[bool, bool]:
        """Whether a key has lists, and whether it has objects."""
        found = {self._form_of(each) for each in those}
        if len(found) > 1:
            raise BadRequest(
                f"{'.'.join(path)} is something else for some types than for others; give each an alias of its own."
            )
        return found.pop()

    def _form_of(self, selected: Selected) -> tuple[bool, bool]:
        if selected.name in INTROSPECTION:
            raise BadRequest(f"{selected.name} is no table; ask for it as JSON.")
        definition = self._definition(selected)
        many = definition is not None and isinstance(get_nullable_type(definition.type), GraphQLList)
        return many, bool(selected.children)

    def _definition(self, selected: Selected) -> Any:
        """The field of the schema; None for ``__typename``."""
        type_ = self.schema.type_map[selected.type]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        return type_.fields.get(selected.name)

    def _kind(self, those: Sequence[Selected]) -> Kind:
        kinds = {self._kind_of(each) for each in those}
        if len(kinds) == 1:
            return kinds.pop()
        return "number" if kinds == {"integer", "number"} else "string"

    def _kind_of(self, selected: Selected) -> Kind:
        """The schema has Gen3's types, in which whole numbers are numbers; the dictionary tells them apart."""
        definition = self._definition(selected)
        if definition is None:
            return "string"
        node = self.dictionary.nodes.get(selected.type)
        if node is not None and isinstance(selected.meaning, Value):
            stored = node.properties.get(selected.meaning.name)
            if stored is not None and stored.kind == "integer":
                return "integer"
        return _KINDS.get(get_named_type(definition.type), "string")


def _by_key(children: Children) -> dict[str, list[Selected]]:
    found: dict[str, list[Selected]] = {}
    for fields in children.values():
        for each in fields:
            found.setdefault(each.key, []).append(each)
    return found
