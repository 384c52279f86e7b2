"""Programs and projects: the roots of the graph, and the resources that grants are given on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from psycopg2.errors import LockNotAvailable
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import OperationalError

from ..core import grants
from ..core.errors import BadRequest, Conflict, NotFound, ValidationFailed
from ..core.releases import Releases
from . import history, ids, lifecycle
from .entity import Document, Outcome, Project, fault, resource_path
from .store import Store
from .validate import Checkers

SOURCE = "submission"
"""Where the resources made here say they come from."""

# A name becomes one segment of paths and of resource paths. The program ends at the first "-" of a project id, so that
# no two projects can ever share one.
_PROGRAM = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.~+ ]{0,126}$")
_CODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.~+ \-]{0,126}$")
_RESERVED = frozenset({"admin", "datasets", "getschema", "graphql", "metrics", "template", "validation"})


@dataclass(frozen=True)
class Roots:
    """The SQL and the rules of programs and projects.

    Parameters
    ----------
    wait_s
        How long a change of a project waits for submissions to it, in seconds.
    """

    store: Store
    checkers: Checkers
    releases: Releases
    auth_schema: str
    wait_s: float = 5

    # -- programs --------------------------------------------------------------

    def programs(self, connection: sa.Connection) -> list[str]:
        """Names of all programs."""
        name = self.store.graph.node("program").c._props["name"].astext
        return list(connection.execute(sa.select(name).order_by(name)).scalars())

    def projects(self, connection: sa.Connection, program: str) -> list[str]:
        """Codes of a program's projects.

        Raises
        ------
        NotFound
            There is no such program.
        """
        program_id = self._program(connection, program)
        projects, edges = self.store.graph.node("project"), self.store.graph.edge(self.store.program_link)
        code = projects.c._props["code"].astext
        query = sa.select(code).join(edges, edges.c.src_id == projects.c.node_id).where(edges.c.dst_id == program_id)
        return list(connection.execute(query.order_by(code)).scalars())

    def _program(self, connection: sa.Connection, name: str, lock: bool = False) -> str:
        table = self.store.graph.node("program")
        query = sa.select(table.c.node_id).where(table.c._props["name"].astext == name)
        if lock:
            query = query.with_for_update(key_share=True, read=True)
        found = connection.execute(query).scalar_one_or_none()
        if found is None:
            raise NotFound(f"Program {name} not found")
        return str(found)

    def put_program(self, connection: sa.Connection, document: Document) -> dict[str, Any]:
        """Create a program, or change its accession number.

        Raises
        ------
        ValidationFailed
            The document is not a valid program.
        """
        self.store.hold(connection)
        if document.get("type") != "program":
            raise ValidationFailed("Invalid post to the root: the type must be 'program'.")
        faults = self.checkers["program"].faults(document)
        if faults:
            raise ValidationFailed("; ".join(each["message"] for each in faults), faults)
        name = _checked(document["name"], _PROGRAM, "program's name")
        table = self.store.graph.node("program")
        insert = pg.insert(table).values(node_id=ids.program_id(name), _props=_properties(document))
        made = connection.execute(insert.on_conflict_do_nothing().returning(table.c.node_id)).scalar_one_or_none()
        if made is None:
            change = {"dbgap_accession_number": document["dbgap_accession_number"]}
            same = table.c._props["name"].astext == name
            connection.execute(history.void_nodes(self.store.graph, "program", table, same))
            made = connection.execute(
                sa.update(table).where(same).values(_props=table.c._props + _json(change)).returning(table.c.node_id)
            ).scalar_one()
            message = "Program is updated!"
        else:
            message = "Program registered."
        self._register(connection, resource_path(name))
        return {"id": made, "message": message, "name": name}

    def delete_program(self, connection: sa.Connection, name: str) -> None:
        """Delete a program that has no project.

        Raises
        ------
        BadRequest
            It has.
        """
        self._delete(connection, "program", self._program(connection, name), f"program {name}")
        self._unregister(connection, resource_path(name))

    # -- projects --------------------------------------------------------------

    def put_project(
        self, connection: sa.Connection, program: str, document: Document, username: str | None
    ) -> dict[str, Any]:
        """Create a project of a program, or change its properties.

        Raises
        ------
        ValidationFailed
            The document is not a valid project.
        BadRequest
            The code is that of another program's project: codes are unique in the whole commons.
        """
        self.store.hold(connection)
        program_id = self._program(connection, program, lock=True)
        given = {name: value for name, value in document.items() if name not in ("type", "state", "released")}
        given.pop(self.store.program_link.name, None)
        self._check_project(document, given)
        code = _checked(given["code"], _CODE, "project's code")
        stored = self._find_code(connection, code)
        role = "create" if stored is None else "update"
        transaction = self._log(connection, role, program, code, username)
        if stored is None:
            node_id = ids.project_id(code)
            created = {"i": node_id, "p": {**self.checkers["project"].defaults, **_properties(given), "state": "open"}}
            if not self.store.insert_nodes(connection, "project", [created], transaction):
                raise BadRequest(f"ERROR: Project {code} already exists in DB")
            self.store.replace_edges(connection, self.store.program_link, [], [(node_id, program_id)])
        else:
            node_id, owner, old = stored
            if owner != program or old["code"] != code:
                raise BadRequest(f"ERROR: Project {code} already exists in DB")
            new = {name: value for name, value in {**old, **given}.items() if value is not None}
            self.store.update_nodes(connection, "project", [{"i": node_id, "p": new}], transaction)
        self._register(connection, resource_path(program, code))
        entity = {"action": role, "errors": [], "id": node_id, "type": "project", "unique_keys": [{"code": code}]}
        answer = Outcome(transaction, [{**entity, "valid": True, "warnings": []}], [], False, 200).answer()
        row = {
            "transaction_id": transaction,
            "name": None,
            "doc_format": "JSON",
            "doc": orjson.dumps(document).decode(),
        }
        self.store.log.document(connection, row, orjson.dumps(answer), announced=f"{program}-{code}")
        return answer

    def _check_project(self, document: Document, given: Document) -> None:
        if document.get("type", "project") != "project":
            raise ValidationFailed("The type of what is sent here must be 'project'.")
        # A project may be registered before everything that the dictionary asks of it is known.
        missing = [name for name in ("code", "dbgap_accession_number") if not isinstance(given.get(name), str)]
        faults = [fault("MISSING_PROPERTY", f"'{name}' is a required property", [name]) for name in missing]
        faults += [
            each for each in self.checkers["project"].faults({**given, "type": "project"})
            if each["type"] != "MISSING_PROPERTY"
        ]  # fmt: skip
        if faults:
            raise ValidationFailed("ERROR: " + "; ".join(each["message"] for each in faults), faults)

    def _find_code(self, connection: sa.Connection, code: str) -> tuple[str, str, Mapping[str, Any]] | None:
        projects, programs = self.store.graph.node("project"), self.store.graph.node("program")
        edges = self.store.graph.edge(self.store.program_link)
        row = connection.execute(
            sa.select(projects.c.node_id, programs.c._props["name"].astext, projects.c._props)
            .join(edges, edges.c.src_id == projects.c.node_id)
            .join(programs, programs.c.node_id == edges.c.dst_id)
            .where(sa.func.lower(projects.c._props["code"].astext) == sa.func.lower(code))
            .with_for_update(key_share=True, of=projects)
        ).one_or_none()
        return (row[0], row[1], row[2]) if row else None

    def _log(self, connection: sa.Connection, role: str, program: str, code: str, username: str | None) -> int:
        row = {"submitter": username, "role": role, "program": program, "project": code}
        return self.store.log.write(
            connection, {**row, "is_dry_run": False, "state": "SUCCEEDED", "closed": False, "canonical_json": []}
        )

    def delete_project(self, connection: sa.Connection, program: str, code: str) -> None:
        """Delete a project that has no records and no releases.

        Raises
        ------
        NotFound
            There is no such project.
        BadRequest
            It has records or releases.
        Conflict
            Submissions to it are under way.
        """
        project = self.store.project(connection, program, code)
        if project is None:
            raise NotFound(f"Project {code} not found")
        self._delete(connection, "project", project.id, f"project {code}")
        # Asked only now that we have the project's row, which freezing holds.
        if self.releases.of_project(connection, program, code):
            raise BadRequest(f"Can not delete the project {code}: it has releases, which are kept for good")
        self._unregister(connection, project.resource)
        self.store.announce(connection, project.project_id)

    def take_step(self, connection: sa.Connection, program: str, code: str, name: str, *, dry_run: bool) -> Project:
        """Take a project a step on in its life.

        Raises
        ------
        NotFound
            There is no such project.
        BadRequest
            It cannot take this step now.
        Conflict
            Submissions to it are under way.
        """
        project = self.store.project(connection, program, code)
        if project is None:
            raise NotFound(f"Project {code} not found")
        self.store.hold(connection)
        table = self.store.graph.node("project")
        properties = self._alone(connection, "project", project.id, f"project {code}")
        known = self.store.graph.dictionary.nodes["project"].properties
        changed = lifecycle.changes(name, properties, {each.name: each.enum for each in known.values()})
        if not dry_run:
            history.keep(connection, self.store.graph, "project", project.id)
            merged = table.c._props + _json(changed)
            connection.execute(sa.update(table).where(table.c.node_id == project.id).values(_props=merged))
            self.store.announce(connection, project.project_id)
        return project

    # -- both ------------------------------------------------------------------

    def _alone(self, connection: sa.Connection, kind: str, node_id: str, what: str) -> Mapping[str, Any]:
        """The properties of a program or project that nobody else writes to until the transaction ends.

        Submissions hold the row while they write. A large one takes minutes, so that nobody is let wait for it.
        """
        table = self.store.graph.node(kind)
        query = sa.select(table.c._props).where(table.c.node_id == node_id).with_for_update()
        try:
            with connection.begin_nested():
                connection.execute(sa.text(f"set local lock_timeout = {int(1000 * self.wait_s)}"))
                row = connection.execute(query).one_or_none()
                connection.execute(sa.text("set local lock_timeout to default"))
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            raise self._busy(connection, node_id, what) from error
        if row is None:
            raise NotFound(f"{what[:1].upper()}{what[1:]} not found")
        properties: Mapping[str, Any] = row[0]
        return properties

    def _busy(self, connection: sa.Connection, node_id: str, what: str) -> Conflict:
        """The refusal of a change of a project that submissions are written to, with the large ones among them."""
        graph = self.store.graph
        jobs, logs, projects = graph.transaction_jobs, graph.transaction_logs, graph.node("project")
        mine = sa.select(projects.c._props["code"].astext).where(projects.c.node_id == node_id)
        query = (
            sa.select(logs.c.id, logs.c.submitter, jobs.c.stage, jobs.c.rows_written)
            .join(jobs, jobs.c.transaction_id == logs.c.id)
            .where(jobs.c.finished.is_(None), logs.c.project == mine.scalar_subquery())
            .order_by(logs.c.id)
        )
        running = [
            {"transaction_id": id_, "submitter": submitter, "stage": stage, "rows_written": rows}
            for id_, submitter, stage, rows in connection.execute(query)
        ]
        named = " and ".join(f"{each['transaction_id']} ({each['rows_written']} rows written)" for each in running)
        told = f"Transaction {named}" if named else "A submission"
        return Conflict(f"{told} to {what} is under way; try again when it is over.", running)

    def _delete(self, connection: sa.Connection, kind: str, node_id: str, what: str) -> None:
        self.store.hold(connection)
        table = self.store.graph.node(kind)
        self._alone(connection, kind, node_id, what)
        for link in self.store.graph.dictionary.backlinks(kind):
            if self.store.children(connection, link, [node_id]):
                raise BadRequest(f"Can not delete the {what}: it is not empty")
        history.keep(connection, self.store.graph, kind, node_id, links=True)
        connection.execute(sa.delete(table).where(table.c.node_id == node_id))

    def _register(self, connection: sa.Connection, path: str) -> None:
        resource = self._resources(connection)
        if resource is not None:
            row = {"path": path, "source": SOURCE, "description": ""}
            connection.execute(pg.insert(resource).values(row).on_conflict_do_nothing())
            connection.execute(sa.select(sa.func.pg_notify(grants.CHANNEL, "")))

    def _unregister(self, connection: sa.Connection, path: str) -> None:
        resource = self._resources(connection)
        if resource is not None:
            connection.execute(sa.delete(resource).where(resource.c.path == path, resource.c.source == SOURCE))
            connection.execute(sa.select(sa.func.pg_notify(grants.CHANNEL, "")))

    def _resources(self, connection: sa.Connection) -> sa.Table | None:
        table = grants.tables(self.auth_schema).resource
        name = f'"{table.schema}"."{table.name}"'
        return table if connection.execute(sa.select(sa.func.to_regclass(name))).scalar_one() else None


def _json(value: Mapping[str, Any]) -> Any:
    return sa.cast(sa.bindparam(None, orjson.dumps(value).decode(), type_=sa.Text), pg.JSONB)


def _properties(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None and name not in ("id", "type")}


def _checked(name: str, rule: re.Pattern[str], what: str) -> str:
    if not rule.match(name) or name in _RESERVED or name != name.strip():
        allowed = "letters, digits, _ . ~ + and blanks" + ("" if rule is _PROGRAM else " and -")
        raise ValidationFailed(
            f"A {what} begins with a letter or digit and has only {allowed}, at most 127 characters; "
            f"it is {name[:140]!r}."
        )
    return name
