"""A build by Spark: the same index as one by DuckDB, and the old one where it fails."""

import io
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from tests.opensearch import Node
from tests.waiting import eventually

from commonshub.core.errors import Unavailable
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Location, Storage
from commonshub.explore.duck.dialect import DuckDialect
from commonshub.explore.settings import ExploreSettings
from commonshub.explore.spark.dialect import SparkDialect
from commonshub.explore.spark.exchange import ON_ITS_WAY, exchange
from commonshub.explore.spark.session import session

from .builds import Builds
from .conftest import SMALL, Explorer

TYPES = ("case", "file", "project", "tumor")
CLUSTER = {
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": SMALL["spark.driver.extraJavaOptions"],
}  # fmt: skip
FEW = """\
mappings:
- {name: few_cases, doc_type: case, type: aggregator, root: case, props: [{name: submitter_id}]}
- {name: few_samples, doc_type: sample, type: aggregator, root: sample, props: [{name: submitter_id}]}
"""
SEEN = '{ case(filter: {eq: {submitter_id: "c1"}}) { submitter_id samples { aliquots { radius } } } }'


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0.0", "1.0", "-2.5", "12345678.0", "123456789012345.6", "9999999999999998.0"], "double"),
        (["1e16", "1e20", "-1.5e300"], "double"),
        (["0.1", "0.30000000000000004", "0.001", "0.0001", "0.00012345678901234567"], "double"),
        (["0.00001", "-1.25e-7", "2.5e-300"], "double"),
        (["0", "-7", "9223372036854775807"], "bigint"),
        (["'a'", "'it''s'", "'1.50'"], "string"),
    ],
)  # fmt: skip
def test_values_are_the_same_texts(spark: ExploreSettings, tmp_path: Path, values: list[str], kind: str) -> None:
    expected = [
        duckdb.sql(f"select {DuckDialect().text('x')} from (select {value}::{kind} as x)").fetchall()
        for value in values
    ]
    with session(spark, tmp_path) as running:
        rows = " union all ".join(f"select {n} as n, ({value})::{kind} as x" for n, value in enumerate(values))
        found = running.sql(f"select {SparkDialect().text('x')} from ({rows}) order by n").collect()
    assert [[tuple(row)] for row in found] == expected


@pytest.mark.parametrize("text", ["", "it's", '"', "\\", "\\'", "'' \\n", "%_\\%", "é\n\t"])
def test_a_text_of_a_mapping_stays_a_text(spark: ExploreSettings, tmp_path: Path, text: str) -> None:
    with session(spark, tmp_path) as running:
        assert running.sql(f"select {SparkDialect().literal(text)}").collect()[0][0] == text


def test_whole_numbers_are_added_without_a_limit(spark: ExploreSettings, tmp_path: Path) -> None:
    with session(spark, tmp_path) as running:
        small, large = "values (9007199254740993L), (-9007199254740992L)", "values (9223372036854775807L), (1L)"
        (exact,), (rounded,) = (
            running.sql(f"select {SparkDialect().total('x')} from ({each} as t(x))").collect()[0]
            for each in (small, large)
        )
    assert (exact, rounded) == (1.0, 2.0**63)


@pytest.fixture
def builds(explorer: Explorer, database_url: str) -> Builds:
    explorer.query(SEEN)
    return Builds(explorer, database_url)


@pytest.fixture
def by_spark(builds: Builds, spark: ExploreSettings) -> ExploreSettings:
    """The service's index, built by Spark."""
    return ExploreSettings(spark_settings=spark.spark_settings, **chosen(builds))


@pytest.fixture
def storage(s3: dict[str, Any]) -> Storage:
    return Storage(StorageSettings(**s3))


def chosen(builds: Builds) -> dict[str, Any]:
    own = builds.app.settings
    return {"builder": "spark", "parquet": False, "mapping_file": own.mapping_file, "index_dir": own.index_dir}


def on_their_way(storage: Storage) -> list[str]:
    """What a build has in the bucket for Spark, and Spark for the build."""
    found = [listed.location.key for page in storage.listing("commons", prefix=ON_ITS_WAY) for listed in page]
    return [key.removeprefix(ON_ITS_WAY) for key in found]


