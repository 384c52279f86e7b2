"""Spark itself: started for one build, and stopped after it."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from commonshub.core.errors import Unavailable

from ..settings import ExploreSettings
from .dialect import SETTINGS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TOLD_CHARACTERS = 500


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of the version of pandas, which nothing here uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def session(settings: ExploreSettings, folder: Path) -> Iterator["SparkSession"]:
    """A session of its own, in the Spark that runs in this process or else in one that is started and stopped.

    Parameters
    ----------
    folder
        Where Spark on this machine puts what does not fit into its memory.

    Raises
    ------
    Unavailable
        Something is not installed, Spark does not start, or it fails.
    """
    _check()
    with quiet():
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    running = SparkSession.getActiveSession()
    spark = running
    try:
        spark = spark or _start(settings, folder)
        yield _session(spark)
    except (Py4JError, PySparkException) as error:
        raise Unavailable(f"Spark at {settings.spark_master} failed: {_told(error)}") from error
    finally:
        if spark and running:
            spark.catalog.clearCache()
        elif spark:
            spark.stop()


def _told(error: Exception) -> str:
    """What Spark says of a fault; a fault in Python's part has its name at the end."""
    told = " ".join(str(error).split())
    half = _TOLD_CHARACTERS // 2
    return told if len(told) <= 2 * half else f"{told[:half]} … {told[-half:]}"


def _session(spark: "SparkSession") -> "SparkSession":
    own, context = spark.newSession(), spark.sparkContext
    # Spark itself looks at this only where its own scripts start it.
    context.pythonExec = context.getConf().get("spark.pyspark.python") or context.pythonExec
    return own


def _check() -> None:
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        raise Unavailable("Spark is not installed: pip install 'commonshub[spark]', or let builder be duckdb.")
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=f"{home}/bin" if home else None) is None:
        raise Unavailable("Spark finds no Java: install version 17 or newer, or let builder be duckdb.")


def _start(settings: ExploreSettings, folder: Path) -> "SparkSession":
    from pyspark.sql import SparkSession

    own = {
        "spark.driver.memory": f"{settings.build_memory_bytes >> 20}m",
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder),
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    if settings.spark_is_here:
        # Nobody else has to reach it, nor shall.
        own |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.master(settings.spark_master).appName("commonshub etl")
    for name, value in {**own, **settings.spark_settings, **SETTINGS}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
