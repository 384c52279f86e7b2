"""Arguments of a listing as conditions on its rows."""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commonshub.core.errors import BadRequest

from . import pages
from .access import Access
from .equality import Equality
from .fields import Neighbours
from .paths import Paths
from .predicates import Predicates
from .sql import Statement, conjunction, disjunction
from .values import moment, pattern

Args = Mapping[str, Any]


@dataclass(frozen=True)
class Filters:
    """Compiles arguments into conditions, for one statement."""

    statement: Statement
    access: Access
    paths: Paths
    equality: Equality
    predicates: Predicates

    def conditions(self, type_: str, alias: str, args: Args) -> list[str]:
        """Conditions on the rows of `type_` in the table `alias`: what the caller may see, and what was asked for.

        Raises
        ------
        BadRequest
            A link or a time in `args` makes no sense.
        """
        return [
            *self.access.conditions(type_, alias, args.get("project_id")),
            *self._identity(type_, alias, args),
            *self._properties(type_, alias, args),
            *self._excluded(type_, alias, args.get("not")),
            *self._moments(type_, alias, args),
            *self._links(type_, alias, args),
            *self._paths(type_, alias, args),
            *self._filter(type_, alias, args.get("filter")),
        ]

    def ids(self, type_: str, args: Args) -> str | None:
        """A table of the ``id`` of each record of `type_` from which all the paths lead that are asked for.

        An edge ends at records that are there, so none is looked up; None where some may be hidden, or no path is
        asked for.
        """
        entries = _entries(args, "with_path_to")
        if not entries or self.access.limited(type_):
            return None
        first, *others = [self._starts(type_, entry) for entry in entries]
        found = " union all ".join(first) or "select null::text as id where false"
        more = [_among("s.id", starts) for starts in others]
        return f"(select distinct s.id from ({found}) s{conjunction(more)})"

    def chooses(self, type_: str, args: Args) -> bool:
        """Whether ``of_type`` and ``category`` leave a node type in."""
        category = self.access.dictionary.nodes[type_].category
        return all(
            args.get(key) is None or value in args[key] for key, value in (("of_type", type_), ("category", category))
        )

    # -- what a record is ------------------------------------------------------

    def _identity(self, type_: str, alias: str, args: Args) -> list[str]:
        conditions = []
        if args.get("id") is not None:
            conditions.append(f"{alias}.node_id = {self.statement.bind(args['id'], 'text')}")
        if args.get("ids") is not None:
            ids = [each for each in args["ids"] if each is not None]
            conditions.append(f"{alias}.node_id = any({self.statement.bind(ids, 'text[]')})")
        if args.get("project_id") is not None and type_ == "project":
            ids = [each for each in args["project_id"] if each is not None]
            conditions.append(f"{self.access.project_id(alias)} = any({self.statement.bind(ids, 'text[]')})")
        if args.get("quick_search"):
            text = self.statement.bind(pattern(args["quick_search"]), "text")
            conditions.append(f"({alias}.node_id ilike {text} or {alias}._props->>'submitter_id' ilike {text})")
        return conditions

    def _properties(self, type_: str, alias: str, args: Args) -> list[str]:
        properties = self.access.dictionary.nodes[type_].properties
        conditions = []
        for key, value in args.items():
            if value is None or key in _OWN_MEANING or (key == "project_id" and type_ == "project"):
                continue
            each = properties.get(key)
            values = value if isinstance(value, list) else [value]
            if each is None:
                # Lists over several types take the properties of all of them.
                conditions.append("false")
            elif values:
                conditions.append(self.equality.matches(alias, each, values))
        return conditions

    def _excluded(self, type_: str, alias: str, entries: Sequence[Args] | None) -> list[str]:
        """``not``: leave out the records that match an entry; those without a value match nothing."""
        properties = self.access.dictionary.nodes[type_].properties
        conditions = []
        for entry in entries or ():
            found = []
            for key, value in (entry or {}).items():
                if key in properties:
                    found.append(
                        self.equality.matches(alias, properties[key], value if isinstance(value, list) else [value])
                    )
                else:
                    found.append("false")
            if found:
                conditions.append(f"({' and '.join(found)}) is not true")
        return conditions

    def _filter(self, type_: str, alias: str, given: Args | None) -> list[str]:
        return [self.predicates.condition(type_, alias, given)] if given else []

    def _moments(self, type_: str, alias: str, args: Args) -> list[str]:
        conditions = []
        for key, column, operator in _MOMENTS:
            if not args.get(key):
                continue
            if column not in self.access.dictionary.nodes[type_].properties:
                conditions.append("false")
                continue
            bound = self.statement.bind(moment(key, args[key]), "timestamptz")
            conditions.append(f"({alias}._props->>'{column}')::timestamptz {operator} {bound}")
        return conditions

    # -- what a record hangs on ------------------------------------------------

    def _links(self, type_: str, alias: str, args: Args) -> list[str]:
        conditions = [self._linked(type_, alias, each) for each in _unique(args, "with_links")]
        conditions += [f"not {self._linked(type_, alias, each)}" for each in _unique(args, "without_links")]
        if args.get("with_links_any"):
            any_of = [self._linked(type_, alias, each) for each in _unique(args, "with_links_any")]
            conditions.append(disjunction(any_of))
        return conditions

    def _linked(self, type_: str, alias: str, link: str | None) -> str:
        step = self.paths.neighbours(type_).get(link or "")
        if step is None:
            raise BadRequest(f"Invalid link name '{link}' on {type_}.")
        edge, far = self.statement.alias(), self.statement.alias()
        near_id, far_id = ends(step)
        source = f"{self.access.tables.edge(step.link)} {edge}"
        conditions = [f"{edge}.{near_id} = {alias}.node_id"]
        if self.access.limited(step.type):
            source += f" join {self.access.tables.node(step.type)} {far} on {far}.node_id = {edge}.{far_id}"
            conditions += self.access.conditions(step.type, far)
        return f"exists (select from {source}{conjunction(conditions)})"

    def _paths(self, type_: str, alias: str, args: Args) -> list[str]:
        """Whether directed paths of links lead from a record to others.

        Each condition is one that PostgreSQL turns into a join: several ones with "or" between them, or "not in",
        would be looked at row by row.
        """
        near = f"{alias}.node_id"
        conditions = [_among(near, self._starts(type_, each)) for each in _entries(args, "with_path_to")]
        if without := self._starts_of_any(type_, args, "without_path_to"):
            conditions.append(f"not exists (select from ({' union all '.join(without)}) s where s.id = {near})")
        if args.get("with_path_to_any") is not None:
            conditions.append(_among(near, self._starts_of_any(type_, args, "with_path_to_any")))
        return conditions

    def _starts_of_any(self, type_: str, args: Args, key: str) -> list[str]:
        return [start for entry in _entries(args, key) for start in self._starts(type_, entry)]

    def _starts(self, type_: str, entry: Args) -> list[str]:
        """Sub-selects of the ids of the records of `type_` that such a path leads from, one for each direction."""
        target, starts = entry["type"], []
        for up in (True, False):
            if target in self.paths.reachable(type_, up):
                path = _Path(self, target, entry, up, f"path{len(self.statement.expressions)}_")
                starts.append(f"select id from {path.start(type_)}")
        return starts