def tables(index: Path, folder: Path) -> dict[str, list[Any]]:
    """All of an index, but for its number and when it was built; it may be open in the service."""
    with duckdb.connect(str(shutil.copy(index, folder)), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        found = {name: connection.execute(f'from "{name}" order by all').fetchall() for name in names}
    return {**found, "_run": [[row[1], *row[3:]] for row in found["_run"]]}


def test_the_service_answers_from_the_same_index(builds: Builds, by_spark: ExploreSettings, tmp_path: Path) -> None:
    before = builds.explorer.query(SEEN)
    same_as_by_duckdb(builds, by_spark, tmp_path)
    eventually(lambda: builds.app.active.id == builds.newest().id, 30)
    assert builds.explorer.query(SEEN) == before


def same_as_by_duckdb(builds: Builds, settings: ExploreSettings, tmp_path: Path, **chosen: Any) -> None:
    folder = Path(builds.app.settings.index_dir)
    runs = [builds.run().run, builds.run(settings=settings, **chosen).run]
    made = [tables(folder / f"{run}.duckdb", tmp_path) for run in runs]
    assert {"case", "case.samples", "case.samples.aliquots", "tumor.pieces"} < made[0].keys()
    assert made[0] == made[1]


def test_opensearch_takes_the_same_documents(builds: Builds, by_spark: ExploreSettings, opensearch: Node) -> None:
    index, found = opensearch.settings(), []
    for builder in ("duckdb", "spark"):
        own = {**chosen(builds), "builder": builder, "spark_settings": by_spark.spark_settings}
        run = builds.run(settings=ExploreSettings(**own, **index)).run
        url = f"{opensearch.url}/{index['opensearch_prefix']}-{{}}-{run}/_search"
        asked = {name: requests.get(url.format(name), {"size": "100"}, timeout=30).json() for name in TYPES}
        found.append(
            {name: {hit["_id"]: hit["_source"] for hit in each["hits"]["hits"]} for name, each in asked.items()}
        )
    assert all(found[0].values())
    assert found[0] == found[1]


# Two more Javas start, and wait for each other where others have the processors.
@pytest.mark.timeout(900)
def test_a_build_by_a_cluster_that_is_killed_leaves_the_index_and_the_next_one_nothing_of_it(
    builds: Builds, by_spark: ExploreSettings, s3: dict[str, Any], storage: Storage, tmp_path: Path
) -> None:
    """The cluster's machines are processes of their own. What goes to them, and comes back, is in the bucket."""
    (tmp_path / "few.yaml").write_text(FEW)
    cluster = {"spark_master": "local-cluster[1,1,512]", "spark_settings": {**by_spark.spark_settings, **CLUSTER}}
    done = builds.befall(
        "computing", storage=s3, builder="spark", mapping_file=str(tmp_path / "few.yaml"), **cluster
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    killed = builds.newest()
    assert killed.state == "building"
    left = on_their_way(storage)
    assert f"{killed.id}/node_case/0.parquet" in left
    assert any(key.startswith(f"{killed.id}/documents of ") for key in left)
    assert builds.explorer.query(SEEN)["case"]
    eventually(lambda: not spark_processes(builds.app.settings.index_dir), 30)
    builds.mended()
    by_spark.spark_exchange = "bucket"
    same_as_by_duckdb(builds, by_spark, tmp_path, storage=storage)
    assert on_their_way(storage) == []


def test_a_cluster_needs_a_bucket(builds: Builds, by_spark: ExploreSettings) -> None:
    by_spark.spark_master = "spark://example.org:7077"
    with pytest.raises(Unavailable, match="no upload bucket"):
        builds.run(settings=by_spark)


@pytest.fixture
def rows(tmp_path: Path) -> duckdb.DuckDBPyRelation:
    """Those of three files in a folder ``some``."""
    nested = "[{'a': 'it''s', 'b': [{'c': [1.5::double]}]}]"
    (tmp_path / "some").mkdir()
    for n in range(3):
        row = f"{n}::bigint as n, {n} / 2 as x, null::boolean as no, ['é', null] as l, {nested} as s"
        duckdb.sql(f"copy (select {row}) to '{tmp_path}/some/{n}.parquet'")
    return duckdb.sql(f"from '{tmp_path}/some/*.parquet' order by n")


def test_rows_go_and_come_back_as_they_are(
    spark: ExploreSettings, storage: Storage, rows: duckdb.DuckDBPyRelation, tmp_path: Path
) -> None:
    """Also where there are none; and what Spark tells of its plans has no signed URL."""
    columns, expected = rows.description, rows.fetchall()
    spark = ExploreSettings(spark_exchange="bucket", spark_settings=spark.spark_settings)
    with exchange(spark, tmp_path, 1, storage) as way, session(spark, tmp_path) as running:
        given = way.give(running, "some")
        assert not list((tmp_path / "some").iterdir())
        assert "X-Amz" not in given._jdf.queryExecution().toString()
        way.take(given, "all")
        way.take(given.where("n > 7"), "none")
    for name, there in (("all", expected), ("none", [])):
        found = duckdb.sql(f"from '{tmp_path}/{name}/*.parquet' order by n")
        assert (found.description, found.fetchall()) == (columns, there)


class Replacing(Storage):
    """A store in which somebody writes once more before it is read."""

    def stream(self, location: Location, chunk_bytes: int = 2**20, start: int = 0) -> Iterator[bytes]:
        self.put(location, io.BytesIO(b"later"), 5)
        return super().stream(location, chunk_bytes, start)


@pytest.mark.usefixtures("rows")
def test_rows_that_were_replaced_are_not_read(spark: ExploreSettings, s3: dict[str, Any], tmp_path: Path) -> None:
    spark = ExploreSettings(spark_exchange="bucket", spark_settings=spark.spark_settings)
    storage = Replacing(StorageSettings(**s3))
    with (
        pytest.raises(Unavailable, match="replaced before it was read"),
        exchange(spark, tmp_path, 1, storage) as way,
        session(spark, tmp_path) as running,
    ):
        way.take(way.give(running, "some"), "all")
    assert on_their_way(storage) == []


def spark_processes(folder: str) -> list[str]:
    """Command lines of Java that names a folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if "java" in line and folder in line]


def test_a_build_whose_spark_fails_says_so_and_leaves_the_index(
    builds: Builds, by_spark: ExploreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SparkDialect, "literal", lambda *_: "no_such_column")
    with pytest.raises(Unavailable, match="no_such_column"):
        builds.run(settings=by_spark)
    assert (builds.newest().state, "no_such_column" in builds.newest().message) == ("failed", True)
    assert builds.explorer.query(SEEN)["case"]
    builds.mended()


@pytest.mark.parametrize(
    ("missing", "told"), [("Java", "install version 17"), ("pyspark", r"pip install 'commonshub\[spark\]'")]
)
def test_what_is_not_installed_is_named(
    builds: Builds, missing: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "Java":
        monkeypatch.setenv("JAVA_HOME", "/nowhere")
    else:
        monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(Unavailable, match=told):
        builds.run(settings=ExploreSettings(**chosen(builds)))
    assert builds.explorer.query(SEEN)["case"]
