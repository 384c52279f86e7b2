"""How many records of each type a project has, kept by PostgreSQL: a count costs the same however many there are.

Triggers of the node tables write a *change*, so many records more or fewer, into ``node_counts``, whoever it is that
writes; a count is the sum of its changes. Nobody waits for anybody, as changes are only added. Now and then one who
adds puts those of a type together.
"""

# ruff: noqa: S608 -- names come from the configuration and the dictionary, and are quoted

from collections.abc import Iterator

import sqlalchemy as sa

TABLE = "node_counts"
_FUNCTION = "count_records"
# Of so many statements that add records, one puts the changes of their type together.
_MERGED_OF = 50
_MERGED_AT_MOST = 10_000


def counts_table(metadata: sa.MetaData) -> sa.Table:
    """Our own: changes of counts; see the module."""
    table = sa.Table(
        TABLE,
        metadata,
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text),
        sa.Column("records", sa.BigInteger, nullable=False),
    )
    sa.Index(f"{TABLE}_type", table.c.type, table.c.project_id)
    return table


def trigger_key(table: str) -> str:
    """What stands for the triggers of a table, among names of the schema."""
    return f"{table}.counted_insert"


def statements(schema: str, table: str, node_id: str) -> Iterator[str]:
    """Count what is in a node type's table, and each change from now on.

    Making a trigger keeps writers away until the transaction ends, so nothing is left out and nothing counted twice.
    """
    where, counts = f"{_quoted(schema)}.{_quoted(table)}", f"{_quoted(schema)}.{TABLE}"
    kind = "'" + node_id.replace("'", "''") + "'"
    run = f"execute function {_quoted(schema)}.{_FUNCTION}({kind})"
    yield _function(schema)
    yield f"create trigger counted_insert after insert on {where} referencing new table as new_rows {run}"
    yield f"create trigger counted_delete after delete on {where} referencing old table as old_rows {run}"
    yield f"create trigger counted_truncate after truncate on {where} {run}"
    moved = "(old._props->>'project_id') is distinct from (new._props->>'project_id')"
    yield f"create trigger counted_update after update of _props on {where} for each row when ({moved}) {run}"
    yield f"delete from {counts} where type = {kind}"
    yield f"insert into {counts} select {kind}, _props->>'project_id', count(*) from {where} group by 2"


def _function(schema: str) -> str:
    counts = f"{_quoted(schema)}.{TABLE}"
    return f"""
        create or replace function {_quoted(schema)}.{_FUNCTION}() returns trigger
        language plpgsql security definer set search_path = pg_catalog, pg_temp as $function$
        begin
          if tg_op = 'INSERT' then
            insert into {counts} select tg_argv[0], _props->>'project_id', count(*) from new_rows group by 2;
            -- Where the transaction must not see later changes, those could not be put together with the others.
            if random() < 1.0 / {_MERGED_OF} and current_setting('transaction_isolation') = 'read committed' then
              with gone as (
                delete from {counts} where ctid = any(array(
                  select ctid from {counts} where type = tg_argv[0] limit {_MERGED_AT_MOST} for update skip locked))
                returning project_id, records)
              insert into {counts} select tg_argv[0], project_id, sum(records) from gone group by 2
              having sum(records) <> 0;
            end if;
          elsif tg_op = 'DELETE' then
            insert into {counts} select tg_argv[0], _props->>'project_id', -count(*) from old_rows group by 2;
          elsif tg_op = 'UPDATE' then
            insert into {counts} values (tg_argv[0], old._props->>'project_id', -1),
                                        (tg_argv[0], new._props->>'project_id', 1);
          else
            insert into {counts} select type, project_id, -sum(records) from {counts}
            where type = tg_argv[0] group by 1, 2;
          end if;
          return null;
        end
        $function$
    """


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
