"""Settings of the explorer."""

from pathlib import Path

from traitlets import Enum, Float, Integer, TraitError, Unicode, default, validate
from traitlets.config import Configurable

from commonshub.core.settings import Commons


class ExploreSettings(Configurable):
    """How the explorer's index is built and read."""

    mapping_file = Unicode(
        help="The mapping from graph to documents; default: etlMapping.yaml in the data folder."
    ).tag(config=True)

    @default("mapping_file")
    def _default_mapping_file(self) -> str:
        return str(Commons(parent=self.parent).path / "etlMapping.yaml")

    index_dir = Unicode(help="Folder of the index files; default: explore in the data folder.").tag(config=True)

    @default("index_dir")
    def _default_index_dir(self) -> str:
        return str(Commons(parent=self.parent).path / "explore")

    tier_access_level = Enum(
        ["private", "regular", "libre"],
        default_value="private",
        help="What callers learn of documents that they may not read. private: nothing, not even counts. "
        "regular and libre are Gen3's other levels; they are not supported yet.",
    ).tag(config=True)

    @validate("tier_access_level")
    def _only_private(self, proposal: dict[str, str]) -> str:
        if proposal["value"] != "private":
            raise TraitError(
                f"ExploreSettings.tier_access_level={proposal['value']!r} is not supported yet: use private."
            )
        return proposal["value"]

    debounce_s = Float(2.0, help="A build starts when no submission came for this time, in seconds.").tag(config=True)

    debounce_longest_s = Float(
        30.0, help="A build starts at the latest this time after the first submission, in seconds."
    ).tag(config=True)

    watch_s = Float(10.0, help="How often the mapping file is looked at for changes, in seconds.").tag(config=True)

    kept_runs = Integer(3, min=1, help="Indexes that are kept, the active one included.").tag(config=True)

    build_memory_bytes = Integer(2**30, help="Memory that DuckDB may take while it builds, in bytes.").tag(config=True)

    build_threads = Integer(2, min=1, help="Threads of a build.").tag(config=True)

    query_memory_bytes = Integer(
        256 * 2**20, help="Memory that DuckDB may take while it answers queries, in bytes."
    ).tag(config=True)

    query_threads = Integer(2, min=1, help="Queries that run at the same time.").tag(config=True)

    query_timeout_s = Float(60.0, help="A query that takes longer is given up, in seconds.").tag(config=True)

    max_query_bytes = Integer(16 * 2**20, help="Largest request body, in bytes.").tag(config=True)

    max_first = Integer(10_000, help="Most rows that one GraphQL field returns; a download has no limit.").tag(
        config=True
    )

    max_buckets = Integer(100_000, help="Most buckets of one histogram.").tag(config=True)

    @property
    def indexes(self) -> Path:
        """The folder of the index files."""
        return Path(self.index_dir)

    @property
    def mapping(self) -> Path:
        """The mapping file."""
        return Path(self.mapping_file)
