"""Settings of the explorer."""

import re
from pathlib import Path
from typing import cast, get_args

from traitlets import Bool, Bunch, Dict, Enum, Float, Integer, List, TraitError, Unicode, default, validate
from traitlets.config import Configurable

from commonshub.core.settings import Commons

from .shrinkage import Bounds
from .tiers import Level, Tiers

LEVELS = list(get_args(Level))


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
        LEVELS,
        default_value="private",
        help="What callers learn of documents that they may not read. private: nothing. regular: counts of groups of "
        "at least tier_access_limit of them. libre: everything.",
    ).tag(config=True)

    tier_access_levels = Dict(
        key_trait=Unicode(),
        value_trait=Enum(LEVELS),
        help="Tiers of single document types, by their names; others have tier_access_level.",
    ).tag(config=True)

    tier_access_limit = Integer(
        1000,
        min=1,
        help="Under regular, the smallest group of documents that a caller may not read of which a count is told.",
    ).tag(config=True)

    tier_access_sensitive_field = Unicode(
        help="Under regular, a field of documents that are not counted, where it is true, for those who may not read "
        "them; empty: none."
    ).tag(config=True)

    tier_access_told_values = List(
        Unicode(),
        help="Under regular, values whose counts are told however small, in any case; Gen3's list is __missing__, "
        "unknown, not reported and no data.",
    ).tag(config=True)

    @property
    def tiers(self) -> Tiers:
        """The tiers, as the explorer understands them."""
        return Tiers(
            cast(Level, self.tier_access_level),
            tuple(sorted(self.tier_access_levels.items())),
            self.tier_access_limit,
            self.tier_access_sensitive_field or None,
            frozenset(value.lower() for value in self.tier_access_told_values),
        )

    debounce_s = Float(2.0, help="A build starts when no submission came for this time, in seconds.").tag(config=True)

    debounce_longest_s = Float(
        30.0, help="A build starts at the latest this time after the first submission, in seconds."
    ).tag(config=True)

    watch_s = Float(10.0, help="How often the mapping file is looked at for changes, in seconds.").tag(config=True)

    kept_runs = Integer(3, min=1, help="Indexes that are kept, the active one included.").tag(config=True)

    most_shrinkage = Float(
        0.5,
        min=0,
        max=1,
        help="The largest part of the documents of one type that a new index may lack; one that lacks more is refused "
        "until somebody says `etl run --accept-fewer`. 1: nothing is refused.",
    ).tag(config=True)

    shrinkage_from = Integer(
        100, min=1, help="Document types that had fewer documents may lose any number of them."
    ).tag(config=True)

    index_engine = Enum(
        ["duckdb", "opensearch"],
        default_value="duckdb",
        help="What answers queries. duckdb: a file for each run, in index_dir. opensearch: indexes in a cluster.",
    ).tag(config=True)

    opensearch_url = Unicode(
        "http://127.0.0.1:9200", help="Address of OpenSearch 2 or newer, with index_engine opensearch."
    ).tag(config=True)

    opensearch_credentials_file = Unicode(
        help="JSON file of `user` and `password` for OpenSearch; empty: it asks for none."
    ).tag(config=True)

    opensearch_ca_file = Unicode(
        help="Certificates of the authorities that OpenSearch's own is checked by; empty: the system's."
    ).tag(config=True)

    opensearch_prefix = Unicode(
        "commonshub",
        help="What the names of the commons' indexes begin with: small letters, digits and underscores.",
    ).tag(config=True)

    @validate("opensearch_prefix")
    def _check_prefix(self, proposal: Bunch) -> str:
        if not re.fullmatch("[a-z0-9][a-z0-9_]*", proposal.value):
            raise TraitError("ExploreSettings.opensearch_prefix may have small letters, digits and underscores only.")
        return str(proposal.value)

    opensearch_shards = Integer(1, min=1, help="Shards of each index; more than one from some millions on.").tag(
        config=True
    )

    opensearch_replicas = Integer(1, min=0, help="Copies of each shard on other nodes.").tag(config=True)

    opensearch_bulk_bytes = Integer(
        8 * 2**20, min=1, help="Documents that are sent to OpenSearch in one request, in bytes."
    ).tag(config=True)

    opensearch_build_timeout_s = Float(
        120.0, help="How long OpenSearch may take for one request of a build, in seconds."
    ).tag(config=True)

    parquet = Bool(
        True,
        help="Whether the documents of each run are stored as Parquet, too, in the upload bucket, for those who may "
        "read all of them.",
    ).tag(config=True)

    parquet_url_ttl_s = Integer(600, min=1, help="Life of the URL of a Parquet file, in seconds.").tag(config=True)

    builder = Enum(
        ["duckdb", "spark"],
        default_value="duckdb",
        help="What makes the documents. duckdb: one process on this machine. spark: a Spark cluster, or Spark on this "
        "machine; needs commonshub[spark] and Java.",
    ).tag(config=True)

    spark_master = Unicode(
        "local[2]",
        help="Where Spark runs: local[CORES], or the URL of a cluster.",
    ).tag(config=True)

    spark_settings = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Spark's own settings, by their names. They show in the list of processes: secrets belong into Spark's "
        "spark-defaults.conf.",
    ).tag(config=True)

    spark_exchange = Enum(
        ["folder", "bucket"],
        help="How the graph goes to Spark and the documents come back, as Parquet. folder: in index_dir, which all its "
        "machines see at the same place. bucket: in the upload bucket, by presigned URLs; its machines need Python of "
        "the commons' version with pyarrow. Default: folder for local[CORES], bucket for a cluster.",
    ).tag(config=True)

    @default("spark_exchange")
    def _default_spark_exchange(self) -> str:
        return "folder" if self.spark_is_here else "bucket"

    spark_url_ttl_s = Integer(
        86_400,
        min=1,
        max=604_800,
        help="Life of the URLs that Spark is given, in seconds: longer than a build. They end with the credentials "
        "that sign them, where these are temporary.",
    ).tag(config=True)

    build_memory_bytes = Integer(
        2**30, help="Memory that DuckDB may take while it builds, and Spark's driver, in bytes."
    ).tag(config=True)

    build_threads = Integer(2, min=1, help="Threads of a build.").tag(config=True)

    query_memory_bytes = Integer(
        256 * 2**20, help="Memory that DuckDB may take while it answers queries, in bytes."
    ).tag(config=True)

    query_threads = Integer(2, min=1, help="Queries that run at the same time.").tag(config=True)

    download_threads = Integer(2, min=1, help="Downloads that are read at the same time; others wait.").tag(config=True)

    downloads_at_once = Integer(
        16, min=1, help="Downloads that are being sent at the same time; more are refused."
    ).tag(config=True)

    max_download_s = Float(3600.0, help="A download that is not read within this time is broken off, in seconds.").tag(
        config=True
    )

    query_cores = Integer(2, min=1, help="Processor cores that one query may use.").tag(config=True)

    cache_bytes = Integer(64 * 2**20, help="Memory for answers that were given before, in bytes.").tag(config=True)

    query_timeout_s = Float(60.0, help="A query that takes longer is given up, in seconds.").tag(config=True)

    allow_refresh = Bool(
        False, help="Whether POST /guppy/_refresh is served, to those with method admin_access of service guppy."
    ).tag(config=True)

    max_query_bytes = Integer(16 * 2**20, help="Largest request body, in bytes.").tag(config=True)

    max_first = Integer(10_000, help="Most rows that one GraphQL field returns; a download has no limit.").tag(
        config=True
    )

    max_buckets = Integer(100_000, help="Most buckets of one histogram.").tag(config=True)

    max_sets = Integer(100, min=0, help="Most saved sets of one user; 0: nobody can save one.").tag(config=True)

    max_set_size = Integer(100_000, min=1, help="Most ids of a saved set; max_buckets holds as well.").tag(config=True)

    @property
    def spark_is_here(self) -> bool:
        """Whether Spark runs on this machine, in a process of the build's own."""
        return re.fullmatch(r"local(\[.*])?", self.spark_master) is not None

    @property
    def shrinkage(self) -> Bounds:
        """How many documents may be gone at once."""
        return Bounds(self.most_shrinkage, self.shrinkage_from)

    @property
    def indexes(self) -> Path:
        """The folder of the index files."""
        return Path(self.index_dir)

    @property
    def mapping(self) -> Path:
        """The mapping file."""
        return Path(self.mapping_file)
