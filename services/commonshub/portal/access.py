"""A user's rights, as the profile page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SERVICES = {
    "peregrine": "graph queries",
    "sheepdog": "records",
    "guppy": "explorer",
    "fence": "files",
    "indexd": "index",
    "jupyterhub": "workspaces",
    "*": "everything",
}
METHODS = {
    "read": "read",
    "read-storage": "download",
    "write-storage": "upload to",
    "file_upload": "upload new",
    "access": "use",
    "*": "do anything",
}


@dataclass(frozen=True)
class Grant:
    """What may be done at one resource path and below it."""

    path: str
    rights: tuple[tuple[str, tuple[str, ...]], ...]


def grants_of(mapping: Mapping[str, Any]) -> list[Grant]:
    """The rows of the access table, from Arborist's mapping of paths to services and methods.

    A path whose rights are no more than those of a path above it is left out: it adds nothing.
    """
    pairs = {
        path: frozenset((str(each["service"]), str(each["method"])) for each in rights)
        for path, rights in mapping.items()
    }
    kept = [path for path in sorted(pairs) if not any(pairs[path] <= pairs[above] for above in _above(path, pairs))]
    return [Grant(path, _by_service(sorted(pairs[path]))) for path in kept]


def _above(path: str, known: Mapping[str, Any]) -> list[str]:
    segments = path.split("/")
    return [above for depth in range(2, len(segments)) if (above := "/".join(segments[:depth])) in known]


def _by_service(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    services = dict.fromkeys(service for service, _ in pairs)
    return tuple(
        (SERVICES.get(name, name), tuple(METHODS.get(method, method) for service, method in pairs if service == name))
        for name in services
    )
