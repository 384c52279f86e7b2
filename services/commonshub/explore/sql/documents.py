"""The documents of a plan, from its frames: with what other frames and nests add to each."""

# ruff: noqa: S608 - names come from the mapping and the dictionary and are quoted

from ..plan import Aggregator, Document, Nested
from .expressions import chain, columns, empty, listed, where
from .frames import frame_of
from .joins import column, joined
from .names import node, quote
from .stage import Stage


class Documents:
    """The documents of one frame."""

    def __init__(self, stage: Stage, document: Document) -> None:
        self.stage = stage
        self.dialect = stage.dialect
        self.document = document
        self.doc_type = document.doc_type

    def select(self) -> str:
        """A query of all documents: ``_rid``, then the fields and the nests, which are lists of structs."""
        frame = quote(frame_of(self.doc_type.name))
        source, nests = f"{frame} f", []
        held = {field.name: column("f", field.name, self.doc_type.name) for field in self.doc_type.fields}
        if isinstance(self.document, Aggregator):
            for number, join in enumerate(self.document.joins):
                part = joined(self.stage, self.doc_type.name, join)
                source += f" left join {part} j{number} on j{number}.__key = f._rid"
                for take in join.takes:
                    value = empty(self.dialect, take, f"j{number}.{quote(take.field.name)}")
                    held[take.field.name] = f"({value})::{self.dialect.type_of(take.field)}"
            for number, nested in enumerate(self.document.nested):
                part = self._nested(nested, f"select _rid as __k0, _id from {frame}", ("__k0",))
                source += f" left join {part} n{number} on n{number}.__k0 = f._rid"
                nests.append(f"{self._items(number)} as {quote(nested.name)}")
        fields = [f"{held[field.name]} as {quote(field.name)}" for field in self.doc_type.fields]
        return f"select f._rid{listed([*fields, *nests])} from {source}"

    def _items(self, number: int) -> str:
        return f"coalesce(n{number}.items, {self.dialect.listed([])})"

    def _nested(self, nested: Nested, around: str, keys: tuple[str, ...]) -> str:
        """A table of ``items``, the list of the elements of each row of `around`, which `keys` tell apart.

        The elements of one list are told apart by their nodes, so those and the keys are the keys of an inner list.
        """
        of = ", ".join
        joins, last = chain(nested.path, "p._id", "e")
        found = f"select distinct {of(f'p.{key}' for key in keys)}, {last} as __node from ({around}) p {joins}"
        taken = columns(self.dialect, nested.takes, "n", nested.node)
        rows = self.stage.table(
            f"select r.*{listed(taken)} from ({found}) r join {node(nested.node)} n on n._id = r.__node "
            f"where {where(self.dialect, nested.condition, 'n')}"
        )
        source = f"{rows} c"
        inner = (*keys, f"__k{len(keys)}")
        struct = {take.field.name: f"c.{quote(take.field.name)}" for take in nested.takes}
        for number, child in enumerate(nested.nested):
            part = self._nested(child, f"select {of(keys)}, __node as {inner[-1]}, __node as _id from {rows}", inner)
            same = [f"n{number}.{key} = c.{key}" for key in keys] + [f"n{number}.{inner[-1]} = c.__node"]
            source += f" left join {part} n{number} on {' and '.join(same)}"
            struct[child.name] = self._items(number)
        items = self.dialect.ordered(self.dialect.struct(struct), "c.__node")
        own = of(f"c.{key}" for key in keys)
        return self.stage.table(f"select {own}, {items} as items from {source} group by {own}")