@dataclass(frozen=True)
class _Path:
    """One path filter in one direction, as a chain of common table expressions that starts at the target.

    For every type on the way there is one set of ids, shared by all paths through it: the statement grows with the
    number of links and not with the number of paths.
    """

    filters: Filters
    target: str
    entry: Args
    up: bool
    prefix: str

    def start(self, type_: str) -> str:
        return self._set(type_, frozenset({type_}), hide=False)

    def _set(self, type_: str, seen: frozenset[str], hide: bool) -> str:
        """The records of `type_` that a path leads from; the first ones are hidden by whoever asks for them."""
        return self.filters.statement.expression(f"{self.prefix}{type_}", lambda: self._union(type_, seen, hide))

    def _union(self, type_: str, seen: frozenset[str], hide: bool) -> str:
        parts = []
        for step in self.filters.paths.towards(type_, self.target, self.up):
            if step.type == self.target:
                parts.append(self._last(step, type_, hide))
            elif step.type not in seen:
                following = self._set(step.type, seen | {step.type}, hide=self.filters.access.limited(step.type))
                parts.append(self._middle(step, type_, following, hide))
        return f"({' union '.join(parts)})" if parts else "(select null::text as id where false)"

    def _last(self, step: Neighbours, type_: str, hide: bool) -> str:
        filters, far = self.filters, self.filters.statement.alias()
        near_id, far_id = ends(step)
        conditions = [*filters.access.conditions(self.target, far), *self._fits(far)]
        source = f"{filters.access.tables.edge(step.link)} e"
        if conditions:
            source += f" join {filters.access.tables.node(self.target)} {far} on {far}.node_id = e.{far_id}"
        near, more = self._near(type_, near_id, hide)
        return f"select e.{near_id} as id from {source}{near}{conjunction([*conditions, *more])}"

    def _middle(self, step: Neighbours, type_: str, following: str, hide: bool) -> str:
        near_id, far_id = ends(step)
        source = f"{self.filters.access.tables.edge(step.link)} e join {following} s on s.id = e.{far_id}"
        near, more = self._near(type_, near_id, hide)
        return f"select e.{near_id} as id from {source}{near}{conjunction(more)}"

    def _near(self, type_: str, near_id: str, hide: bool) -> tuple[str, list[str]]:
        """A way through a record that the caller may not see is no way."""
        if not hide:
            return "", []
        access, near = self.filters.access, self.filters.statement.alias()
        return f" join {access.tables.node(type_)} {near} on {near}.node_id = e.{near_id}", access.conditions(
            type_, near
        )

    def _fits(self, alias: str) -> list[str]:
        asked = {key: value for key, value in self.entry.items() if key not in ("type", "id", "not")}
        conditions = self.filters._properties(self.target, alias, asked)
        if self.entry.get("id") is not None:
            conditions.append(f"{alias}.node_id = {self.filters.statement.bind(self.entry['id'], 'text')}")
        if self.target == "project" and asked.get("project_id") is not None:
            wanted = self.filters.statement.bind(asked["project_id"], "text")
            conditions.append(f"{self.filters.access.project_id(alias)} = {wanted}")
        return [*conditions, *self.filters._excluded(self.target, alias, self.entry.get("not"))]


def ends(step: Neighbours) -> tuple[str, str]:
    """The edge's columns at the near and at the far end of a step."""
    return ("src_id", "dst_id") if step.up else ("dst_id", "src_id")


_MOMENTS = (
    ("created_after", "created_datetime", ">"),
    ("created_before", "created_datetime", "<"),
    ("updated_after", "updated_datetime", ">"),
    ("updated_before", "updated_datetime", "<"),
)

_OWN_MEANING = frozenset(
    ["id", "ids", "quick_search", "not", "filter", "of_type", "category", *pages.ARGUMENTS]
    + ["with_links", "with_links_any", "without_links", "with_path_to", "with_path_to_any", "without_path_to"]
    + [key for key, _, _ in _MOMENTS]
)


def _among(column: str, selects: Sequence[str]) -> str:
    """Whether some sub-select has a value."""
    return f"{column} in ({' union all '.join(selects)})" if selects else "false"


def _unique(args: Args, key: str) -> list[str | None]:
    return list(dict.fromkeys(args.get(key) or ()))


def _entries(args: Args, key: str) -> list[Args]:
    return [entry for entry in args.get(key) or () if entry is not None]
