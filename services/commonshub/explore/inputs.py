"""What the documents of each type are made of, so that a build can take over those of which nothing has changed.

Vocabulary
----------
mark
    A text that changes whenever its subject may have: of a table of the graph, or of the documents of a type.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from commonshub.core.dictionary import Link
from commonshub.core.graph import edge_table, node_table

from .plan import LAYOUT, Aggregator, Collector, Condition, Document, Flatten, Group, Hop, Nested, Plan, Reduce

_PACKAGES = ("commonshub", "duckdb")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a document type reads of the graph."""

    nodes: frozenset[str]
    links: frozenset[Link]

    @property
    def tables(self) -> list[str]:
        """The tables of these."""
        return sorted([*map(node_table, self.nodes), *map(edge_table, self.links)])


def inputs(documents: Iterable[Document], program: Link) -> Inputs:
    """What these documents read, but for what they take from others; programs and projects give each its path."""
    nodes, links = set[str](), {program}
    for document in documents:
        if isinstance(document, Collector):
            nodes |= {leaf for leaf, _ in document.leaves} | {node for node, _ in document.inject}
            links |= set(document.links)
        else:
            nodes.add(document.root)
            links |= {hop.link for hop in _hops(document)}
    return Inputs(frozenset(nodes | {end for link in links for end in (link.source, link.target)}), frozenset(links))


def _hops(document: Aggregator) -> Iterator[Hop]:
    blocks: tuple[Flatten | Reduce, ...] = (*document.flatten, *document.reduce)
    for block in blocks:
        yield from block.path
    yield from _of_condition(document.condition)
    for nested in document.nested:
        yield from _of_nested(nested)


def _of_nested(nested: Nested) -> Iterator[Hop]:
    yield from nested.path
    yield from _of_condition(nested.condition)
    for inner in nested.nested:
        yield from _of_nested(inner)


def _of_condition(condition: Condition | None) -> Iterator[Hop]:
    if isinstance(condition, Group):
        for part in condition.parts:
            yield from _of_condition(part)
    elif condition is not None:
        yield from condition.path


def joined(document: Document) -> set[str]:
    """The document types that it takes fields from."""
    return {join.doc_type for join in document.joins} if isinstance(document, Aggregator) else set()


def marks(plan: Plan, tables: Mapping[str, str]) -> dict[str, str]:
    """The mark of each document type.

    Parameters
    ----------
    tables
        Marks of the tables of the graph; one that is not there has none.
    """
    releases = [LAYOUT, *map(version, _PACKAGES)]
    own = {}
    for document in plan.documents:
        needed = inputs([document], plan.program)
        fields = [(node, plan.nodes[node]) for node in sorted(needed.nodes)]
        own[document.doc_type.name] = [
            document,
            plan.program,
            fields,
            [(name, tables.get(name)) for name in needed.tables],
        ]
    return {
        document.doc_type.name: _digest(
            [*releases, own[document.doc_type.name], *(own[name] for name in sorted(joined(document)))]
        )
        for document in plan.documents
    }


def _digest(what: object) -> str:
    # Plans are dataclasses of tuples and texts, whose forms in Python tell all of them, and always in one order.
    return hashlib.sha256(repr(what).encode()).hexdigest()


@dataclass(frozen=True)
class Job:
    """What a build has to do.

    Parameters
    ----------
    plan
        Of the whole index.
    marks
        Of each document type.
    earlier
        An index file with documents that are taken over.
    kept
        The document types that are.
    """

    plan: Plan
    marks: Mapping[str, str]
    earlier: Path | None = None
    kept: frozenset[str] = frozenset()

    @cached_property
    def made(self) -> Plan:
        """The part of the plan that makes the other document types, and what it reads."""
        made = tuple(document for document in self.plan.documents if document.doc_type.name not in self.kept)
        needed = inputs(made, self.plan.program)
        nodes = {node: fields for node, fields in self.plan.nodes.items() if node in needed.nodes}
        links = tuple(link for link in self.plan.links if link in needed.links)
        return replace(self.plan, documents=made, nodes=nodes, links=links)


def job(
    plan: Plan, tables: Mapping[str, str], earlier: Path | None = None, known: Mapping[str, str] | None = None
) -> Job:
    """What to do for `plan`, where the tables of the graph have these marks.

    Parameters
    ----------
    earlier, known
        An index file, and the marks of its documents.
    """
    found = marks(plan, tables)
    kept = frozenset(name for name, mark in found.items() if (known or {}).get(name) == mark)
    return Job(plan, found, earlier if kept else None, kept)
