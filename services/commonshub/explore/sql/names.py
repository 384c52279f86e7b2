"""Names of tables and columns in SQL."""

from commonshub.core.dictionary import Link
from commonshub.core.graph import edge_table, node_table


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def node(node_id: str) -> str:
    """The table of a node type: ``_id``, then a column for each property."""
    return quote(node_table(node_id))


def edge(link: Link) -> str:
    """The table of a link: ``src`` child, ``dst`` parent."""
    return quote(edge_table(link))
