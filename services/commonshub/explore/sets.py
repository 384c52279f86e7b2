"""Saved sets in GraphQL, in the shape that Arranger gives them.

A set is the list of texts that some documents have in one field, their ids for example, under an id of its own. It is
kept for who saved it and for nobody else; filters name it. It gives no right to any document: what it stands for in a
filter is what the same list, written out, would.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLString,
)

from commonshub.core.errors import BadRequest

from .asking import Asking, SavedSet
from .catalog import DocType
from .requests import Scope, Terms
from .scalars import JSON, fields

_FACTS: dict[str, GraphQLOutputType] = {
    **dict.fromkeys(("setId", "createdAt", "type", "path", "userId"), GraphQLString),
    "size": GraphQLInt,
}
_SET = GraphQLObjectType("Set", fields(ids=GraphQLList(GraphQLString), **_FACTS))
_NODE = GraphQLObjectType("SetNode", fields(**_FACTS))
_EDGE = GraphQLObjectType("SetEdge", fields(node=_NODE))
_HITS = GraphQLObjectType("SetHits", fields(total=GraphQLInt, edges=GraphQLList(_EDGE)))
TYPES = ("Mutation", "DocumentType", "Set", "SetNode", "SetEdge", "SetHits", "Sets")
"""Names that no type of a document can have."""


def listing() -> GraphQLField:
    """``sets { hits(first, offset) { total edges { node { setId … } } } }``: the caller's own, the newest first."""
    arguments = {
        "first": GraphQLArgument(GraphQLInt, default_value=10),
        "offset": GraphQLArgument(GraphQLInt, default_value=0),
    }
    hits = GraphQLField(_HITS, args=arguments, resolve=_hits)
    return GraphQLField(GraphQLObjectType("Sets", {"hits": hits}), resolve=lambda *_: {})


def changes(doc_types: Mapping[str, DocType]) -> GraphQLObjectType:
    """``saveSet(type, sqon, path)`` as Arranger has it, and ``deleteSets(setIds)``."""

    async def save(_: Any, info: GraphQLResolveInfo, type: str, sqon: Any, path: str) -> dict[str, Any]:
        return await _save(info.context, doc_types[type], sqon, path)

    text = GraphQLNonNull(GraphQLString)
    saving = {
        "type": GraphQLArgument(GraphQLNonNull(GraphQLEnumType("DocumentType", {name: name for name in doc_types}))),
        "sqon": GraphQLArgument(GraphQLNonNull(JSON)),
        "path": GraphQLArgument(text),
    }
    deleting = {"setIds": GraphQLArgument(GraphQLNonNull(GraphQLList(text)))}
    return GraphQLObjectType(
        "Mutation",
        {
            "saveSet": GraphQLField(_SET, args=saving, resolve=save),
            "deleteSets": GraphQLField(
                GraphQLInt,
                args=deleting,
                resolve=lambda _, info, **arguments: info.context.keeper.delete(arguments["setIds"]),
            ),
        },
    )


async def _save(asking: Asking, doc_type: DocType, sqon: Any, path: str) -> dict[str, Any]:
    """Save what the field at `path` has in documents that meet a filter and whose rows the caller may see."""
    asking.keeper.check()
    place = doc_type.find(path)
    if place is None or place.nests or place.field.numeric:
        raise BadRequest(f"path: {doc_type.name} has no text field {path!r} outside of nested ones.")
    scope = Scope(doc_type, asking.caller.rights(doc_type.name, "accessible"), asking.filter(sqon, doc_type))
    buckets = await asking.ask(Terms(scope, place, missing=False))
    texts = sorted(bucket.key for bucket in buckets)
    return {**_shown(asking.keeper.save(doc_type.name, path, texts)), "ids": texts}


def _hits(_: Any, info: GraphQLResolveInfo, first: int | None, offset: int | None) -> dict[str, Any]:
    first, offset = 10 if first is None else first, offset or 0
    if first < 0 or offset < 0:
        raise BadRequest("first and offset must not be negative.")
    total, found = info.context.keeper.page(first, offset)
    return {"total": total, "edges": [{"node": _shown(each)} for each in found]}


def _shown(saved: SavedSet) -> dict[str, Any]:
    return {
        "setId": saved.id,
        "createdAt": saved.created.isoformat(),
        "type": saved.doc_type,
        "path": saved.path,
        "size": saved.size,
        "userId": saved.owner,
    }
