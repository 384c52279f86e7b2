"""Selections on the submission log as SQL."""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from commonshub.core.errors import BadRequest

from .access import Access
from .fields import Collected, Column, Parts, Stored
from .rendering import Written, array, objects
from .selection import Selected
from .sql import Statement, Tables, conjunction, literal, storable

Args = Mapping[str, Any]

DEFAULT_FIRST = 10
"""Transactions that a list gives when neither ``first`` nor ``last`` is sent."""

_ROLES: Mapping[str, tuple[str, ...]] = {"upload": ("create", "update")}
_COLUMN_NAMES = "id, submitter, role, program, project, committed_by, is_dry_run, state, closed, created_datetime"
_SORTABLE = frozenset([*_COLUMN_NAMES.split(", "), "project_id"])
_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Logbook:
    """Compiles what is asked about transactions, for one statement."""

    statement: Statement
    tables: Tables
    access: Access

    def rows(self, selected: Selected, record: str | None = None, written: Written = array) -> str:
        """A list of transactions, or of those that touched the record of the alias `record`."""
        alias = self.statement.alias()
        columns = {each.key: self._field(alias, each) for each in selected.fields}
        conditions = [*self._conditions(alias, selected.args, record), *self._behind(alias, selected.args)]
        source = f"{self.tables.log('transaction_logs')} {alias}{conjunction(conditions)}"
        return objects(columns, source + self._page(alias, selected.args), written)

    def count(self, args: Args, record: str | None = None) -> str:
        """How many transactions there are."""
        alias = self.statement.alias()
        conditions = self._conditions(alias, args, record)
        return f"select count(*) from {self.tables.log('transaction_logs')} {alias}{conjunction(conditions)}"

    def _conditions(self, alias: str, args: Args, record: str | None) -> list[str]:
        conditions = self.access.log_conditions(alias)
        snapshots = f"select s.transaction_id from {self.tables.log('transaction_snapshots')} s where s.entity_id"
        if record is not None:
            conditions.append(f"{alias}.id in ({snapshots} = {record}.node_id)")
        for key in ("id", "quick_search"):
            if args.get(key):
                conditions.append(f"{alias}.id::text = {self.statement.bind(args[key], 'text')}")
        for key in ("program", "project", "state", "is_dry_run", "closed"):
            if args.get(key) is not None:
                type_ = "boolean" if key in ("is_dry_run", "closed") else "text"
                conditions.append(f"{alias}.{key} = {self.statement.bind(args[key], type_)}")
        if args.get("committed_by") is not None:
            conditions.append(f"{alias}.committed_by::text = {self.statement.bind(args['committed_by'], 'text')}")
        if args.get("type") is not None:
            roles = list(_ROLES.get(args["type"], (args["type"],)))
            conditions.append(f"{alias}.role = any({self.statement.bind(roles, 'text[]')})")
        if args.get("project_id") is not None:
            ids = [each for each in args["project_id"] if each is not None]
            conditions.append(f"{_project_id(alias)} = any({self.statement.bind(ids, 'text[]')})")
        if args.get("entities") is not None:
            ids = [each for each in args["entities"] if each is not None]
            conditions.append(f"{alias}.id in ({snapshots} = any({self.statement.bind(ids, 'text[]')}))")
        if args.get("related_cases") is not None:
            conditions.append(f"{alias}.id in ({self._of_cases(args['related_cases'])})")
        if args.get("committable") is not None:
            conditions.append(_committable(alias) if args["committable"] else f"not {_committable(alias)}")
        return conditions

    def _of_cases(self, ids: Sequence[str | None]) -> str:
        """Transactions with a document whose answer names one of these cases."""
        named = [{"entities": [{"related_cases": [{"id": storable(each)}]}]} for each in ids if each is not None]
        wanted = self.statement.bind([orjson.dumps(each).decode() for each in named], "jsonb[]")
        documents = self.tables.log("transaction_documents")
        return f"select d.transaction_id from {documents} d where d.response_json @> any({wanted})"

    def _behind(self, alias: str, args: Args) -> list[str]:
        """The transactions behind ``after``, in the order of ids that a page has."""
        after = args.get("after")
        if after is None:
            return []
        if not _ID.fullmatch(after):
            raise BadRequest(f"after: {after[:40]!r} is no id of a transaction.")
        if args.get("order_by_asc") is not None or args.get("order_by_desc") is not None:
            raise BadRequest("after: transactions are paged in the order of their ids; leave order_by_* out.")
        return [f"{alias}.id {'>' if args.get('last') is None else '<'} {self.statement.bind(int(after), 'bigint')}"]

    def _page(self, alias: str, args: Args) -> str:
        keys = []
        for argument, direction in (("order_by_asc", "asc"), ("order_by_desc", "desc")):
            key = args.get(argument)
            if key is None:
                continue
            if key not in _SORTABLE:
                raise BadRequest(f"Cannot order by {key} on transaction_log")
            keys.append(f"{_project_id(alias) if key == 'project_id' else f'{alias}.{key}'} {direction}")
        last, offset = args.get("last"), args.get("offset")
        keys.append(f"{alias}.id desc" if last is not None else f"{alias}.id")
        limit = limit_of(args)
        page = f" order by {', '.join(keys)}"
        if limit > 0:
            page += f" limit {int(limit)}"
        if (offset or 0) > 0:
            page += f" offset {int(offset or 0)}"
        return page

    def _field(self, alias: str, selected: Selected) -> str:
        match selected.meaning:
            case None:
                return f"{literal(selected.type)}::text"
            case Column(name, kind):
                return _COLUMNS[kind](alias, name)
            case Parts(of):
                return f"({self._parts(alias, of, selected.fields)})"
            case Stored(name, kind):
                return self._stored(f"{alias}.{name}", kind, selected.fields)
            case Collected(path):
                return self._stored(self._collected(alias, path), "list", selected.fields)
        raise LookupError(f"{selected.name} is no field of the submission log.")

    def _parts(self, alias: str, of: str, fields: Sequence[Selected]) -> str:
        part = self.statement.alias()
        columns = {each.key: self._field(part, each) for each in fields}
        table = self.tables.log(f"transaction_{of}")
        return objects(columns, f"{table} {part} where {part}.transaction_id = {alias}.id order by {part}.id")

    def _collected(self, alias: str, path: str) -> str:
        documents, part = self.tables.log("transaction_documents"), self.statement.alias()
        found = f"jsonb_path_query({part}.response_json, {literal(path)})"
        return (
            f"(select jsonb_agg(distinct c.o) from {documents} {part}, {found} c(o)"
            f" where {part}.transaction_id = {alias}.id)"
        )

    def _stored(self, value: str, kind: str, fields: Sequence[Selected]) -> str:
        """An object or a list of objects inside a JSON document, with the selected keys alone."""
        alias = self.statement.alias()
        columns = {}
        for each in fields:
            match each.meaning:
                case Stored(name, "scalar"):
                    columns[each.key] = f"{alias}.o->{literal(name)}"
                case Stored(name, "text"):
                    columns[each.key] = f"{alias}.o->>{literal(name)}"
                case Stored(name, inner):
                    columns[each.key] = self._stored(f"({alias}.o->{literal(name)})", inner, each.fields)
                case _:
                    columns[each.key] = f"{literal(each.type)}::text"
        if kind == "object":
            one = objects(columns, f"(select {value} as o) {alias} where jsonb_typeof({alias}.o) = 'object'")
            return f"(({one})->0)"
        items = f"case jsonb_typeof({value}) when 'array' then {value} else '[]' end"
        return f"({objects(columns, f'(select jsonb_array_elements({items}) as o) {alias}')})"


