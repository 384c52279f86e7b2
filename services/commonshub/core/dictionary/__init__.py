"""The data dictionary: what kinds of records a commons holds, and how they hang together.

Vocabulary
----------
node type
    One kind of record (``case``, ``sample``), given by one JSON Schema with a few keys of its own.
link
    An edge from a child's type to its parent's; ``name`` is the child's property, ``backref`` the parent's.
link group
    Links of which at least one must (``required``), or at most one may (``exclusive``), be filled.
source
    Where a dictionary is read from: a folder of YAML files, or one JSON object ``{"<file name>.yaml": content}``.
reference
    A key that starts with ``$ref``, whose value ``file.yaml#/path`` names another part of the dictionary.

:func:`load` reads, checks and resolves; what it returns is immutable and can be shared by everybody.
"""

from .compile import compiled, load
from .model import Dictionary, Link, LinkGroup, NodeType, Property
from .nullable import validation_schema
from .source import Source

__all__ = ["Dictionary", "Link", "LinkGroup", "NodeType", "Property", "Source", "compiled", "load", "validation_schema"]
