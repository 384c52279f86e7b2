"""Fields that one entry's documents take from those of another.

Documents agree when they are of one project and every pair of fields that a join names agrees; a list agrees by any of
its elements. Only documents of the same project are joined: whoever may read ours may read those.
"""

# ruff: noqa: S608 - names come from the mapping and the dictionary and are quoted

from collections.abc import Sequence

from ..catalog import AUTH_FIELD, Field
from ..plan import Join
from .frames import frame_of
from .names import quote
from .stage import Pair, Stage


def joined(stage: Stage, doc_type: str, join: Join) -> str:
    """A table of ``__key``, the ``_rid`` of a document, and the fields that `join` adds to it.

    Where no list is compared, those that agree are summed up before they are joined: a project of a thousand cases and
    a thousand files is not a million pairs.
    """
    comparable = [mine.numeric and theirs.numeric for mine, theirs in join.on]
    ours = _keyed(stage, doc_type, [mine for mine, _ in join.on], comparable)
    theirs = _keyed(stage, join.doc_type, [field for _, field in join.on], comparable)
    other = quote(frame_of(join.doc_type))
    if any(field.array for pair in join.on for field in pair):
        pairs = stage.table(
            f"select distinct m._rid, t._rid as other from {ours} m join {theirs} t on m.agreed = t.agreed"
        )
        return _summed(stage, join, "p._rid", f"from {pairs} p join {other} o on o._rid = p.other")
    groups = _summed(stage, join, "p.agreed", f"from {theirs} p join {other} o on o._rid = p._rid")
    taken = ", ".join(f"g.{quote(take.field.name)}" for take in join.takes)
    return stage.table(f"select m._rid as __key, {taken} from {ours} m join {groups} g on g.__key = m.agreed")


def column(alias: str, name: str, doc_type: str) -> str:
    """A field of a frame; the field that identifies a document is its node."""
    return f"{alias}._id" if name == f"_{doc_type}_id" else f"{alias}.{quote(name)}"


def _keyed(stage: Stage, doc_type: str, fields: Sequence[Field], comparable: Sequence[bool]) -> str:
    """The documents with what has to agree, once for each choice of elements of the lists among it."""
    source, keys = f"{quote(frame_of(doc_type))} f", [f"f.{AUTH_FIELD}"]
    for number, (field, numeric) in enumerate(zip(fields, comparable, strict=True)):
        value = column("f", field.name, doc_type)
        if field.array:
            source += stage.dialect.beside(value, f"u{number}")
            value = f"u{number}.v"
        keys.append(f"{value}::double" if numeric else stage.dialect.text(value))
    agreed = stage.dialect.struct({f"k{number}": key for number, key in enumerate(keys)})
    whole = " and ".join(f"{key} is not null" for key in keys)
    return f"(select f._rid, {agreed} as agreed from {source} where {whole})"


def _summed(stage: Stage, join: Join, key: str, found: str) -> str:
    """The fields of the join by `key`, over the other documents at ``o``."""
    pairs = [(take, column("o", take.source, join.doc_type) if take.source else "") for take in join.takes]
    first = [f"{source} as {quote(take.field.name)}" for take, source in pairs if take.function is None]
    reducing: list[Pair] = [pair for pair in pairs if pair[0].function is not None]
    parts = [stage.first(key, "o._rid", first, found)] if first else []
    parts += [stage.reduced(key, found, reducing)] if reducing else []
    return stage.together(parts)
