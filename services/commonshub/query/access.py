"""The caller's scope as conditions on rows: a row outside it does not exist for the query."""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

from collections.abc import Sequence
from dataclasses import dataclass

from commonshub.core.dictionary import Dictionary

from .scope import Scope
from .sql import Statement, Tables, literal

PROJECTS = "projects"


@dataclass(frozen=True)
class Access:
    """Row conditions of one statement.

    Parameters
    ----------
    statement
        The statement that the conditions are for.
    """

    dictionary: Dictionary
    tables: Tables
    scope: Scope
    statement: Statement

    def conditions(self, type_: str, alias: str, asked: Sequence[str | None] | None = None) -> list[str]:
        """Conditions on the rows of a node type's table; none when all of them may be seen.

        Records of types without a project are catalogue data that every signed-in caller may see.

        Parameters
        ----------
        asked
            Ids of projects to which the rows are limited anyhow: the database takes what is asked for and what may be
            seen for independent of each other, and looks for rows at length where there can be none.
        """
        if self.scope.everything:
            return []
        if type_ == "program":
            names = self.statement.bind(sorted(self.scope.program_names), "text[]")
            return [f"{alias}._props->>'name' = any({names})"]
        if type_ == "project":
            return [f"{alias}.node_id in (select node_id from {self.projects()} where granted)"]
        if "project_id" not in self.dictionary.nodes[type_].properties:
            return []
        return [self._in_project(f"{alias}._props->>'project_id'", asked)]

    def limited(self, type_: str) -> bool:
        """Whether rows of a node type may be hidden."""
        return not self.scope.everything and (
            type_ in ("program", "project") or "project_id" in self.dictionary.nodes[type_].properties
        )

    def log_conditions(self, alias: str) -> list[str]:
        """Conditions on rows of the submission log, which name program and project apart."""
        if self.scope.everything:
            return []
        programs = self.statement.bind(sorted(self.scope.programs), "text[]")
        return [f"({alias}.program = any({programs}) or ({alias}.program, {alias}.project) in ({self._pairs()}))"]

    def projects(self) -> str:
        """The common table expression of all projects: ``node_id``, ``project_id``, ``granted``."""
        return self.statement.expression(PROJECTS, self._projects)

    def readable(self) -> str:
        """The common table expression of the project ids that the caller may read: ``project_id``."""
        return self.statement.expression("readable", self._readable)

    def project_id(self, alias: str) -> str:
        """The project id of a row of the project table: program's name, dash, own code."""
        return (
            f"(select (p._props->>'name') || '-' || ({alias}._props->>'code') from {self._edge()} e"
            f" join {self.tables.node('program')} p on p.node_id = e.dst_id where e.src_id = {alias}.node_id limit 1)"
        )

    def _in_project(self, project_id: str, asked: Sequence[str | None] | None) -> str:
        plain = self.scope.plain_ids
        if plain is not None and (wanted := {each for each in asked or () if each is not None}):
            plain &= wanted
        if self.scope.nothing or (plain is not None and not plain):
            return "false"
        if plain is not None:
            return f"{project_id} = any({self.statement.bind(sorted(plain), 'text[]')})"
        readable = self.readable()
        # `is true` keeps the planner from joining: the few ids are hashed once for the whole statement.
        return f"({project_id} in (select project_id from {readable})) is true"

    def _readable(self) -> str:
        return (
            f"materialized (select project_id from {self.projects()} where project_id is not null"
            " group by project_id having bool_and(granted))"
        )

    def _projects(self) -> str:
        program, code = "(p._props->>'name')", "(q._props->>'code')"
        if self.scope.everything:
            granted = "true"
        else:
            programs = self.statement.bind(sorted(self.scope.programs), "text[]")
            granted = f"coalesce({program} = any({programs}) or ({program}, {code}) in ({self._pairs()}), false)"
        return (
            f"materialized (select q.node_id, {program} || '-' || {code} as project_id, {granted} as granted"
            f" from {self.tables.node('project')} q join {self._edge()} e on e.src_id = q.node_id"
            f" join {self.tables.node('program')} p on p.node_id = e.dst_id)"
        )

    def _pairs(self) -> str:
        pairs = sorted(self.scope.projects)
        programs = self.statement.bind([program for program, _ in pairs], "text[]")
        codes = self.statement.bind([code for _, code in pairs], "text[]")
        return f"select * from unnest({programs}, {codes})"

    def _edge(self) -> str:
        for link in self.dictionary.nodes["project"].links:
            if link.target == "program":
                return self.tables.edge(link)
        raise LookupError(f"The dictionary's {literal('project')} has no link to a program.")