def limit_of(args: Args) -> int:
    """How many transactions are asked for at most; 0 or less for all."""
    asked = (args.get("last"), args.get("first"), DEFAULT_FIRST)
    return next(int(each) for each in asked if each is not None)


def _project_id(alias: str) -> str:
    return f"({alias}.program || '-' || {alias}.project)"


def _committable(alias: str) -> str:
    return (
        f"({alias}.state = 'SUCCEEDED' and {alias}.is_dry_run and not {alias}.closed and {alias}.committed_by is null)"
    )


def _type(alias: str, name: str) -> str:
    roles = ", ".join(literal(role) for role in _ROLES["upload"])
    return f"case when {alias}.{name} in ({roles}) then 'upload' else {alias}.{name} end"


def _plain(alias: str, name: str) -> str:
    text = name in ("id", "entity_id", "canonical_json", "old_props", "new_props", "response_json")
    return f"{alias}.{name}::text" if text else f"{alias}.{name}"


_COLUMNS: Mapping[str, Callable[[str, str], str]] = {
    "plain": _plain,
    "text": lambda alias, name: f"{alias}.{name}::text",
    "type": _type,
    "time": lambda alias, name: f"to_char({alias}.{name} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'",
    "project_id": lambda alias, _: _project_id(alias),
    "size": lambda alias, name: f"octet_length({alias}.{name})",
    "committable": lambda alias, _: _committable(alias),
}
