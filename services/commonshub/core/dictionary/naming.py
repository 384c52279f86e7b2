"""Names of tables and indexes, as psqlgraph and gen3datamodel make them from a dictionary."""

import hashlib

from .model import Link

_MAX_NAME_CHARS = 40


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]


def _initials(name: str, per_word: int, limit: int) -> str:
    return "".join(word[:per_word] for word in name.split("_"))[:limit]


def node_table(node_id: str) -> str:
    """Name of a node type's table."""
    return "node_" + node_id.replace("_", "").lower()


def edge_table(link: Link) -> str:
    """Name of a link's table; long names are shortened behind a digest of the whole."""
    name = "edge_" + (link.source + link.label + link.target).replace("_", "").lower()
    if len(name) <= _MAX_NAME_CHARS:
        return name
    short = _initials(link.source, 2, 10) + _initials(link.label, 2, 7) + _initials(link.target, 2, 10)
    return f"edge_{_digest(name)}_{short}".lower()


def index_name(node_id: str, description: str) -> str:
    """Name of an index on a node type's properties."""
    table = node_table(node_id)
    name = f"index_{table}_{description}"
    if len(name) <= _MAX_NAME_CHARS:
        return name
    short = "_".join(word[:8] for word in description.split("_"))[:25]
    return f"index_{_digest(table)}_{_initials(node_id, 4, 20)}_{short}"
