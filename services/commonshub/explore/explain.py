"""A plan in words, for those who edit a mapping: each field of each document type, and where its values come from."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .catalog import AUTH_FIELD, PROJECT_FIELD, Field
from .plan import Aggregator, Collector, Condition, Document, Group, Join, Nested, Path, Plan, Take, Test


def explain(plan: Plan) -> Iterator[str]:
    """The lines."""
    for document in plan.documents:
        yield from _document(document)
        yield ""
    yield f"Read from the graph: {', '.join(plan.nodes)}"
    yield f"Links followed: {', '.join(f'{link.source}.{link.name} ({link.target})' for link in plan.links)}"


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values."""
    documents = [{"kind": type(each).__name__.lower(), **asdict(each)} for each in plan.documents]
    links = [asdict(link) for link in plan.links]
    nodes = {node: [asdict(field) for field in fields] for node, fields in plan.nodes.items()}
    return {"digest": plan.digest, "documents": documents, "nodes": nodes, "links": links,
            "warnings": list(plan.warnings)}  # fmt: skip


def _document(document: Document) -> Iterator[str]:
    doc_type = document.doc_type
    if isinstance(document, Aggregator):
        chosen = f" where {_condition(document.condition)}" if document.condition else ""
        yield f"{doc_type.name} (index {doc_type.index}): one document for each {document.root}{chosen}"
        told = dict(_aggregated(document))
    else:
        leaves = ", ".join(leaf for leaf, _ in document.leaves)
        yield f"{doc_type.name} (index {doc_type.index}): one document for each {leaves}"
        told = dict(_collected(document))
    told |= _always(document)
    for field in doc_type.fields:
        yield f"  {_typed(field)}: {told[field.name]}"
    if isinstance(document, Aggregator):
        for nested in document.nested:
            yield from _nested(nested, "  ")


def _always(document: Document) -> dict[str, str]:
    """What every document has, whatever its mapping says."""
    parts = {"program_name": "name of the program of its project", "project_code": "code of its project"}
    return {
        f"_{document.doc_type.name}_id": "its id",
        PROJECT_FIELD: "its project",
        AUTH_FIELD: "resource path of its project",
        **{part: parts[part] for part in document.project_parts},
    }


def _aggregated(document: Aggregator) -> Iterator[tuple[str, str]]:
    for take in document.takes:
        yield take.field.name, _take(take, document.root)
    for flatten in document.flatten:
        node = flatten.path[-1].node
        order = ""
        if flatten.order:
            order = f", the first by {flatten.order[0]} ({'descending' if flatten.order[1] else 'ascending'})"
        for take in flatten.takes:
            yield take.field.name, f"{_take(take, node)} over {_path(flatten.path)}{order}"
    for reduce in document.reduce:
        for take in reduce.takes:
            yield take.field.name, f"{_take(take, reduce.path[-1].node)} over {_path(reduce.path)}"
    for join in document.joins:
        for take in join.takes:
            yield take.field.name, f"{_take(take, join.doc_type)} of the documents where {_agreeing(join)}"


def _collected(document: Collector) -> Iterator[tuple[str, str]]:
    sources: dict[str, list[str]] = {}
    for leaf, takes in document.leaves:
        for take in takes:
            sources.setdefault(take.field.name, []).append(_take(take, leaf))
    yield from ((name, " or ".join(dict.fromkeys(each))) for name, each in sources.items())
    for node, takes in document.inject:
        for take in takes:
            yield take.field.name, f"{_take(take, node)} over every way up to {node}"


def _nested(nested: Nested, indent: str) -> Iterator[str]:
    chosen = f" where {_condition(nested.condition)}" if nested.condition else ""
    yield f"{indent}{nested.name}: one element for each {nested.node} over {_path(nested.path)}{chosen}"
    for take in nested.takes:
        yield f"{indent}  {_typed(take.field)}: {_take(take, nested.node)}"
    for child in nested.nested:
        yield from _nested(child, f"{indent}  ")


def _typed(field: Field) -> str:
    return f"{field.name} ({field.kind}{' list' if field.array else ''})"


def _take(take: Take, node: str) -> str:
    source = f"{node}.{take.source}" if take.source else node
    told = f"{take.function} of {source}" if take.function else source
    return f"{told}, with {len(take.values)} values replaced" if take.values else told


def _path(path: Path) -> str:
    return ".".join(hop.link.backref if hop.down else hop.link.name for hop in path)


def _agreeing(join: Join) -> str:
    return " and ".join(f"{mine.name} = {join.doc_type}.{theirs.name}" for mine, theirs in join.on)


def _condition(condition: Condition) -> str:
    match condition:
        case Group(every, parts):
            return f"({(' and ' if every else ' or ').join(map(_condition, parts))})"
        case Test():
            source = f"{_path(condition.path)}.{condition.source}" if condition.path else condition.source
            return f"{source} {condition.operator} {', '.join(map(str, condition.values))}"
