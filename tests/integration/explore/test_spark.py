"""A build by Spark: the same index as one by DuckDB, and the old one where it fails."""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.waiting import eventually

from commonshub.core.errors import Unavailable
from commonshub.explore.duck.dialect import DuckDialect
from commonshub.explore.settings import ExploreSettings
from commonshub.explore.spark.dialect import SparkDialect
from commonshub.explore.spark.session import session

from .builds import Builds
from .conftest import Explorer

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


def chosen(builds: Builds) -> dict[str, Any]:
    own = builds.app.settings
    return {"builder": "spark", "mapping_file": own.mapping_file, "index_dir": own.index_dir}


def tables(index: Path, folder: Path) -> dict[str, list[Any]]:
    """All of an index, but for its number and when it was built; it may be open in the service."""
    with duckdb.connect(str(shutil.copy(index, folder)), read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        found = {name: connection.execute(f'from "{name}" order by all').fetchall() for name in names}
    return {**found, "_run": [[row[1], *row[3:]] for row in found["_run"]]}


def test_the_service_answers_from_the_same_index(builds: Builds, by_spark: ExploreSettings, tmp_path: Path) -> None:
    folder, before = Path(builds.app.settings.index_dir), builds.explorer.query(SEEN)
    runs = [builds.run(settings=settings).run for settings in (None, by_spark)]
    made = [tables(folder / f"{run}.duckdb", tmp_path) for run in runs]
    assert {"case", "case.samples", "case.samples.aliquots", "tumor.pieces"} < made[0].keys()
    assert made[0] == made[1]
    eventually(lambda: builds.app.active.id == runs[1], 30)
    assert builds.explorer.query(SEEN) == before


def test_a_build_that_is_killed_leaves_the_index_and_no_spark(builds: Builds, by_spark: ExploreSettings) -> None:
    done = builds.befall("computing", builder="spark", spark_settings=by_spark.spark_settings)
    assert done.returncode == -signal.SIGKILL
    assert builds.newest().state == "building"
    assert builds.explorer.query(SEEN)["case"]
    eventually(lambda: not spark_processes(builds.app.settings.index_dir), 30)
    builds.mended()


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
