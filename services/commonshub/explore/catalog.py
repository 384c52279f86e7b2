"""What an index holds: document types, their fields, and which of them are lists.

Vocabulary
----------
document type
    One table of documents, for example all cases; its name is the root field of GraphQL.
field
    A named value of a document: text, number or truth value, or a list of one of these. Whether it is a list is a
    property of the mapping, never of the data.
nest
    A list of objects inside a document (Tube's ``nested_props``); nests can hold nests.
path
    Where a field is: the names of the nests it lies in, then its own, joined by dots (``diagnoses.tumor_stage``).

The catalogue is written into the index by the build and read back by the service, so that the two always agree.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["string", "integer", "number", "boolean"]

PROJECT_FIELD = "project_id"
AUTH_FIELD = "auth_resource_path"
MISSING = "no data"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a document or of an element of a nest.

    Parameters
    ----------
    distinct
        Whether a list has each of its values once, so that its elements can be counted as they are.
    """

    name: str
    kind: Kind
    array: bool = False
    distinct: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it compares as a number; truth values are the texts ``true`` and ``false``."""
        return self.kind in ("integer", "number")


@dataclass(frozen=True, slots=True)
class Nest:
    """A list of objects inside a document."""

    name: str
    fields: tuple[Field, ...]
    nests: tuple["Nest", ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of its fields, then of its nests."""
        return *(field.name for field in self.fields), *(nest.name for nest in self.nests)

    def field(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return next((field for field in self.fields if field.name == name), None)

    def nest(self, name: str) -> "Nest | None":
        """The nest of that name, or None."""
        return next((nest for nest in self.nests if nest.name == name), None)


@dataclass(frozen=True, slots=True)
class DocType(Nest):
    """A document type: fields and nests at the top, and the name of the index that Gen3 knows it by."""

    index: str = ""

    def __hash__(self) -> int:
        # Questions are looked up by their document type, and an index has no two of one name.
        return hash(self.name)

    @property
    def key(self) -> str:
        """The field that identifies a document."""
        return f"_{self.name}_id"

    def inside(self, path: Iterable[str]) -> Nest | None:
        """The nest at `path` (the document itself for an empty one), or None."""
        found: Nest | None = self
        for name in path:
            found = found.nest(name) if found else None
        return found

    def find(self, path: str) -> "Place | None":
        """The field at a dotted path, or None."""
        *nests, name = path.split(".")
        holder = self.inside(nests)
        field = holder.field(name) if holder else None
        return Place(tuple(nests), field) if field else None

    def places(self) -> Iterator["Place"]:
        """All fields with where they are, depth first."""
        yield from _places(self, ())


@dataclass(frozen=True, slots=True)
class Place:
    """A field and the nests that it lies in."""

    nests: tuple[str, ...]
    field: Field

    @property
    def path(self) -> str:
        """The dotted path."""
        return ".".join((*self.nests, self.field.name))


def _places(nest: Nest, above: tuple[str, ...]) -> Iterator[Place]:
    for field in nest.fields:
        yield Place(above, field)
    for child in nest.nests:
        yield from _places(child, (*above, child.name))


def table_of(doc_type: str, nests: Iterable[str] = ()) -> str:
    """Name of the table of a document type, or of one of its nests."""
    return ".".join((doc_type, *nests))


def dump(doc_types: Iterable[DocType]) -> list[dict[str, Any]]:
    """The catalogue as JSON values."""
    return [{"index": each.index, **_dump(each)} for each in doc_types]


def _dump(nest: Nest) -> dict[str, Any]:
    return {
        "name": nest.name,
        "fields": [asdict(field) for field in nest.fields],
        "nests": [_dump(child) for child in nest.nests],
    }


def load(document: Iterable[Mapping[str, Any]]) -> dict[str, DocType]:
    """Read what :func:`dump` gave."""
    found = {}
    for each in document:
        nest = _load(each)
        found[nest.name] = DocType(nest.name, nest.fields, nest.nests, index=each["index"])
    return found


def _load(document: Mapping[str, Any]) -> Nest:
    fields = tuple(
        Field(each["name"], each["kind"], each["array"], each.get("distinct", False)) for each in document["fields"]
    )
    return Nest(document["name"], fields, tuple(_load(each) for each in document["nests"]))
