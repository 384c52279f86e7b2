"""Order and pages of lists.

Vocabulary
----------
key
    What a list is ordered by before its records' ids, which make every order a total one.
cursor
    Where a record stands in an order: the keys' values and the id, with the name of the order. Opaque to clients; what
    they make up instead finds nothing but what they may see anyhow, since it only narrows.
reach
    The records behind a cursor, as alternatives that exclude one another. Each is a range of the order, which an index
    gives as fast at the end of a list as at its start; one condition for all of them would be no range.
"""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from commonshub.core.errors import BadRequest

from .access import Access
from .sql import Statement, conjunction, disjunction, literal
from .values import ordered, ordered_type, text

DEFAULT_FIRST = 10
"""Records that a list gives when ``first`` is not sent (Peregrine's default)."""

ARGUMENTS = frozenset(["first", "offset", "after", "order_by_asc", "order_by_desc"])
"""The arguments that choose no records, but their order and page."""

Args = Mapping[str, Any]

_WRONG_CURSOR = "after: this is no cursor; take one as it is from _cursor of a record."
# What jsonb cannot take: numbers of more digits than any sane record has, and NUL.
_UNSTORABLE = re.compile(r"[eE][+-]?[0-9]{4,}|[0-9]{400}|\\u0000")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order.

    Parameters
    ----------
    expression
        SQL of its value.
    type
        PostgreSQL's type of that.
    """

    expression: str
    type: str
    descending: bool

    def clause(self) -> str:
        """The key in ``order by``."""
        return f"{self.expression} desc" if self.descending else self.expression

    def behind(self, value: str | None) -> list[str]:
        """Conditions for keys behind `value`, a placeholder; without a value is last, when descending first."""
        if self.descending:
            return [f"{self.expression} is not null"] if value is None else [f"{self.expression} < {value}"]
        return [] if value is None else [f"{self.expression} > {value}", f"{self.expression} is null"]

    def equal(self, value: str | None) -> str:
        """Condition for keys at `value`."""
        return f"{self.expression} is null" if value is None else f"{self.expression} = {value}"


@dataclass(frozen=True, slots=True)
class Order:
    """The order of one list.

    Parameters
    ----------
    name
        Tells it from other orders of the same records.
    id
        SQL of the records' id.
    asked
        Whether a list that has no limit needs it too.
    """

    name: str
    keys: tuple[Key, ...]
    id: str
    asked: bool

    def cursor(self) -> str:
        """SQL of a record's cursor: base64 in the alphabet for addresses."""
        parts = [literal(self.name), *(f"({key.expression})::text" for key in self.keys), self.id]
        encoded = f"encode(convert_to(json_build_array({', '.join(parts)})::text, 'utf8'), 'base64')"
        return f"translate({encoded}, E'+/=\\n', '-_')"

    def reach(self, after: str, statement: Statement) -> list[list[str]]:
        """The alternatives of what lies behind the cursor `after`, each a list of conditions.

        Raises
        ------
        BadRequest
            It is no cursor, or one of another order.
        """
        *values, last = self._decoded(after)
        places = [None if value is None else statement.bind(value, "text") for value in values]
        places = [
            None if place is None else place if key.type == "text" else f"{place}::{key.type}"
            for key, place in zip(self.keys, places, strict=True)
        ]
        id_ = statement.bind(last, "text")
        alternatives: list[list[str]] = []
        equal: list[str] = []
        for number, (key, place) in enumerate(zip(self.keys, places, strict=True), 1):
            behind = key.behind(place)
            if number == len(self.keys) and behind and not key.descending:
                # The last key and the id rise together: one range of an index on both.
                behind[0] = f"({key.expression}, {self.id}) > ({place}, {id_})"
                return [*alternatives, *([*equal, each] for each in behind)]
            alternatives += [[*equal, each] for each in behind]
            equal.append(key.equal(place))
        return [[*equal, f"{self.id} > {id_}"], *alternatives]

    def _decoded(self, after: str) -> list[Any]:
        try:
            found = orjson.loads(base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadRequest(_WRONG_CURSOR) from error
        if not isinstance(found, list) or not found or not isinstance(found[0], str):
            raise BadRequest(_WRONG_CURSOR)
        name, *values = found
        if name != self.name:
            raise BadRequest("after: this cursor is of a list in another order; give order_by_* as they were there.")
        if len(values) != len(self.keys) + 1 or not isinstance(values[-1], str):
            raise BadRequest(_WRONG_CURSOR)
        for key, value in zip(self.keys, values[:-1], strict=True):
            if value is not None and not (isinstance(value, str) and (key.type == "text" or _is_json(value))):
                raise BadRequest(_WRONG_CURSOR)
        return values


def _is_json(value: str) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return not _UNSTORABLE.search(value)


@dataclass(frozen=True)
class Pages:
    """Compiles orders and pages, for one statement."""

    statement: Statement
    access: Access

    def order(self, types: Sequence[str], alias: str, args: Args, kind: str = "", marked: bool = False) -> Order:
        """The order of a list of records of `types` in the table `alias`.

        Parameters
        ----------
        marked
            Whether the records show their cursors.
        kind
            SQL of a record's type, where there are several.

        Raises
        ------
        BadRequest
            It cannot be ordered by what is asked for.
        """
        keys, names = [], []
        for argument, descending in (("order_by_asc", False), ("order_by_desc", True)):
            wanted = args.get(argument)
            if wanted is not None:
                keys += self._keys(types, alias, wanted, descending, kind)
                names.append(f"{argument}: {wanted}")
        asked = marked or bool(names) or args.get("after") is not None
        return Order(", ".join(names), tuple(keys), f"{alias}.node_id", asked)

    def clause(self, order: Order, args: Args) -> str:
        """``order by … limit … offset …``. A limited list is always ordered, so that its pages are disjoint."""
        keys = [key.clause() for key in order.keys]
        first, offset = _first(args), int(args.get("offset") or 0)
        if first > 0 or offset > 0 or order.asked:
            # Few records match a selective filter. Sorting them by an expression keeps the database from walking the
            # whole primary key in order until it has met enough of them, as it would where it has no statistics yet.
            keys.append(f"({order.id} || '')" if _selective(args) else order.id)
        page = f" order by {', '.join(keys)}" if keys else ""
        if first > 0:
            page += f" limit {first}"
        if offset > 0:
            page += f" offset {offset}"
        return page

    def rows(self, order: Order, alias: str, source: str, conditions: Sequence[str], args: Args) -> str:
        """The page of the rows of `source` that meet `conditions`, as what follows ``from``."""
        page = self.clause(order, args)
        if fence := self.fence(args):
            found = f"select {alias}.node_id, {alias}._props from {source}{conjunction(conditions)}"
            source, conditions = f"({found}{fence}) {alias}", ()
        reach = [] if args.get("after") is None else order.reach(args["after"], self.statement)
        if len(reach) < 2 or _first(args) <= 0:
            behind = [_any_of(reach)] if reach else []
            return f"{source}{conjunction([*conditions, *behind])}{page}"
        # No more than the page is taken of each range; the ranges are then put together in order.
        taken = self.clause(order, self.within(args))
        arms = [
            f"(select {alias}.node_id, {alias}._props from {source}{conjunction([*conditions, *each])}{taken})"
            for each in reach
        ]
        return f"({' union all '.join(arms)}) {alias}{page}"

    def fence(self, args: Args) -> str:
        """What behind a sub-select keeps the database from stopping at as many rows as a page needs.

        It would hope to meet them soon, and therefore look at one record after the other. What most records hardly
        meet, such as to have no link, is found in less time for all of them at once.
        """
        return " offset 0" if _first(args) > 0 and any(args.get(key) for key in _RARE) else ""

    def within(self, args: Args) -> Args:
        """The arguments of a list that holds what a page can have of one part of all records, and has no offset."""
        first, offset = _first(args), max(int(args.get("offset") or 0), 0)
        return {**args, "first": first + offset if first > 0 else first, "offset": 0}

    def behind(self, order: Order, args: Args) -> str:
        """``where …`` of the records behind the cursor, of which there is one table of all types."""
        if args.get("after") is None:
            return ""
        return conjunction([_any_of(order.reach(args["after"], self.statement))])

    def _keys(self, types: Sequence[str], alias: str, wanted: str, descending: bool, kind: str) -> list[Key]:
        if wanted == "id":
            return [Key(f"{alias}.node_id", "text", descending)]
        if wanted == "type":
            return [Key(kind, "text", descending)] if kind else []
        if wanted == "project_id" and "project" in types:
            return [Key(self._project_id(types, alias, kind), "text", descending)]
        for type_ in types:
            each = self.access.dictionary.nodes[type_].properties.get(wanted)
            if each is not None:
                return [Key(ordered(alias, each), ordered_type(each), descending)]
        raise BadRequest(f"Cannot order by {wanted} on {types[0] if len(types) == 1 else 'node'}")

    def _project_id(self, types: Sequence[str], alias: str, kind: str) -> str:
        if len(types) == 1:
            return self.access.project_id(alias)
        stored = text(alias, "project_id")
        return f"case {kind} when 'project' then {self.access.project_id(alias)} else {stored} end"


def _any_of(alternatives: Sequence[Sequence[str]]) -> str:
    return disjunction([f"({' and '.join(each)})" for each in alternatives])


def _first(args: Args) -> int:
    first = args.get("first")
    return DEFAULT_FIRST if first is None else int(first)


_RARE = ("without_links", "without_path_to", "with_path_to_any")
# What chooses by project and type alone.
_PLAIN = ARGUMENTS | {"project_id", "of_type", "category"}


def is_plain(args: Args) -> bool:
    """Whether all records of the chosen types and projects are listed, so that a page is soon met in any order."""
    return all(value is None or key in _PLAIN for key, value in args.items())


def _selective(args: Args) -> bool:
    """Whether few records can match."""
    paths = [entry for entry in args.get("with_path_to") or () if entry is not None]
    filtered = [args.get("filter", {}).get(key, {}) for key in ("id", "submitter_id")] if args.get("filter") else []
    return (
        any(args.get(key) for key in ("id", "ids", "submitter_id", "object_id"))
        or any(len(entry) > 1 for entry in paths)
        or any(key in ("eq", "in", "prefix") for operators in filtered for key in operators or ())
    )
