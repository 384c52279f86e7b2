"""One migration, in a process of its own: the task comes as JSON on standard input, see :func:`.database.migrate`."""

import sys
from pathlib import Path

import orjson
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from .database import current_revision


def upgrade(connection: sa.Connection, schema: str, scripts: Path, head: str, table: str) -> None:
    """Bring `schema` to revision `head` within the connection's transaction; one process at a time."""
    lock = sa.text("select pg_advisory_xact_lock(hashtext('commonshub.migrate.' || :schema))")
    connection.execute(lock, {"schema": schema})
    connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    if current_revision(connection, schema, table) == head:
        return
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    directory = ScriptDirectory.from_config(config)
    quoted = connection.dialect.identifier_preparer.quote_identifier(schema)
    connection.execute(sa.text(f"set local search_path to {quoted}"))
    with EnvironmentContext(config, directory, fn=lambda rev, _: directory._upgrade_revs(head, rev)) as context:
        context.configure(
            connection=connection, version_table=table, version_table_schema=schema, transactional_ddl=True
        )
        context.run_migrations()


def main() -> None:
    """Carry out the task on standard input."""
    task = orjson.loads(sys.stdin.buffer.read())
    engine = sa.create_engine(task["url"], poolclass=sa.NullPool)
    with engine.begin() as connection:
        upgrade(connection, task["schema"], Path(task["scripts"]), task["head"], task["table"])


if __name__ == "__main__":
    main()
