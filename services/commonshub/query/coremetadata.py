"""What a file is, for a page about it and for who cites it: its own properties and those of its core metadata.

Both are asked for by GraphQL, as any client would, so that nothing is found but what the caller may read. Fields and
forms are Peregrine's.
"""

import re
from collections.abc import Mapping
from typing import Any

from commonshub.core.dictionary import Dictionary, NodeType

from .fields import INTERFACE_FIELDS

FILE_FIELDS = (
    *("type", "file_name", "data_format", "file_size"),
    *("project_id", "object_id", "updated_datetime", "md5sum"),
)
"""What is told of the file itself."""

COLLECTION_FIELDS = (
    *("title", "description", "creator", "contributor", "coverage"),
    *("language", "publisher", "rights", "source", "subject"),
)
"""What is told of it by the record of :data:`COLLECTION` that it is linked to."""

COLLECTION = "core_metadata_collection"

Fields = Mapping[str, Any]

_CITED = ("title", "updated_datetime")
_NO_KEY = re.compile(r"[^\w.:/+-]")
_SPECIAL = re.compile(r'[\\{}"]')


def query(dictionary: Dictionary) -> str | None:
    """The query for the file of an object id, whatever its node type; None where files have no object ids."""
    files = [node for node in dictionary.nodes.values() if node.is_file and "object_id" in node.properties]
    asked = (f"{node.id}(object_id: $id, first: 1) {{ {_fields(dictionary, node)} }}" for node in files)
    return f"query ($id: [String]) {{ {' '.join(asked)} }}" if files else None


def _fields(dictionary: Dictionary, node: NodeType) -> str:
    asked = [each for each in FILE_FIELDS if each in node.properties or each in INTERFACE_FIELDS]
    for link in node.links:
        if link.target == COLLECTION and COLLECTION in dictionary.nodes:
            held = dictionary.nodes[COLLECTION].properties
            told = [each for each in COLLECTION_FIELDS if each in held]
            asked.append(f"described: {link.name}(first: 1) {{ {' '.join(told or ['id'])} }}")
            break
    return " ".join(asked)


def merged(file: Fields) -> dict[str, Any]:
    """The properties of a file and of what describes it in one; null where there is no value."""
    described: Fields = next(iter(file.get("described") or ()), {})
    of_collection = {key: described[key] for key in COLLECTION_FIELDS if key in described}
    return of_collection | {key: file.get(key) for key in FILE_FIELDS}


def citation(found: Fields) -> str:
    """``creator, year: title. publisher, object id.``, of what there is."""
    creator, moment, title, publisher = map(found.get, ("creator", "updated_datetime", "title", "publisher"))
    text = f"{creator}, " if creator else ""
    text += f"{moment.partition('-')[0]}: " if moment else ""
    text += f"{title}. " if title else ""
    text += f"{publisher}, " if publisher else ""
    return f"{text}{found['object_id']}."


def shown(found: Fields) -> dict[str, Any]:
    """All of it, with a citation in place of what is only there for that."""
    return {key: value for key, value in found.items() if key not in _CITED} | {"citation": citation(found)}


def bibtex(found: Fields) -> str:
    """An entry of a bibliography."""
    told = {key: _SPECIAL.sub(_braced, str(value)) for key, value in shown(found).items() if value is not None}
    fields = ", ".join(f'{key} = "{value}"' for key, value in told.items())
    return f"@misc {{{_NO_KEY.sub('_', found['object_id'])}, {fields}}}"


def _braced(special: re.Match[str]) -> str:
    """A sign that would end a value or a part of it, as one of the text."""
    return {'"': '{"}', "\\": "{\\textbackslash}"}.get(special[0], f"\\{special[0]}")


def schemaorg(found: Fields, address: str) -> dict[str, Any]:
    """A ``Dataset`` of schema.org, which search engines read.

    Parameters
    ----------
    address
        Where the object is found.
    """
    identifiers = {"dataguid": found["object_id"], "md5": found["md5sum"]}
    told = {
        "publisher": found.get("publisher") and {"@type": "Organization", "name": found["publisher"]},
        "author": found.get("creator") and {"name": found["creator"]},
        "description": found.get("description"),
        "additionalType": found["type"],
        "name": found["file_name"],
        "datePublished": found["updated_datetime"],
    }
    return {
        "@context": "http://schema.org",
        "@type": "Dataset",
        "@id": address,
        "identifier": [
            {"@type": "PropertyValue", "propertyID": key, "value": value} for key, value in identifiers.items() if value
        ],
        **{key: value for key, value in told.items() if value},
    }
