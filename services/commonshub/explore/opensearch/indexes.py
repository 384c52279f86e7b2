"""The indexes of a commons in a cluster of OpenSearch."""

from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path

from commonshub.core.errors import Unavailable

from ..extract import Progress
from ..settings import ExploreSettings
from .client import Client
from .layout import alias_of, facts_of, index_of, run_of
from .read import FACTS, OpenSearchReader
from .write import Writer


class OpenSearchIndexes:
    """See :class:`commonshub.explore.indexes.Indexes`."""

    def __init__(self, settings: ExploreSettings) -> None:
        self.settings = settings
        self.prefix = settings.opensearch_prefix

    def _client(self, timeout_s: float) -> Client:
        settings = self.settings
        return Client(
            settings.opensearch_url, timeout_s, settings.opensearch_credentials_file, settings.opensearch_ca_file,
            settings.query_threads + settings.download_threads,
        )  # fmt: skip

    @cached_property
    def _administration(self) -> Client:
        return self._client(self.settings.opensearch_build_timeout_s)

    def open(self, run: int) -> OpenSearchReader:
        """The index of a run, to be asked."""
        return OpenSearchReader(
            self._client(self.settings.query_timeout_s), self.prefix, run, self.settings.max_buckets
        )  # fmt: skip

    def has(self, run: int) -> bool:
        """Whether the facts of a run are there, which are written last."""
        return self._administration.ask("GET", f"/{facts_of(self.prefix, run)}/_doc/{FACTS}?_source=false") is not None

    def take(self, run: int, file: Path, progress: Progress) -> None:
        """Copy the documents of a file."""
        from ..duck.documents import documents
        from ..duck.indexes import DuckIndexes

        reader = DuckIndexes(self.settings).read(file)
        doc_types = reader.run.doc_types
        reader.close()
        settings = self.settings
        writer = Writer(
            self._administration, self.prefix, run, settings.opensearch_bulk_bytes,
            settings.opensearch_shards, settings.opensearch_replicas, progress,
        )  # fmt: skip
        # No other run has its number, unless the database began anew and the cluster did not.
        self._drop(lambda each: each == run)
        with ExitStack() as unless_whole:
            unless_whole.callback(self._clear, run)
            writer.write(doc_types.values(), {name: documents(file, each) for name, each in doc_types.items()})
            unless_whole.pop_all()

    def point(self, active: int) -> None:
        """Let the aliases lead to the indexes of a run, all of them in one step."""
        facts = self._administration.need("GET", f"/{facts_of(self.prefix, active)}/_doc/{FACTS}?_source=catalog")[
            "_source"
        ]
        names = [each["name"] for each in facts["catalog"]]
        wanted = {alias_of(self.prefix, name): index_of(self.prefix, name, active) for name in names}
        held = self._administration.need("GET", f"/{self.prefix}-*/_alias")
        actions = [
            {"remove": {"index": index, "alias": alias}}
            for index, each in held.items()
            for alias in each["aliases"]
            if run_of(self.prefix, index) is not None and wanted.get(alias) != index
        ]
        actions += [{"add": {"index": index, "alias": alias}} for alias, index in wanted.items()]
        self._administration.need("POST", "/_aliases", {"actions": actions})

    def keep(self, runs: Collection[int]) -> None:
        """Drop the indexes of all other runs."""
        self._drop(lambda run: run not in runs)

    def _clear(self, run: int) -> None:
        """Drop what there is of a run that something else has broken off, which is what its caller hears of."""
        with suppress(Unavailable):
            self._drop(lambda each: each == run)

    def _drop(self, unwanted: Callable[[int], bool]) -> None:
        held = self._administration.need("GET", f"/{self.prefix}-*/_alias")
        for index in held:
            run = run_of(self.prefix, index)
            if run is not None and unwanted(run):
                self._administration.ask("DELETE", f"/{index}")
