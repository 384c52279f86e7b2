"""Writing the documents of a run to OpenSearch.

They go there as they are read, some megabytes a request, and one process holds only these. What is refused is told by
the document's key. The facts of the run are written when all the rest is there and has been counted.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from commonshub.core.errors import CommonsError, Unavailable, UpstreamError

from ..catalog import AUTH_FIELD, DocType, dump
from ..extract import Progress
from .client import Client, Document
from .layout import MAX_TERMS, facts_of, index_of, mapping_of, stored
from .read import FACTS

MAX_FIELDS = 100_000
MAX_ELEMENTS = 10_000_000
_TOLD = 5
_ATTEMPTS = 6
_FIRST_WAIT_S = 0.5


class Writer:
    """Writes one run.

    Parameters
    ----------
    bulk_bytes
        How much goes into one request.
    shards, replicas
        Of each index.
    """

    def __init__(
        self, client: Client, prefix: str, run: int, bulk_bytes: int, shards: int, replicas: int, progress: Progress
    ) -> None:
        self.client = client
        self.prefix = prefix
        self.run = run
        self.bulk_bytes = bulk_bytes
        self.progress = progress
        self._settings = {
            "number_of_shards": shards, "number_of_replicas": replicas, "refresh_interval": -1,
            "max_terms_count": MAX_TERMS, "mapping.total_fields.limit": MAX_FIELDS,
            "mapping.nested_fields.limit": MAX_FIELDS, "mapping.nested_objects.limit": MAX_ELEMENTS,
        }  # fmt: skip
        self._paths: set[str] = set()

    def write(self, doc_types: Iterable[DocType], documents: Mapping[str, Iterable[list[Document]]]) -> dict[str, int]:
        """Write all documents, and then the facts of the run.

        Parameters
        ----------
        documents
            By document type, a chunk at a time, in their order.

        Returns
        -------
        dict
            Number of documents by document type.

        Raises
        ------
        UpstreamError
            OpenSearch refuses documents, or has lost some.
        Unavailable
            It does not answer.
        """
        doc_types = list(doc_types)
        counts = {}
        for number, doc_type in enumerate(doc_types):
            self.progress("indexing", number, len(doc_types))
            counts[doc_type.name] = self._write(doc_type, documents[doc_type.name])
        facts = {"catalog": dump(doc_types), "counts": counts, "paths": sorted(self._paths)}
        self._create(facts_of(self.prefix, self.run), {"enabled": False})
        self.client.need("PUT", f"/{facts_of(self.prefix, self.run)}/_doc/{FACTS}?refresh=true", facts)
        return counts

    def _create(self, index: str, mapping: Document) -> None:
        self.client.need("PUT", f"/{index}", {"settings": {"index": self._settings}, "mappings": mapping})

    def _write(self, doc_type: DocType, chunks: Iterable[list[Document]]) -> int:
        index = index_of(self.prefix, doc_type.name, self.run)
        self._create(index, mapping_of(doc_type))
        sent = 0
        for lines, keys in self._bulks(doc_type, chunks):
            self._send(index, lines, keys)
            sent += len(keys)
        self.client.need("POST", f"/{index}/_refresh")
        found: int = self.client.need("GET", f"/{index}/_count")["count"]
        if found != sent:
            raise UpstreamError(f"OpenSearch has {found} of {sent} documents of {doc_type.name}.")
        return sent

    def _bulks(self, doc_type: DocType, chunks: Iterable[list[Document]]) -> Iterator[tuple[bytes, list[str]]]:
        """Lines of some megabytes, and the keys of their documents."""
        make = stored(doc_type)
        lines: list[bytes] = []
        keys: list[str] = []
        size = 0
        number = 0
        for chunk in chunks:
            for row in chunk:
                if (path := row[AUTH_FIELD]) is not None:
                    self._paths.add(path)
                line = b'{"index":{"_id":"%d"}}\n%b\n' % (number, orjson.dumps(make(number, row)))
                if lines and size + len(line) > self.bulk_bytes:
                    yield b"".join(lines), keys
                    lines, keys, size = [], [], 0
                lines.append(line)
                keys.append(str(row.get(doc_type.key, number)))
                size += len(line)
                number += 1
        if lines:
            yield b"".join(lines), keys

    def _send(self, index: str, lines: bytes, keys: list[str]) -> None:
        """One request; sent again, which changes nothing, while OpenSearch is too busy for some of it."""
        wait_s = _FIRST_WAIT_S
        for left in range(_ATTEMPTS, 0, -1):
            try:
                answer = self.client.need("POST", f"/{index}/_bulk", lines)
            except Unavailable:
                if left == 1:
                    raise
            else:
                refused = [(key, item["index"]) for key, item in zip(keys, answer["items"], strict=True)
                           if "error" in item["index"]]  # fmt: skip
                if not all(item["status"] == 429 for _, item in refused):
                    raise _refusal(index, [(key, item) for key, item in refused if item["status"] != 429])
                if not refused:
                    return
            time.sleep(wait_s)
            wait_s *= 2
        raise Unavailable("OpenSearch is too busy for the documents of the explorer; the next run tries again.")


def _refusal(index: str, refused: list[tuple[str, Document]]) -> CommonsError:
    told = "; ".join(f"{key}: {_reason(item['error'])}" for key, item in refused[:_TOLD])
    more = f" and {len(refused) - _TOLD} more" if len(refused) > _TOLD else ""
    return UpstreamError(f"OpenSearch refused documents of {index}: {told}{more}.")


def _reason(error: Any) -> str:
    cause = error.get("caused_by") or {}
    return f"{error.get('reason')} {cause.get('reason', '')}".strip()[:300]
