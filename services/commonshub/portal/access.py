"""A user's rights, as the profile page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Pair = tuple[str, str]
ANY = "*"

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

    What a wider right covers, at the same path or above it, adds nothing and is left out.
    """
    pairs = {
        path: frozenset((str(each["service"]), str(each["method"])) for each in rights)
        for path, rights in mapping.items()
    }
    rows = []
    for path in sorted(pairs):
        higher = frozenset(pair for above in _above(path, pairs) for pair in pairs[above])
        kept = [pair for pair in sorted(pairs[path]) if not _covered(pair, higher, pairs[path])]
        if kept:
            rows.append(Grant(path, _by_service(kept)))
    return rows


def _covered(pair: Pair, higher: frozenset[Pair], beside: frozenset[Pair]) -> bool:
    wider = {(service, method) for service in (pair[0], ANY) for method in (pair[1], ANY)}
    return bool(wider & higher or (wider - {pair}) & beside)


def _above(path: str, known: Mapping[str, Any]) -> list[str]:
    segments = path.split("/")
    return [above for depth in range(2, len(segments)) if (above := "/".join(segments[:depth])) in known]


def _by_service(pairs: Sequence[Pair]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    services = dict.fromkeys(service for service, _ in pairs)
    return tuple(
        (SERVICES.get(name, name), tuple(METHODS.get(method, method) for service, method in pairs if service == name))
        for name in services
    )
